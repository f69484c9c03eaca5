"""Switches of sets: one signed tag reaches each instance of a set, in one commit of the ledger, or none."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from distributor.cli.playground import PEOPLE
from distributor.errors.policy import NothingToApprove, RenderedDiffers
from distributor.model.promotion import VerdictOutcome
from distributor.model.refs import Digest
from distributor.model.tags import Verb
from distributor.services.asking.approving import make_approval
from distributor.services.asking.following import follow
from distributor.services.asking.views import InstanceStage
from distributor.services.promotion.requesting import Ask
from tests.acceptance.forging import Draft, codes, forger, verdict_on
from tests.acceptance.test_approvals import ask_for
from tests.acceptance.test_sets import BOTH, ask, command, item, put, stages

ALL_PAUSED = dict.fromkeys(BOTH, InstanceStage.PAUSED)
ALL_VERIFIED = dict.fromkeys(BOTH, InstanceStage.VERIFIED)


async def accepted_in_uat(play, service):
    """Verified in sit, accepted in uat; nothing of it is begun there."""
    await ask(play, service)
    await service.sync()
    asked = await ask(play, service, "uat")
    await service.decider.decide_all(await service.look())
    assert verdict_on(service, asked.ref).accepted
    return asked


async def throw(play, service, verb, key="sre", instance="@both"):
    asked = await play.ask(service, verb, "uat", instance, key=key)
    await service.sync()
    return verdict_on(service, asked.ref)


async def test_a_set_is_paused_resumed_aborted_and_retried_as_one(play):
    evil = forger(play)
    async with play.service() as service:
        await accepted_in_uat(play, service)
        before = evil.head("ledger")
        paused = await throw(play, service, Verb.PAUSE)
        assert (paused.ref, paused.accepted) == ("do/uat/@both/pause_1", True), paused.reasons()
        assert evil.git("rev-list", "--count", f"{before}..ledger") != "0"
        told = evil.git("log", "--format=%s", f"{before}..ledger").split("\n")
        assert [t for t in told if "pause" in t] == ["accepted do/uat/@both/pause_1"]
        assert await stages(service, "uat") == ALL_PAUSED
        assert not play.folder("uat", "uat-central-1")
        assert (await throw(play, service, Verb.RESUME)).accepted
        assert await stages(service, "uat") == ALL_VERIFIED
        over = await throw(play, service, Verb.ABORT)
        assert codes(over) == {"DST242"}, "nothing of the set is rolled out any more"
        assert await stages(service, "uat") == ALL_VERIFIED


async def test_an_abort_ends_what_still_carries_the_set_out_and_nothing_that_came_after(play):
    async with play.service() as service:
        await play.promote(service, "1.4.2", "sit")
        await ask(play, service)
        await service.sync()
        asked = await ask(play, service, "uat")
        await service.decider.decide_all(await service.look())
        later = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.2")
        await service.decider.decide_all(await service.look())
        assert verdict_on(service, later.ref).accepted
        assert (await throw(play, service, Verb.ABORT)).accepted
        found = await stages(service, "uat")
        assert found == {"shop": InstanceStage.VERIFIED, "website": InstanceStage.FAILED}
        retried = await throw(play, service, Verb.RETRY)
        assert retried.accepted
        assert asked.ref not in service.book.state.instance("uat", "shop").desired.ref
        assert await stages(service, "uat") == ALL_VERIFIED


async def test_a_hold_of_a_set_is_one_of_each_instance_until_it_is_lifted(play):
    async with play.service() as service:
        await accepted_in_uat(play, service)
        await service.sync()
        assert (await throw(play, service, Verb.HOLD)).accepted
        await play.promote(service, "1.4.2", "sit")
        kept = await throw(play, service, Verb.UNHOLD, key="")
        assert kept.outcome is VerdictOutcome.REFUSED
        assert codes(kept) == {"DST206"}
        shop = service.book.state.instance("uat", "shop")
        assert kept.ref not in shop.last_verdicts, "a stranger writes in no instance's file"
        assert [h.ref for h in shop.holds] == ["do/uat/@both/hold_1"]
        asked = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.2")
        await service.sync()
        assert codes(verdict_on(service, asked.ref)) == {"DST216"}
        assert (await throw(play, service, Verb.UNHOLD)).accepted
        assert not service.book.state.instance("uat", "website").holds
        asked = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.2")
        await service.sync()
        assert verdict_on(service, asked.ref).accepted


async def test_one_ack_of_a_set_lets_all_its_instances_go_on(play):
    evil = forger(play)
    async with play.service() as service:
        asked = await accepted_in_uat(play, service)
        await service.sync()
        put(evil, asked.ref, [item(evil, "shop", "1.4.2", asked.tag)], environment="uat")
        await service.sync()
        assert (await throw(play, service, Verb.ACK, key="release-manager")).accepted
        for name in (*BOTH, "@both"):
            assert not service.book.state.instance("uat", name).tampered, name
    async with play.service() as service:
        await service.sync()
        assert not service.book.state.instance("uat", "shop").tampered


async def test_a_set_that_nobody_asked_for_is_refused(play):
    evil = forger(play)
    own = play.place.key("sre")
    names = ("do/uat/@nobody/hold_1", "do/uat/@nobody/abort_1", "do/all/@nobody/hold_1")
    for name in names:
        draft = Draft(environment=name.split("/")[1], key=own)
        evil.put(name, evil.raw(draft, name=name, message="switch\n"))
    async with play.service() as service:
        await service.sync()
        found = {name: codes(verdict_on(service, name)) for name in names}
    assert found == {names[0]: {"DST222"}, names[1]: {"DST222"}, names[2]: {"DST227"}}


async def test_an_approval_of_a_set_is_made_by_the_command_and_binds_all_of_it(play):
    async with play.service() as service:
        await ask(play, service)
        await service.sync()
        ask_for(1, play, service)
        asked = await ask(play, service, "uat")
        await service.sync()
        waiting = verdict_on(service, asked.ref)
        assert waiting.outcome is VerdictOutcome.PENDING
        found = Ask(verb=Verb.APPROVE, environment="uat", instance="@both")
        who = {"tagger": PEOPLE["sre"], "signer": play.place.key("sre")}
        snapshot = await service.look()
        with pytest.raises(RenderedDiffers):
            await make_approval(
                service, snapshot, replace(found, rendered=Digest("sha256:" + "0" * 64)), **who
            )
        with pytest.raises(NothingToApprove):
            await make_approval(service, snapshot, replace(found, version="7"), **who)
        given = await make_approval(
            service, snapshot, replace(found, rendered=waiting.rendered), **who
        )
        assert given.ref == "approve/uat/@both/1/sre@distributor.example"
        await service.sync()
        assert verdict_on(service, given.ref).accepted, verdict_on(service, given.ref).reasons()
        assert verdict_on(service, asked.ref).accepted
        with pytest.raises(NothingToApprove):
            await make_approval(service, await service.look(), found, **who)


async def follow_it(service, asked):
    lines = []
    return await follow(service, asked, 0.0, tell=lines.append), lines


async def test_a_set_is_followed_until_all_of_it_is_verified(play):
    async with play.service() as service:
        asked = await ask(play, service)
        assert (await follow_it(service, asked))[0].outcome == "waiting"
        await service.decider.decide_all(await service.look())
        begun, _ = await follow_it(service, asked)
        assert (begun.ended, begun.good) == (False, False), "accepted is no end of a set"
        await service.sync()
        done, lines = await follow_it(service, asked)
        assert (done.outcome, done.good) == ("verified", True)
        assert lines[0] == f"accepted {asked.ref}"
        assert {"shop: verified on 2 targets", "website: verified on 3 targets"} <= set(lines), (
            lines
        )


async def test_a_set_of_which_one_fails_has_failed(play):
    async with play.service() as service:
        asked = await accepted_in_uat(play, service)
        assert (await throw(play, service, Verb.ABORT, instance="website")).accepted
        done, lines = await follow_it(service, asked)
        assert (done.outcome, done.good, done.ended) == ("failed", False, True)
        assert done.reasons[0] == "website: aborted: test (by sre@distributor.example)"
        assert any(line.startswith("shop: verified") for line in lines)


async def test_the_command_waits_for_a_set_and_ends_by_its_outcome(play):
    words = ("sit", "both", "shop=1.4.1", "website=1.0.0", "--wait", "--timeout", "200")
    waiting = asyncio.create_task(asyncio.to_thread(command, play, *words))
    async with play.service() as service:
        while "promote/sit/@both/1" not in (await service.look()).tags and not waiting.done():
            await asyncio.sleep(0.1)
        while not waiting.done():
            await service.sync()
            await asyncio.sleep(0.1)
    done = await waiting
    assert (done.returncode, done.stdout) == (0, "verified promote/sit/@both/1\n"), done.stderr
