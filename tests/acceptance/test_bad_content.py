"""Content on main that is broken or hostile: its version is refused by name, everything else goes on."""

from __future__ import annotations

import re

import orjson
import pytest

from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from tests.acceptance.forging import Draft, codes, forger, verdict_on

SHOP = "catalog/shop/1.4.2"
SITE = "catalog/website/1.0.0"
WINDOWS = "catalog/iis-site/1.0.0"
QUOTA = "catalog/quota-profiles/1.0.0"
ENDLESS = b"{{ range until 30000 }}{{ range until 30000 }}{{ end }}{{ end }}\nkind: Endless\n"


def edit(old: str, new: str):
    """Replace text that must be there."""

    def change(data: bytes) -> bytes:
        assert old.encode() in data
        return data.replace(old.encode(), new.encode(), 1)

    return change


def put(data: bytes | None):
    """A file's whole new content; ``None`` removes it."""
    return lambda _: data


def more(line: str):
    """One line after what is there."""
    return lambda data: data + line.encode() + b"\n"


# what is asked for, the file changed and how; the codes it may be refused with, and what the finding names
BAD = {
    "unknown field": (
        "shop", "1.4.2", f"{SHOP}/package.yaml", edit("spec:\n", "spec:\n  colour: red\n"),
        "DST102", f"{SHOP}/package.yaml:6",
    ),
    "missing file": (
        "shop", "1.4.2", f"{SHOP}/package.yaml", put(None), "DST107", f"{SHOP}/package.yaml",
    ),
    "broken YAML": (
        "shop", "1.4.2", f"{SHOP}/package.yaml", edit("spec:\n", "spec: [\n"),
        "DST101", f"{SHOP}/package.yaml:",
    ),
    "duplicate key": (
        "shop", "1.4.2", f"{SHOP}/package.yaml", edit("  name: shop\n", "  name: shop\n  name: x\n"),
        "DST104", f"{SHOP}/package.yaml:5",
    ),
    "another version inside": (
        "shop", "1.4.2", f"{SHOP}/package.yaml", edit("version: 1.4.2", "version: 1.4.3"),
        "DST106", f"{SHOP}/package.yaml:",
    ),
    "not text": (
        "shop", "1.4.2", f"{SHOP}/package.yaml", put(b"\xff\xfe\0"), "DST121", f"{SHOP}/package.yaml",
    ),
    "fifty megabytes": (
        "shop", "1.4.2", f"{SHOP}/base/big.bin", put(b"x" * 50_000_000),
        "DST112|DST310", "",
    ),
    "outside its tree": (
        "shop", "1.4.2", f"{SHOP}/base/kustomization.yaml", more("  - ../../1.4.1/base"),
        "DST301|DST303", "",
    ),
    "far outside its tree": (
        "shop", "1.4.2", f"{SHOP}/base/kustomization.yaml", more("  - ../../../../../../etc/passwd"),
        "DST303", "",
    ),
    "the network": (
        "shop", "1.4.2", f"{SHOP}/base/kustomization.yaml", more("  - https://example.com/a.yaml"),
        "DST302", "",
    ),
    "a missing resource": (
        "shop", "1.4.2", f"{SHOP}/base/kustomization.yaml", more("  - nothing.yaml"), "DST301|DST303", "",
    ),
    "an object of an unknown shape": (
        "shop", "1.4.2", f"{SHOP}/base/frontend.yaml", edit("replicas:", "replicaz:"), "DST228", "",
    ),
    "an object that is none": (
        "shop", "1.4.2", f"{SHOP}/base/ads.yaml", put(b"- just\n- a list\n"), "DST301|DST308", "",
    ),
    "a template that never ends": (
        "website", "1.0.0", f"{SITE}/chart/templates/endless.yaml", put(ENDLESS), "DST309|DST310|DST322|DST323", "",
    ),
    "a template that fails": (
        "website", "1.0.0", f"{SITE}/chart/templates/bad.yaml", put(b'{{ fail "no" }}\n'), "DST306", "",
    ),
    "a definition with a bad schema": (
        "quota-profiles", "1.0.0", f"{QUOTA}/base/crd.yaml", edit("type: string\n                  maxLength", "type: banana\n                  maxLength"),
        "DST228", "",
    ),
    "an object twice": (
        "iis-site", "1.0.0", f"{WINDOWS}/manifests/11-page.yaml", None, "DST301|DST316", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_version_is_refused_and_its_neighbours_are_not(play, case):
    app, version, path, change, expected, names = BAD[case]
    evil = forger(play)
    page = f"{WINDOWS}/manifests/10-page.yaml"
    folder, _, file = path.rpartition("/")
    there = any(e == file for e in evil.git("ls-tree", "--name-only", f"main:{folder}").split())
    data = evil.read(path, "main") if there else b""
    new = evil.read(page, "main") if change is None else change(data)
    evil.branch("main", evil.commit(evil.head(), {path: new}))
    bad = evil.tag(Draft(instance=app, version=version))
    good = evil.tag(Draft(instance="iot-gateway", version="2.0.0"))
    async with play.service(render_timeout=2.0) as service:
        await service.sync()
        verdict = verdict_on(service, bad)
        assert verdict.outcome is VerdictOutcome.REFUSED, verdict.reasons()
        found = [f for a in verdict.answers for f in a.findings if re.fullmatch(expected, f.code)]
        assert found, verdict.reasons()
        assert all(f.message and f.remedy for f in found)
        assert any(str(f.where).startswith(names) for f in found), [str(f.where) for f in found]
        assert verdict_on(service, good).accepted
    (record,) = evil.recorded(bad)
    assert re.search(expected, orjson.dumps(record).decode())
    files = {name for files in play.fleet().values() for name in files}
    assert any("iot-gateway" in name for name in files)
    assert not any(app in name for name in files)


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        (f"{SHOP}/base/link.yaml", "120000"),
        (f"{SHOP}/base/module", "160000"),
        (f"{SHOP}/base/Ads.yaml", "100644"),
    ],
)
async def test_links_submodules_and_twins_in_case_are_refused(play, path, mode):
    evil = forger(play)
    oid = evil.git("hash-object", "-w", "--stdin", data=b"../../../../etc/passwd")
    if mode == "160000":
        oid = evil.head()
    evil.branch("main", evil.entry(evil.head(), path, mode, oid))
    bad = evil.tag(Draft(version="1.4.2"))
    async with play.service() as service:
        await service.sync()
        wanted = "DST108" if mode == "100644" else "DST109"
        assert wanted in codes(verdict_on(service, bad))
        assert not any(play.fleet().values())
        await play.promote(service, "1.4.1", "sit")
        assert service.book.state.instance("sit", "shop").desired is not None


