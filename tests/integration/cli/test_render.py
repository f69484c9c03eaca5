"""Rendering packages of the sample: every environment and tier, one cell and all of them, and why."""

from __future__ import annotations

import pytest
import yaml

from distributor.cli.choosing import Wanted, choose
from distributor.cli.local import LocalRenderer, engine, open_catalog
from distributor.settings import Settings

ENVIRONMENTS = ("sit", "uat", "pre", "prd", "dr")
TIERS = ("central", "slim", "edge")


def objects(done):
    return list(yaml.safe_load_all(done.out))


async def test_every_package_in_every_environment_and_tier(made):
    local = open_catalog(made / "repository")
    packages = [p for versions in local.catalog.packages.values() for p in versions.values()]
    assert len(packages) >= 12
    async with engine(Settings(), workers=2) as pool:
        renderer = LocalRenderer(local, pool)
        for package in packages:
            for environment in ENVIRONMENTS:
                for tier in TIERS:
                    wanted = Wanted(environment=environment, tier=tier)
                    choice = choose(local, package, wanted)
                    found = await renderer.bound(choice)
                    assert choice.cluster.tier == tier
                    assert choice.cluster.environment == environment
                    assert len(found) > 0
                    assert not any(b"${cluster_" in m.body for m in found)


def test_a_cell_and_all_of_them_agree(program, repository):
    listed = program("render", "--all", "--jobs", "2", "../all", "-o", "json").json()
    folder = repository.parent / "all"
    written = {p.relative_to(folder).as_posix() for p in folder.rglob("*.yaml")}
    assert written == {row["file"] for row in listed}
    assert {name.split("/")[0] for name in written} == set(ENVIRONMENTS)
    version = next(r["version"] for r in listed if r["file"] == "prd/shop/prd-slim-hamburg.yaml")
    told = program("render", "--all", "../again", "--env", "sit", "--progress").err.splitlines()
    count = sum(row["file"].startswith("sit/") for row in listed)
    assert told[-2:] == [
        f"rendering: {count} of {count}",
        f"{count} files written to {repository.parent / 'again'}",
    ]
    one = program("render", f"catalog/shop/{version}", "--cluster", "prd-slim-hamburg")
    assert one.out == (folder / "prd/shop/prd-slim-hamburg.yaml").read_text()
    assert program("render", "--all", "../all", code=1).err.startswith("DST118")


def test_objects_of_two_instances_are_told(program, repository):
    spec = "apiVersion: distributor.dev/v1alpha1\nkind: Installation\n"
    (repository / "environments/sit/apps").mkdir(exist_ok=True)
    for name in ("website", "second"):
        text = f"{spec}metadata: {{name: {name}}}\nspec: {{app: website, namespace: website}}\n"
        (repository / f"environments/sit/apps/{name}.yaml").write_text(text)
    told = program("render", "--all", "../two", "--env", "sit", "--tier", "central").err
    (line,) = [text for text in told.splitlines() if text.startswith("warning: DST123")]
    assert "the instance second" in line
    assert line.endswith("and of website, on sit-central-1")
    assert (repository.parent / "two/sit/second/sit-central-1.yaml").is_file()


def test_a_broken_version_costs_its_own_files(program, repository):
    file = repository / "catalog/shop/1.5.0/package.yaml"
    text = file.read_text().replace("  renderer:", "  rendrer: x\n  renderer:")
    file.write_text(text)
    done = program("render", "--all", "../all", code=1)
    line = text.splitlines().index("  rendrer: x") + 1
    assert f"catalog/shop/1.5.0/package.yaml:{line}" in done.err
    assert "Did you mean `renderer`?" in done.err
    assert sorted(p.name for p in repository.parent.iterdir()) == ["all", "repository"]
    assert not list((repository.parent / "all").glob("*/shop/*"))
    assert list((repository.parent / "all").glob("*/website/*"))
    assert program("render", "catalog/shop/1.4.2", "--env", "sit").code == 0
    alone = program("render", "catalog/shop/1.5.0", code=1)
    assert "DST102" in alone.err


def test_values_names_and_versions(program, repository):
    (repository / "v.yaml").write_text("replicas: 7\n")
    package = repository / "catalog/till"
    program("new", "app", "till")
    base = ["render", package / "0.1.0", "--env", "sit", "--tier", "central"]
    by_kind = {
        o["kind"]: o for o in objects(program(*base, "-f", "v.yaml", "--namespace", "shops"))
    }
    assert by_kind["Deployment"]["spec"]["replicas"] == 7
    assert by_kind["Deployment"]["metadata"]["namespace"] == "shops"
    over = program(
        *base, "-f", "v.yaml", "--set", "replicas=2", "--name", "till-2", "-o", "json"
    ).json()
    deployment = next(o for o in over if o["kind"] == "Deployment")
    assert deployment["spec"]["replicas"] == 2
    assert deployment["metadata"]["labels"]["app.kubernetes.io/instance"] == "till-2"
    assert [o["kind"] for o in over] == ["Namespace", "Service", "Deployment"]
    refused = program(*base, "--set", "replicas=many", code=1)
    assert refused.err.splitlines()[-2].startswith("DST114")


@pytest.mark.usefixtures("repository")
def test_the_argument_that_gives_a_wrong_value_is_blamed(program):
    program("new", "app", "till")
    (program.cwd / "v.yaml").write_text("replicas: none\n")
    base = ("render", "catalog/till/0.1.0")
    unknown = program(*base, "--set", "replicas=2", "--set", "nosuch=1", code=1).err
    assert unknown.startswith("DST114 --set nosuch=1: ")
    assert unknown.count("do not fit") == 1
    assert "environment" not in unknown
    assert program(*base, "-f", "v.yaml", code=1).err.startswith("DST114 --values v.yaml: ")
    program(*base, "-f", "v.yaml", "--set", "replicas=2", code=1)


