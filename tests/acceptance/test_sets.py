"""Sets: several promotions in one tag are accepted together, in one commit of the ledger, or not at all."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from distributor.cli.playground import PEOPLE
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.views import InstanceStage, instance_views
from distributor.services.promotion.requesting import Ask
from distributor.services.promotion.requesting_sets import make_set
from tests.acceptance.forging import Draft, codes, forger, verdict_on

BOTH = {"shop": "1.4.1", "website": "1.0.0"}


async def ask(play, service, environment="sit", versions=BOTH, key="release-manager"):
    return await make_set(
        service.world,
        await service.look(),
        Ask(verb=Verb.PROMOTE, environment=environment, instance="both"),
        versions,
        tagger=PEOPLE["release-manager"],
        signer=play.place.key(key) if environment != "sit" and key else None,
    )


def desired(service, environment="sit"):
    found = {name: service.book.state.instance(environment, name).desired for name in BOTH}
    return {name: verdict.revision.version for name, verdict in found.items() if verdict}


async def stages(service, environment="sit"):
    views = await instance_views(service, environment)
    return {v.instance: v.stage for v in views if v.instance in BOTH}


async def test_a_set_is_accepted_in_one_commit_and_carried_out(play):
    evil = forger(play)
    async with play.service() as service:
        asked = await ask(play, service)
        assert asked.ref == "promote/sit/@both/1"
        before = evil.head("ledger")
        await service.sync()
        verdict = verdict_on(service, asked.ref)
        assert verdict.accepted
        each = [service.book.state.instance("sit", name).desired for name in BOTH]
        assert [(v.ref, v.tag) for v in each] == [(asked.ref, asked.tag)] * 2
        assert sorted(v.sequence for v in (verdict, *each)) == [1, 2, 3]
        messages = evil.git("log", "--format=%s", f"{before}..ledger").split("\n")
        assert [m for m in messages if "both" in m] == ["accepted promote/sit/@both/1"]
        assert desired(service) == BOTH
        assert await stages(service) == dict.fromkeys(BOTH, InstanceStage.VERIFIED)
        # What comes next builds on the set, whether it is one promotion or another set.
        await play.promote(service, "1.4.2", "sit")
        assert desired(service)["shop"] == "1.4.2"
        await ask(play, service, versions={"shop": "1.4.1", "website": "1.0.0"})
        await service.sync()
        assert verdict_on(service, "promote/sit/@both/2").accepted
        assert desired(service) == BOTH
    async with play.service() as again:
        await again.sync()
        assert desired(again) == BOTH
        assert again.book.state.sequence == 7


async def test_one_that_is_kept_out_keeps_all_of_them_out(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        before = play.fleet()
        asked = await ask(play, service, "uat")  # website was verified nowhere before
        await service.sync()
        verdict = verdict_on(service, asked.ref)
        assert verdict.outcome is VerdictOutcome.REFUSED
        assert codes(verdict) == {"DST217"}
        assert any("website: " in reason for reason in verdict.reasons())
        state = service.book.state
        assert codes(state.instance("uat", "website").last_verdicts[asked.ref]) == {"DST217"}
        assert codes(state.instance("uat", "shop").last_verdicts[asked.ref]) == {"DST272"}
        assert desired(service, "uat") == {}
        assert play.fleet() == before


def item(evil, instance, version, prev="none", **more):
    package = evil.catalog().package(instance, version)
    digest = package.digest if package else "sha256:" + "0" * 64
    found = {
        "instance": instance,
        "app": instance,
        "version": version,
        "digest": digest,
        "prev": prev,
    }
    return " ".join(f"{key}={value}" for key, value in (found | more).items())


def put(evil, name, items, *, environment="sit", key="", extra=""):
    lines = "".join(f"Promotion-Item: {text}\n" for text in items)
    message = f"promote\n\n{extra}{lines}"
    evil.put(name, evil.raw(Draft(environment=environment, key=key), name=name, message=message))


async def test_sets_of_people_who_err_or_mean_harm(play):
    evil = forger(play)
    shop, website = item(evil, "shop", "1.4.1"), item(evil, "website", "1.0.0")
    cases = {
        "nothing": ([], "DST205"),
        "twice": ([shop, item(evil, "shop", "1.4.2")], "DST205"),
        "unknown-key": ([shop + " gate=off"], "DST205"),
        "no-prev": ([shop.replace(" prev=none", "")], "DST205"),
        "digest": ([website, item(evil, "shop", "1.4.1", digest="sha256:" + "1" * 64)], "DST213"),
        "stale": ([website, item(evil, "shop", "1.4.1", prev="a" * 40)], "DST214"),
        "nobody": ([website, item(evil, "nobody", "1.0.0")], "DST222"),
        "other-app": ([website, item(evil, "shop", "1.4.1", app="website")], "DST205"),
        "reserved": ([website, item(evil, "all", "1.0.0")], "DST205"),
        "rendered": ([website, item(evil, "shop", "1.4.1", rendered="sha256:" + "2" * 64)], "DST232"),
    }  # fmt: skip
    names = {case: f"promote/sit/@{case}/1" for case in cases}
    for case, (items, _) in cases.items():
        put(evil, names[case], items)
    top = "promote/sit/@prev-of-all/1"
    put(evil, top, [shop, website], extra="Promotion-Prev: none\n")
    unsigned, stranger = "promote/uat/@unsigned/1", "promote/uat/@stranger/1"
    put(evil, unsigned, [shop, website], environment="uat")
    put(evil, stranger, [shop, website], environment="uat", key=evil.key("stranger"))
    async with play.service() as service:
        await service.sync()
        found = {
            name: codes(verdict_on(service, name))
            for name in (*names.values(), top, unsigned, stranger)
        }
        expected = {names[case]: {code} for case, (_, code) in cases.items()}
        assert {n: c - {"DST212"} for n, c in found.items()} == {
            **expected, top: {"DST205"}, unsigned: {"DST206"}, stranger: {"DST208"},
        }  # fmt: skip
        assert {verdict_on(service, name).outcome for name in found} == {VerdictOutcome.REFUSED}
        # Who may not ask writes into no instance's file.
        assert unsigned not in service.book.state.instance("uat", "shop").last_verdicts
        assert not any(play.fleet().values())


async def test_a_set_that_moved_stops_each_of_its_instances(play):
    evil = forger(play)
    async with play.service() as service:
        asked = await ask(play, service)
        await service.sync()
        before = play.fleet()
        put(evil, asked.ref, [item(evil, "shop", "1.4.2", asked.tag)])
        await service.sync()
        assert play.fleet() == before
        for name, version in (("shop", "1.4.2"), ("website", "1.0.0")):
            later = await play.ask(service, Verb.PROMOTE, "sit", name, version)
            await service.sync()
            assert codes(verdict_on(service, later.ref)) == {"DST231"}


async def test_of_a_set_and_a_single_request_one_wins(play):
    evil = forger(play)
    put(evil, "promote/sit/@both/1", [item(evil, "shop", "1.4.1"), item(evil, "website", "1.0.0")])
    async with play.service() as service:
        await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.2")
        await service.sync()
        given = [verdict_on(service, n) for n in ("promote/sit/@both/1", "promote/sit/shop/1.4.2")]
        assert sorted(v.outcome for v in given) == ["accepted", "refused"]
        refused = next(v for v in given if not v.accepted)
        assert codes(refused) == {"DST214"}
        assert len(desired(service)) == (2 if given[0].accepted else 1)


@pytest.fixture
def needy(play):
    """A playground whose shop needs the website beside it."""
    file = play.place.catalog / "catalog" / "shop" / "1.4.1" / "package.yaml"
    text = file.read_text()
    assert "requires:" not in text
    needs = "  fits:\n    requires:\n      - app: website\n        range: '>=1.0.0'\n"
    file.write_text(text.replace("  fits:\n", needs))
    play.place.commit("Let the shop need the website", datetime.now(UTC))
    return play


async def test_what_needs_another_of_the_set_comes_after_it(needy):
    async with needy.service() as service:
        alone = await needy.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.1")
        await service.sync()
        assert codes(verdict_on(service, alone.ref)) == {"DST263"}
        asked = await ask(needy, service)
        await service.sync()
        assert verdict_on(service, asked.ref).accepted
        assert await stages(service) == dict.fromkeys(BOTH, InstanceStage.VERIFIED)
        state = service.book.state
        shop, website = (state.instance("sit", name) for name in BOTH)
        seen = website.progress[website.desired.sequence].verified_at
        assert shop.progress[shop.desired.sequence].verified_at >= seen
        (first,) = [e for e in await service.world.store.events() if _opens(e, "shop")]
        (done,) = [e for e in await service.world.store.events() if _verified(e, "website")]
        assert done.id < first.id


def _opens(event, instance):
    return (event.kind, event.instance) == ("wave", instance)


def _verified(event, instance):
    return event.instance == instance and event.kind == "rollout" and "verified" in event.message


async def test_what_is_needed_and_fails_keeps_the_rest_shut(needy):
    """The website cannot be delivered: the shop is accepted with it and touches no cluster."""
    for folder in needy.place.cluster_folders():
        (folder / "dst-website.yaml").mkdir()
    async with needy.service() as service:
        asked = await ask(needy, service)
        await service.sync()
        assert verdict_on(service, asked.ref).accepted
        views = {v.instance: v for v in await instance_views(service, "sit")}
        assert views["shop"].stage is not InstanceStage.VERIFIED
        assert not any("shop" in name for files in needy.fleet().values() for name in files)


def command(play, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "distributor", "promote-set", *arguments],
        cwd=play.place.root, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


async def test_the_command_makes_the_tag(play):
    done = command(play, "sit", "both", "shop=1.4.1", "website=1.0.0", "--reason", "together")
    assert (done.returncode, done.stdout) == (0, "requested promote/sit/@both/1\n"), done.stderr
    for words in (["shop=1.4.1", "shop=1.4.2"], ["shop"], ["shop="], ["=1.4.1"]):
        assert command(play, "sit", "both", *words).returncode == 2
    unknown = command(play, "sit", "both", "shop=1.4.1", "nobody=1.0.0")
    assert unknown.returncode == 1
    assert "DST222" in unknown.stderr
    assert command(play, "sit", "no label", "shop=1.4.1").returncode == 1
    async with play.service() as service:
        await service.sync()
        verdict = verdict_on(service, "promote/sit/@both/1")
        assert (verdict.accepted, verdict.reason) == (True, "together")
    assert forger(play).git("tag", "--list", "promote/sit/*") == "promote/sit/@both/1"
