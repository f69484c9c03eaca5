"""The shared repository is out of reach: a failover is handed over, carried out, and told there afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import asynccontextmanager

import orjson
import pytest

from distributor.cli.playground import PEOPLE
from distributor.errors.git import LedgerRewound, RemoteUnreachable
from distributor.ledger import stopped
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.auditing import fsck
from distributor.services.asking.telling import history, why
from distributor.services.asking.views import InstanceStage, instance_views
from distributor.services.ledger.apart import APART
from distributor.services.promotion.handing import hand_over, handed_over
from distributor.services.promotion.requesting import Ask
from tests.acceptance.conftest import Play
from tests.acceptance.forging import forger, verdict_on
from tests.acceptance.test_automatic import desired
from tests.acceptance.test_crashes import dies
from tests.acceptance.test_failover import asleep, replicas
from tests.acceptance.test_standbys import WAY, play_with, verified

OVER = "do/dr/shop/failover_1"


@pytest.fixture
async def standing_by(tmp_path) -> Play:
    """Dr and prd run the shop, dr with one replica."""
    play = await play_with(tmp_path / "play", asleep)
    async with play.service() as service:
        await play.promote(service, "1.4.1", *WAY, "dr")
    return play


@asynccontextmanager
async def forge_down(play):
    """Nobody reaches the repository meanwhile."""
    away = play.place.remote.with_name("away.git")
    play.place.remote.rename(away)
    try:
        yield
    finally:
        away.rename(play.place.remote)


async def hand(play, service, verb=Verb.FAILOVER, key: str = "sre"):
    ask = Ask(verb=verb, environment="dr", instance="shop", reason="prd is dark")
    signer = play.place.key(key) if key else None
    tagger = PEOPLE.get(key, PEOPLE["sre"])
    return await hand_over(service.world, await service.look(), ask, tagger=tagger, signer=signer)


def other(play) -> dict[str, str]:
    """The settings of another service on the same repository."""
    root = play.place.root / "other"
    (root / "clusters").mkdir(parents=True, exist_ok=True)
    return {"state_dir": str(root / "state"), "directory_root": str(root / "clusters")}


async def test_only_failovers_and_failbacks_are_handed_over(standing_by):
    """Whoever may write to the mirror gets no promotion past the shared repository, not even a signed one."""
    play = standing_by
    async with play.service() as service:
        ask = Ask(verb=Verb.REMOVE, environment="dr", instance="shop", reason="behind its back")
        async with forge_down(play):
            signer, tagger = play.place.key("release-manager"), PEOPLE["release-manager"]
            await hand(play, service)
            before = desired(service, "dr")
            asked = await hand_over(
                service.world, await service.look(), ask, tagger=tagger, signer=signer
            )
            assert asked.ref not in handed_over(service.world)
            await service.sync()
            assert (before.verb, desired(service, "dr").verb) == (Verb.PROMOTE, Verb.FAILOVER)
            assert asked.tag not in service.book.state.instance("dr", "shop").outcomes


async def test_a_failover_works_while_the_forge_is_down_and_is_told_afterwards(standing_by):
    play, evil = standing_by, forger(standing_by)
    head = evil.head("ledger")
    async with play.service() as service:
        async with forge_down(play):
            asked = await hand(play, service)
            assert asked.ref == OVER
            told = [link.text for link in await why(service, "dr", "shop")]
            assert any("handed over here" in text for text in told)
            await service.sync()
            assert service.offline is not None
            over = desired(service, "dr")
            assert (over.ref, over.stands_in, replicas(play)) == (OVER, "prd", 3)
            assert verified(service, "dr")
            told = [link.text for link in await why(service, "dr", "shop")]
            assert any("the ledger is apart" in text for text in told)
            assert any("prd is dark" in line.text for line in history(service, "dr", "shop"))
        assert evil.head("ledger") == head
        await service.sync()
        assert evil.git("rev-parse", f"refs/tags/{OVER}") == asked.tag
        assert evil.git("merge-base", "--is-ancestor", head, "ledger") == ""
        (recorded,) = evil.recorded(OVER)
        assert recorded["verdict"]["outcome"] == "accepted"
        assert desired(service, "dr") == over
        assert not handed_over(service.world)
        assert service.book.apart is None
        assert [f for f in await fsck(service) if f.severity.value == "error"] == []
        assert not service.book.state.instance("dr", "shop").tampered
        await play.ask(service, Verb.FAILBACK, "dr", "shop", key="sre")
        await service.sync()
        assert replicas(play) == 1


async def test_a_process_that_starts_while_the_forge_is_down_goes_by_what_was_recorded_apart(
    standing_by,
):
    play = standing_by
    async with forge_down(play):
        async with play.service() as service:
            await hand(play, service)
            await service.sync()
        async with play.service() as service:
            await service.sync()
            assert desired(service, "dr").ref == OVER
            await hand(play, service, Verb.FAILBACK)
            await service.sync()
            assert (desired(service, "dr").verb, replicas(play)) == (Verb.FAILBACK, 1)
    async with play.service() as service:
        await service.sync()
        refs = [v.ref for v in service.book.state.instance("dr", "shop").accepted]
        assert refs[-2:] == [OVER, "do/dr/shop/failback_1"]
        assert service.book.apart is None


async def test_who_may_not_changes_nothing_and_nobody_else_records_apart(standing_by):
    play = standing_by
    async with play.service() as service, forge_down(play):
        fleet = play.fleet()
        for key in ("", "release-manager"):
            asked = await hand(play, service, key=key)
            await service.sync()
            assert verdict_on(service, asked.ref).outcome is VerdictOutcome.REFUSED
        assert play.fleet() == fleet
        assert not desired(service, "dr").stands_in
        with pytest.raises(RemoteUnreachable):
            await play.ask(service, Verb.HOLD, "dr", "shop", key="sre")


@pytest.mark.parametrize("where", ["uat", "dr"])
async def test_a_ledger_that_moved_meanwhile_has_both(standing_by, where):
    play, evil = standing_by, forger(standing_by)
    async with play.service() as service:
        async with forge_down(play):
            await hand(play, service)
            await service.sync()
            apart = service.world.objects.resolve(APART)
        async with play.service(**other(play)) as elsewhere:
            await play.ask(elsewhere, Verb.HOLD, where, "shop", key="sre")
            await elsewhere.once()
            assert verdict_on(elsewhere, f"do/{where}/shop/hold_1").accepted
        await service.sync()
        state = service.book.state.instance("dr", "shop")
        assert (state.desired.ref, replicas(play)) == (OVER, 3)
        assert service.book.state.instance(where, "shop").holds
        assert evil.git("merge-base", "--is-ancestor", apart, "ledger") == ""
        assert [f for f in await fsck(service) if f.severity.value == "error"] == []
        (view,) = await instance_views(service, "dr", "shop")
        assert (view.stage, view.in_step) == (InstanceStage.VERIFIED, view.targets)
        stops = stopped(service.book.state, "dr", "shop")
        if where == "uat":
            assert not stops
            return
        assert OVER in stops
        assert OVER in view.stopped
        back = await play.ask(service, Verb.FAILBACK, "dr", "shop", key="sre")
        await service.sync()
        assert verdict_on(service, back.ref).outcome is VerdictOutcome.PENDING
        await play.ask(service, Verb.ACK, "dr", "shop", key="sre")
        await service.sync()
        assert not stopped(service.book.state, "dr", "shop")
        await service.sync()  # it was asked before the ack, and so was looked at before it
        assert verdict_on(service, back.ref).accepted
        assert replicas(play) == 1
    async with play.service(**other(play)) as elsewhere:  # everybody reads the same
        assert (await elsewhere.look()).ledger.instance("dr", "shop").desired.ref == back.ref


async def test_a_ledger_that_was_rewound_meanwhile_is_not_gone_on_from(standing_by):
    play, evil = standing_by, forger(standing_by)
    async with play.service() as service:
        async with forge_down(play):
            await hand(play, service)
            await service.sync()
        older = evil.git("rev-parse", "ledger~3")
        evil.branch("ledger", older)
        with pytest.raises(LedgerRewound):
            await service.sync()
        assert evil.head("ledger") == older
        assert service.world.objects.resolve(APART)
        assert (desired(service, "dr").ref, replicas(play)) == (OVER, 3)


async def test_kill_9_between_any_two_steps_loses_nothing(standing_by):
    play, evil = standing_by, forger(standing_by)
    async with forge_down(play):
        async with play.service() as service:
            await hand(play, service)
        died = sum(dies(play, steps, "sync") for steps in (2, 5, 9, 14))
        assert died >= 2
        async with play.service() as service:
            await service.sync()
            assert (desired(service, "dr").ref, replicas(play)) == (OVER, 3)
            assert verified(service, "dr")
    died = sum(dies(play, steps, "sync") for steps in (2, 4, 5, 6, 8))
    assert died >= 3
    async with play.service() as service:
        await service.sync()
        accepted = service.book.state.instance("dr", "shop").accepted
        assert [v.ref for v in accepted].count(OVER) == 1
        assert verified(service, "dr")
        assert not handed_over(service.world)
        assert [f for f in await fsck(service) if f.severity.value == "error"] == []
    assert [r["verdict"]["outcome"] for r in evil.recorded(OVER)] == ["accepted"]


def run(play, *arguments: str) -> tuple[int, str]:
    """The program itself; its exit code and what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "distributor", *arguments],
        env=os.environ | {"DISTRIBUTOR_CONFIG": str(play.place.config), "CI": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout


async def test_the_command_line_hands_over_and_the_next_sync_carries_it_out(standing_by):
    play = standing_by
    key = str(play.place.root / "keys" / "sre")
    async with forge_down(play):
        code, out = run(play, "failover", "dr", "shop", "--sign", key, "--dry-run", "-o", "json")
        assert (code, orjson.loads(out)["accepted"]) == (0, True)
        code, out = run(
            play, "failover", "dr", "shop", "--sign", key, "--reason", "dark", "-o", "json"
        )
        assert (code, orjson.loads(out)["outcome"]) == (0, "handed over")
        code, _ = run(play, "hold", "dr", "shop", "--sign", key)
        assert code == 3
        run(play, "sync", "-o", "json")
        assert replicas(play) == 3
        _, out = run(play, "status", "dr", "shop", "-o", "json")
        assert orjson.loads(out)[0]["stands_in"] == "prd"
    code, _ = run(play, "sync", "-o", "json")
    assert code in (0, 1)
    assert forger(play).recorded(OVER)