@pytest.mark.usefixtures("repository")
def test_what_lies_where_packages_do_is_judged_as_one(quick, repository):
    descriptor = repository / "catalog/shop/1.4.2/package.yaml"
    for text, code in (("apiVersion: nope/v1\n", "DST103"), ("a: {", "DST101"), (None, "DST107")):
        if text is None:
            descriptor.unlink()
        else:
            descriptor.write_text(text)
        for more in ((), ("--env", "sit")):
            refused = quick("render", "catalog/shop/1.4.2", *more, code=1)
            assert f"{code} catalog/shop/1.4.2/package.yaml" in refused.err
        digest = quick("digest", "catalog/shop/1.4.2", code=0)
        assert digest.out.startswith("sha256:")
        assert f"not a package yet: {code} catalog/shop/1.4.2/package.yaml" in digest.err
    assert objects(quick("render", "catalog/shop/1.4.2/base", code=0))


@pytest.mark.usefixtures("repository")
def test_which_layer_set_a_field(program):
    ask = [
        "render",
        "catalog/shop/1.4.2",
        "--cluster",
        "prd-central-eu-1",
        "-o",
        "json",
        "--explain",
    ]
    host = program(*ask, "Ingress/shop/shop:spec.rules[0].host").json()
    assert host["layer"] == "late binding"
    assert host["value"].endswith("prd.distributor.example")
    kind = program(*ask, "apps/Deployment/shop/frontend:kind").json()
    assert kind["layer"] == "catalog/shop/1.4.2/base"
    assert kind["files"] == ["catalog/shop/1.4.2/base/frontend.yaml"]
    rows = program(
        *ask[:-3], "--explain", "Deployment/shop/frontend:spec.replicas"
    ).out.splitlines()
    assert rows[1].split() == [
        "late", "binding", "environments/prd/environment.yaml:",
        "spec.defaults.values.shop.frontend_replicas", "3",
    ]  # fmt: skip
    assert rows[2].split() == [
        "catalog/shop/1.4.2/base", "catalog/shop/1.4.2/base/frontend.yaml", "${frontend_replicas}",
    ]  # fmt: skip
    assert (
        program(*ask, "Deployment/shop/nope:kind", code=1).err.splitlines()[-2].startswith("DST111")
    )
    assert "DST716" in program(*ask, "nonsense", code=2).err


def test_what_is_on_disk_is_rendered(program, repository):
    file = repository / "catalog/shop/1.4.2/base/kustomization.yaml"
    text = file.read_text()
    file.write_text(text + "commonAnnotations: {edited: 'yes'}\n")
    found = objects(program("render", "catalog/shop/1.4.2", "--env", "sit"))
    assert any(o["metadata"].get("annotations", {}).get("edited") == "yes" for o in found)


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["catalog/shop/9.9.9"], "DST707", 2),
        (["catalog/shop/1.4.2", "--env", "nope"], "DST707", 2),
        (["catalog/shop/1.4.2", "--env", "sit", "--tier", "nope"], "DST707", 2),
        (["catalog/shop/1.4.2", "--cluster", "nope"], "DST707", 2),
        (["catalog/shop/1.4.2", "--cluster", "prd-slim-hamburg", "--tier", "edge"], "DST716", 2),
        (["catalog/shop/1.4.2", "--set", "a"], "DST716", 2),
        (["catalog/shop/1.4.2", "--values", "nope.yaml"], "DST707", 2),
        (["catalog/shop/1.4.2", "--jobs", "0"], "Usage", 2),
        (["catalog/shop/1.4.2", "--kube-version", "banana"], "DST716", 2),
        (["catalog/shop/1.4.2/base", "--kube-version", "1"], "DST716", 2),
    ],
)
def test_bad_names(quick, arguments, code, exit_code):
    done = quick("render", *arguments, code=exit_code)
    assert done.err.splitlines()[-2 if code != "Usage" else 0].startswith(code), done.err
    assert done.out == ""


HOSTILE = {
    "unknown field": ("package.yaml", "spec:\n", "spec:\n  rendrer: x\n", "DST102"),
    "broken YAML": ("package.yaml", "spec:\n", "spec: [\n", "DST101"),
    "path escapes": ("package.yaml", "path: base", "path: ../1.4.1/base", "DST103"),
    "base escapes": ("base/kustomization.yaml", "resources:\n", "resources:\n  - ../../../../../etc\n", "DST303"),
    "remote base": ("base/kustomization.yaml", "resources:\n", "resources:\n  - https://example.org/x\n", "DST302"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_packages(quick, repository, name):
    file, old, new, code = HOSTILE[name]
    path = repository / "catalog/shop/1.4.2" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    done = quick("render", "catalog/shop/1.4.2", "--env", "sit", code=1)
    assert code in done.err, done.err
    assert done.out == ""


def test_a_link_in_a_package_is_refused(program, repository):
    (repository / "catalog/shop/1.4.2/base/x.yaml").symlink_to("/etc/passwd")
    assert "DST109" in program("render", "catalog/shop/1.4.2", code=1).err


def test_a_huge_descriptor_is_refused(program, repository):
    with (repository / "catalog/shop/1.4.2/package.yaml").open("ab") as file:
        file.truncate(50 << 20)
    assert "DST112" in program("render", "catalog/shop/1.4.2", code=1).err


def test_a_package_outside_a_catalog(program):
    (program.cwd / "p").mkdir()
    (program.cwd / "p/package.yaml").write_text("apiVersion: distributor.dev/v1alpha1\n")
    assert program("render", "p", code=1).err.startswith("DST117")
