"""Pause, resume, abort and retry: signed tags, kept by the ledger, so that a lost database forgets none."""

from __future__ import annotations

import shutil
from pathlib import Path

from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.telling import why
from distributor.services.asking.views import InstanceStage, instance_views
from tests.acceptance.forging import codes, verdict_on

CENTRAL = ("uat", "uat-central-1")


async def stage(service, environment: str = "uat") -> InstanceStage:
    (view,) = await instance_views(service, environment, "shop")
    return view.stage


async def throw(play, service, verb: Verb, instance: str = "shop", key: str = "sre"):
    asked = await play.ask(service, verb, "uat", instance, key=key)
    await service.sync()
    return verdict_on(service, asked.ref)


async def accepted(play, service) -> None:
    """Accepted in uat; nothing of it is begun yet."""
    asked = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.1")
    await service.decider.decide_all(await service.look())
    assert verdict_on(service, asked.ref).accepted


async def paused(play, service) -> None:
    """Verified in sit, accepted in uat, and paused before anything was begun there."""
    await play.promote(service, "1.4.1", "sit")
    await accepted(play, service)
    await play.ask(service, Verb.PAUSE, "uat", "shop", key="sre")
    await service.sync()
    assert await stage(service) is InstanceStage.PAUSED
    assert not play.folder(*CENTRAL)


async def test_a_pause_outlives_the_database_and_a_resume_ends_it(play):
    """The holder's file is lost too, so that the claim has to run out first."""
    async with play.service(claim_seconds=2.0) as service:
        await paused(play, service)
    shutil.rmtree(Path(play.settings.state_path()))
    async with play.service(claim_seconds=2.0) as service:
        await service.sync()
        assert await stage(service) is InstanceStage.PAUSED
        assert not play.folder(*CENTRAL)
        assert (await throw(play, service, Verb.RESUME)).accepted
        await service.sync()
        assert await stage(service) is InstanceStage.VERIFIED
        assert play.folder(*CENTRAL)


async def test_an_abort_fails_the_rollout_and_a_retry_goes_on_with_it(play):
    async with play.service() as service:
        await paused(play, service)
        assert (await throw(play, service, Verb.ABORT)).accepted
        assert await stage(service) is InstanceStage.FAILED
        (progress,) = service.book.state.instance("uat", "shop").progress.values()
        assert progress.reason == "aborted: test (by sre@distributor.example)"
        assert not play.folder(*CENTRAL)
    async with play.service() as service:
        await service.sync()
        assert await stage(service) is InstanceStage.FAILED, "it stays so after a restart"
        (link,) = [link for link in await why(service, "uat", "shop") if link.step == "rollout"]
        assert not link.ok
        assert "aborted: test (by sre@distributor.example) Remedy: Promote a fix" in link.text
        assert (await throw(play, service, Verb.RETRY)).accepted
        await service.sync()
        assert await stage(service) is InstanceStage.VERIFIED
        assert play.folder(*CENTRAL)
    async with play.service() as service:
        await service.sync()
        assert await stage(service) is InstanceStage.VERIFIED


async def test_a_pause_of_all_reaches_what_is_rolled_out_now(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        await accepted(play, service)
        await play.ask(service, Verb.PAUSE, "uat", "all", key="sre")
        await service.sync()
        assert await stage(service) is InstanceStage.PAUSED
        assert (await throw(play, service, Verb.RESUME, "all")).accepted
        await service.sync()
        assert await stage(service) is InstanceStage.VERIFIED


async def test_what_does_not_fit_is_refused_by_name(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat")
        for verb in (Verb.PAUSE, Verb.RESUME, Verb.ABORT, Verb.RETRY):
            verdict = await throw(play, service, verb)
            assert verdict.outcome is VerdictOutcome.REFUSED
            assert codes(verdict) == {"DST242"}, verdict.reasons()
        anybody = await throw(play, service, Verb.PAUSE, key="")
        assert anybody.outcome is VerdictOutcome.REFUSED
        assert await stage(service) is InstanceStage.VERIFIED
