"""A ledger that was deleted, rewound, forged or broken decides nothing, and what runs stays."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import orjson
import pytest

from distributor.errors import DistributorError
from distributor.errors.git import (
    LedgerBroken,
    LedgerForged,
    LedgerNewer,
    LedgerRewound,
    MainRewound,
    NoLedger,
)
from distributor.ledger.records import encode_genesis
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.auditing import fsck
from distributor.services.asking.telling import history, why
from distributor.services.asking.views import InstanceStage, instance_views
from distributor.services.promotion.opening import MAIN
from tests.acceptance.forging import Draft, codes, forger, verdict_on

SHOP = "records/sit/shop.jsonl"


@pytest.fixture
async def running(play):
    """A playground where the shop runs in sit, and the ledger's head from before it did."""
    first = forger(play).head("ledger")
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
    return play, first


async def stops(play, kind, *, good=None):
    """Every pass ends in that error, in a new process and in one that ran before; nothing changes.

    Then the branch is put right again, and decisions go on.
    """
    evil, before = forger(play), play.fleet()
    bad = evil.head("ledger") if evil.git("branch", "--list", "ledger") else ""
    evil.tag(Draft(instance="website", version="1.0.0"))
    for _ in range(2):
        async with play.service() as service:
            for _ in range(2):
                with pytest.raises(kind):
                    await service.sync()
                assert service.trouble is not None
                assert service.trouble.code == kind.code
    assert play.fleet() == before
    if good is None:
        return
    evil.branch("ledger", good)
    async with play.service() as service:
        await service.sync()
        assert verdict_on(service, "promote/sit/website/1.0.0").accepted
        evil.branch("ledger", bad)
        evil.tag(Draft(instance="iot-gateway", version="2.0.0"))
        with pytest.raises(DistributorError):
            await service.sync()
    assert not any("iot-gateway" in name for files in play.fleet().values() for name in files)


async def test_a_deleted_ledger_stops_decisions(running):
    play, _ = running
    good = forger(play).head("ledger")
    forger(play).branch("ledger", "")
    await stops(play, LedgerRewound, good=good)


async def test_without_ledger_and_memory_nothing_is_decided(running):
    play, _ = running
    forger(play).branch("ledger", "")
    forget(play)
    await stops(play, NoLedger)


async def test_a_ledger_rewound_to_an_older_signed_head_stops_decisions(running):
    play, first = running
    good = forger(play).head("ledger")
    forger(play).branch("ledger", first)
    await stops(play, LedgerRewound, good=good)


async def test_a_forged_record_without_signature_stops_decisions(running):
    play, _ = running
    evil = forger(play)
    good = evil.head("ledger")
    line = orjson.dumps({"kind": "hold", "at": "2026-01-01T00:00:00Z", "on": True, "by": "me"})
    evil.branch("ledger", evil.commit(good, {SHOP: evil.read(SHOP) + line + b"\n"}))
    await stops(play, LedgerForged, good=good)


async def test_a_record_signed_by_another_key_stops_decisions(running):
    play, _ = running
    evil = forger(play)
    good = evil.head("ledger")
    files = {SHOP: b"\n".join(evil.read(SHOP).splitlines()[:2]) + b"\n"}
    evil.branch("ledger", evil.commit(good, files, key=play.place.key("release-manager")))
    await stops(play, LedgerForged, good=good)


async def test_a_genesis_exchanged_for_the_forgers_stops_decisions(running):
    play, _ = running
    evil, key = forger(play), forger(play).key("usurper")
    good = evil.head("ledger")
    async with play.service() as service:
        await service.sync()
        genesis = replace(service.book.state.genesis, key=key.public_key)
        files = {"genesis.json": encode_genesis(genesis)}
        evil.branch("ledger", evil.commit(good, files, key=key))
        before = play.fleet()
        evil.tag(Draft(instance="website", version="1.0.0"))
        with pytest.raises(LedgerForged):
            await service.sync()
        assert play.fleet() == before
    await stops(play, LedgerForged, good=good)


async def test_a_ledger_founded_by_a_stranger_is_not_believed(running):
    play, _ = running
    evil, key = forger(play), forger(play).key("usurper")
    async with play.service() as service:
        await service.look()
        genesis = replace(service.book.state.genesis, key=key.public_key)
    files = {"genesis.json": encode_genesis(genesis)}
    own = evil.commit("", files, key=key)
    evil.branch("ledger", own)
    await stops(play, LedgerRewound)
    forget(play)
    await stops(play, LedgerForged)