async def test_a_folder_that_is_no_version_harms_no_other(play):
    evil = forger(play)
    package = evil.read(f"{SHOP}/package.yaml", "main")
    files = {f"catalog/shop/{name}/package.yaml": package for name in ("1.4", "1.4.2-x.lock", "v1")}
    evil.branch("main", evil.commit(evil.head(), files))
    async with play.service() as service:
        await play.promote(service, "1.4.2", "sit")
        found = {f.code for f in service.snapshot.catalog.findings}
        assert found >= {"DST105", "DST113"}
        assert service.book.state.instance("sit", "shop").desired.revision.version == "1.4.2"


async def test_a_cycle_in_the_pipeline_lets_nothing_in_and_leaves_what_runs(play):
    evil = forger(play)
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat")
        before = play.fleet()
        path = "environments/pipeline.yaml"
        text = evil.read(path, "main").replace(
            b"- name: sit\n", b"- name: sit\n      after: [prd]\n"
        )
        good = evil.head()
        evil.branch("main", evil.commit(good, {path: text}))
        await play.ask(service, Verb.PROMOTE, "pre", "shop", "1.4.1")
        await play.ask(service, Verb.HOLD, "sit", "website")
        await service.sync()
        asked = service.book.state.instance("pre", "shop").last_verdicts["promote/pre/shop/1.4.1"]
        assert asked.outcome is VerdictOutcome.PENDING, "an error never counts against the version"
        assert service.book.state.instance("sit", "website").holds
        assert "DST110" in {f.code for f in service.snapshot.catalog.findings}
        assert play.fleet() == before


@pytest.mark.parametrize(
    ("path", "data", "code"),
    [
        ("policies/roles.yaml", b"kind: [", "DST101"),
        ("policies/gates/new.yaml", b"", None),
        ("policies/gates/unknown.yaml", None, "DST219"),
    ],
)
async def test_policies_that_cannot_be_read_let_nothing_in(play, path, data, code):
    evil = forger(play)
    if data is None:
        gate = evil.read("policies/gates/predecessors.yaml", "main")
        data = (
            gate.replace(b"gate: predecessors", b"gate: horoscope")
            .replace(b"[uat, pre, prd, dr]", b'["*"]')
            .replace(b"name: predecessors", b"name: unknown")
        )
    evil.branch("main", evil.commit(evil.head(), {path: data}))
    name = evil.tag(Draft())
    async with play.service() as service:
        await service.sync()
        verdict = verdict_on(service, name)
        assert verdict.outcome is VerdictOutcome.REFUSED
        assert code is None or code in codes(verdict), codes(verdict)
    assert not any(play.fleet().values())


async def test_a_broken_environment_or_installation_stops_only_itself(play):
    evil = forger(play)
    path = "environments/sit/apps/shop.yaml"
    evil.branch(
        "main", evil.commit(evil.head(), {path: b"kind: Installation\nkind: Installation\n"})
    )
    bad, good = evil.tag(Draft()), evil.tag(Draft(instance="website", version="1.0.0"))
    async with play.service() as service:
        await service.sync()
        assert "DST104" in codes(verdict_on(service, bad))
        assert verdict_on(service, good).accepted
        evil.branch(
            "main", evil.commit(evil.head(), {"environments/uat/environment.yaml": b"x: ["})
        )
        await play.promote(service, "1.1.0", "sit", app="website")
        assert service.book.state.instance("sit", "website").desired.revision.version == "1.1.0"