@pytest.mark.parametrize(
    ("data", "kind", "line"),
    [
        (b"garbage\n", LedgerBroken, 1),
        (b"\xff\xfe\n", LedgerBroken, 1),
        (b"[]\n", LedgerBroken, 1),
        (b'{"kind": "hold"}\n', LedgerBroken, 1),
        (b'{"kind": "tomorrow"}\n', LedgerBroken, 1),
    ],
)
async def test_garbage_in_a_signed_record_is_named_by_file_and_line(running, data, kind, line):
    play, _ = running
    evil = forger(play)
    good = evil.head("ledger")
    files = {"records/sit/website.jsonl": data}
    evil.branch("ledger", evil.commit(good, files, key=play.place.key("service")))
    async with play.service() as service:
        with pytest.raises(kind) as caught:
            await service.sync()
    assert (caught.value.where.file, caught.value.where.line) == ("records/sit/website.jsonl", line)
    await stops(play, kind, good=good)


async def test_a_newer_format_asks_for_an_upgrade(running):
    play, _ = running
    evil = forger(play)
    good = evil.head("ledger")
    genesis = orjson.loads(evil.read("genesis.json")) | {"format": 99}
    files = {"genesis.json": orjson.dumps(genesis)}
    evil.branch("ledger", evil.commit(good, files, key=play.place.key("service")))
    await stops(play, LedgerNewer, good=good)


@pytest.mark.parametrize(
    "path", ["records/stray", "records/sit/stray.txt", "records/sit/x/y.jsonl"]
)
async def test_stray_files_in_the_ledger_are_refused_or_ignored_but_never_crash(running, path):
    play, _ = running
    evil = forger(play)
    good = evil.head("ledger")
    files = {path: b"stray\n"}
    evil.branch("ledger", evil.commit(good, files, key=play.place.key("service")))
    before = play.fleet()
    async with play.service() as service:
        with suppress(DistributorError):
            await service.sync()
        assert service.trouble is None or service.trouble.code.startswith("DST6")
    assert play.fleet() == before


def forget(play):
    """Delete all that the service remembers but its lock."""
    for file in play.place.state.glob("*.sqlite*"):
        file.unlink()


async def test_the_inventories_are_the_last_defence_of_a_rewound_ledger(running):
    play, _ = running
    evil = forger(play)
    short = evil.head("ledger")
    async with play.service() as service:
        await play.promote(service, "1.4.2", "sit")
        before = play.fleet()
    evil.branch("ledger", short)
    forget(play)
    asked = [n for n in evil.git("tag", "--list").splitlines() if n.endswith("1.4.2")]
    evil.git("update-ref", "-d", f"refs/tags/{asked[0]}")
    async with play.service() as service:
        await service.sync()
        assert play.fleet() == before
        (seen,) = await instance_views(service, "sit", "shop")
        messages = [c.message for c in seen.clusters]
        assert all("DST" in m for m in messages), messages
        assert not any(c.in_step for c in seen.clusters)
        draft = Draft(
            version="1.5.0", prev=evil.git("rev-parse", "refs/tags/promote/sit/shop/1.4.1")
        )
        evil.tag(draft)
        await service.once()
        for _ in range(40):
            await asyncio.sleep(0.05)
        assert play.fleet() == before
        rows = await service.world.store.targets("sit", "shop")
        assert {code for r in rows for code in codes_of(r)} <= {"DST408", "DST415"}


def codes_of(row):
    return {finding["code"] for finding in orjson.loads(row.detail)["findings"]}


async def test_main_rewritten_stops_decisions_until_an_ack_of_all(running):
    play, _ = running
    evil, before = forger(play), play.fleet()
    unrelated = evil.commit("", {"README.md": b"empty\n"})
    good = evil.head()
    async with play.service() as service:
        evil.branch("main", unrelated)
        await service.sync()
        (alarm,) = service.book.state.instance(*MAIN).tampered
        assert (alarm.recorded, alarm.found) == (good, unrelated)
        assert play.fleet() == before
        evil.branch("main", good)
        await service.sync()
        waiting = Draft(instance="website", version="1.0.0")
        evil.tag(waiting)
        await service.sync()
        assert codes(verdict_on(service, waiting.name)) == {"DST231"}
        held = await play.ask(service, Verb.HOLD, "sit", "iot-gateway")
        await service.sync()
        state = service.book.state.instance("sit", "iot-gateway")
        assert state.outcomes[held.tag] is VerdictOutcome.ACCEPTED
        chain = await why(service, "all", "all")
        assert all("refs/heads/main" in link.text for link in chain[:-1])
        assert chain[-1].text == "decisions go on after `distributor ack all all`"
        wrong = await play.ask(service, Verb.ACK, "all", "all", key="")  # not signed
        await service.sync()
        asked = (await why(service, "all", "all"))[-1]
        assert asked.text.startswith(f"refused {wrong.ref}: ")
        (seen,) = await instance_views(service, "sit", "shop")
        assert asked.text in seen.stopped
        ack = await play.ask(service, Verb.ACK, "all", "all", key="sre")
        await service.sync()
        assert service.book.state.instance(*MAIN).outcomes[ack.tag] is VerdictOutcome.ACCEPTED
        assert [link.ok for link in await why(service, "all", "all")] == [True]
        told = [line.kind for line in history(service, "all", "all")]
        assert told[0] == "tampered"
        assert told[-1] == "acknowledged"
        await service.sync()
        assert verdict_on(service, waiting.name).accepted
        (seen,) = await instance_views(service, "sit", "shop")
        assert seen.stage is InstanceStage.VERIFIED


async def test_fsck_tells_of_main_rewritten_until_an_ack(running):
    play, _ = running
    evil = forger(play)
    unrelated, good = evil.commit("", {"README.md": b"empty\n"}), evil.head()
    async with play.service() as service:
        evil.branch("main", unrelated)
        for _ in ("seen", "recorded"):
            (told,) = [f for f in await fsck(service) if f.code == MainRewound.code]
            assert told.message.endswith(f"(it was {good[:12]}, and became {unrelated[:12]})")
            await service.sync()
        await play.ask(service, Verb.ACK, "all", "all", key="sre")
        await service.sync()
        assert not any(f.code == MainRewound.code for f in await fsck(service))


@pytest.mark.parametrize("remembers", [True, False])
async def test_main_rewritten_while_nobody_looked_is_still_seen(running, remembers):
    play, _ = running
    if not remembers:
        for file in play.place.state.glob("distributor.sqlite*"):
            file.unlink()
    evil, good = forger(play), forger(play).head()
    files = {"environments/sit/apps/shop.yaml": None, "catalog/shop/app.yaml": b"kind: App\n"}
    orphan = evil.git("commit-tree", f"{good}^{{tree}}", "-m", "another history")
    evil.branch("main", evil.commit(orphan, files))
    before = play.fleet()
    async with play.service() as service:
        await service.sync()
        assert service.book.state.instance(*MAIN).tampered[0].recorded == good
    assert play.fleet() == before


async def test_main_deleted_stops_decisions(running):
    play, _ = running
    evil, before, good = forger(play), play.fleet(), forger(play).head()
    evil.branch("main", "")
    async with play.service() as service:
        with pytest.raises(DistributorError, match="DST615"):
            await service.sync()
    assert play.fleet() == before
    evil.branch("main", good)
    async with play.service() as service:
        await play.promote(service, "1.4.2", "sit")
        assert play.fleet() != before


@asynccontextmanager
async def two_services(play):
    """Two services on one remote, each with its own memory and both with the service's key."""
    other = str(play.place.root / "state-2")
    async with play.service() as one, play.service(state_dir=other) as two:
        yield one, two


async def test_two_services_decide_each_request_once(play):
    evil = forger(play)
    drafts = [
        Draft(instance=app, version=version)
        for app, version in (("shop", "1.4.1"), ("website", "1.0.0"), ("iot-gateway", "2.0.0"))
    ]
    names = [evil.tag(d) for d in drafts]
    for number in range(2, 12):
        name = f"{names[0]}_{number}"
        evil.put(name, evil.raw(drafts[0], name=name))
        names.append(name)
    async with two_services(play) as (one, two):
        for _ in range(3):
            await asyncio.gather(one.once(), two.once())
        for _ in range(100):
            await asyncio.gather(one.once(), two.once())
            views = await instance_views(one, "sit")
            stages = {v.stage for v in views if v.targets}
            if stages == {InstanceStage.VERIFIED}:
                break
            await asyncio.sleep(0.1)
        assert stages == {InstanceStage.VERIFIED}
        await asyncio.gather(one.once(), two.once())
        assert one.book.state == two.book.state
        for name in names:
            records = evil.recorded(name)
            assert len([r for r in records if r["verdict"]["outcome"] != "pending"]) == 1
        accepted = [v for s in one.book.state.instances.values() for v in s.accepted]
        assert sorted(v.sequence for v in accepted) == [1, 2, 3]
        for state in one.book.state.instances.values():
            records = evil.read(f"records/{state.environment}/{state.instance}.jsonl").splitlines()
            holders = {r["holder"] for r in map(orjson.loads, records) if r["kind"] == "claimed"}
            assert len(holders) == 1
    log = evil.git("log", "--format=%P", "ledger").splitlines()
    assert all(len(parents.split()) == 1 for parents in log if parents)


async def test_a_restart_checks_what_is_new_and_fsck_checks_all_of_it(running):
    """A bad signature below a head that was believed is `fsck`'s to find: it takes a broken memory to get there."""
    play, _ = running
    evil = forger(play)
    bad = evil.commit(evil.head("ledger"), {"note": b"not signed\n"})
    good = evil.commit(bad, {"note": None}, key=play.place.key("service"))
    evil.branch("ledger", good)
    async with play.service() as service:
        with pytest.raises(LedgerForged):
            await service.look()
        await service.world.store.set("ledger.head", good)
    async with play.service() as service:
        await service.look()
        assert [f.code for f in await fsck(service)] == [LedgerForged.code]
        evil.branch("ledger", evil.commit(good, {"note": b"nor this\n"}))
        with pytest.raises(LedgerForged):
            await service.look()
