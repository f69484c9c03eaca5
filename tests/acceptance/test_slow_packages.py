"""A package that renders for as long as it may: whatever else is asked for is decided and carried out meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from distributor.errors.render import EngineProtocol, RenderTimeout
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.views import InstanceStage, instance_views
from tests.acceptance.forging import codes, verdict_on
from tests.acceptance.test_newcomers import add_cluster

SLOW = "website"


@contextmanager
def stuck(service, app: str) -> Iterator[asyncio.Event]:
    """Every render of an app hangs until the gate is opened, and then ran out of time."""
    engine, gate = service.world.engine, asyncio.Event()
    render = engine.render

    async def held(job):
        if job.package == app:
            await gate.wait()
            raise RenderTimeout
        return await render(job)

    engine.render = held
    try:
        yield gate
    finally:
        engine.render = render


@pytest.fixture
async def running(play):
    """A service that runs, and the task that runs it."""
    async with play.service() as service:
        await service.look()
        task = asyncio.create_task(service.run(poll=0.2, resync=600))
        yield service
        await service.stop()
        await asyncio.wait_for(task, 60)


async def until(what: str, condition) -> None:
    try:
        async with asyncio.timeout(40):
            while not await condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"not within 40 s: {what}")


async def stage(service, instance: str):
    views = await instance_views(service, "sit", instance)
    return views[0].stage if views else None


async def test_others_are_verified_while_it_renders(play, running):
    with stuck(running, SLOW) as gate:
        first = await play.ask(running, Verb.PROMOTE, "sit", SLOW, "1.0.0")
        for app, version in (("shop", "1.4.1"), ("iot-gateway", "2.0.0")):
            await play.ask(running, Verb.PROMOTE, "sit", app, version)
        running.hint()

        async def verified() -> bool:
            apps = ("shop", "iot-gateway")
            return all([await stage(running, a) is InstanceStage.VERIFIED for a in apps])

        await until("the others are verified", verified)
        assert verdict_or_none(running, first.ref) is None, "it still renders"
        gate.set()

        async def refused() -> bool:
            return verdict_or_none(running, first.ref) is not None

        await until("it is refused when its time is over", refused)
        verdict = verdict_on(running, first.ref)
        assert verdict.outcome is VerdictOutcome.REFUSED
        assert "DST309" in codes(verdict), verdict.reasons()


async def test_a_later_promotion_of_the_same_instance_comes_after_it_and_a_hold_does_not(play):
    async with play.service() as service:
        await service.look()
        with stuck(service, "shop") as gate:
            first = await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.1")
            second = await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.2")
            await service.once()
            await service.once()
            assert verdict_or_none(service, first.ref) is None
            assert verdict_or_none(service, second.ref) is None
            held = await play.ask(service, Verb.HOLD, "sit", "shop")
            await service.once()
            assert verdict_on(service, held.ref).accepted
            gate.set()
            await service.sync()
        assert not verdict_on(service, first.ref).accepted
        assert not verdict_on(service, second.ref).accepted


async def test_a_newcomer_that_renders_for_long_holds_up_no_decision(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
    async with play.service() as service:  # whose memory holds no render
        add_cluster(play, "nu", kubernetes="1.32")
        play.place.commit("A cluster of another Kubernetes version", service.now())
        await service.look()
        with stuck(service, "shop") as gate:
            other = await play.ask(service, Verb.PROMOTE, "sit", SLOW, "1.0.0")
            await asyncio.wait_for(service.once(), 20)
            assert verdict_on(service, other.ref).accepted
            assert service.joiner.busy
            gate.set()
            await service.sync()
        (view,) = await instance_views(service, "sit", "shop")
        assert [text.partition(" ")[0] for text in view.waiting] == ["nu"]


@pytest.mark.parametrize(
    ("error", "minutes"), [(EngineProtocol("it ended in between"), 0), (RenderTimeout(), 2)]
)
async def test_a_newcomer_is_tried_again_when_its_failure_may_have_passed(play, error, minutes):
    """Nothing moves in between, neither main nor the ledger."""
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
    async with play.service() as service:
        add_cluster(play, "nu", kubernetes="1.32")
        play.place.commit("A cluster of another Kubernetes version", service.now())
        engine, clock, tried = service.world.engine, service.world.clock, 0
        render, now = engine.render, clock.now

        async def fails_once(job):
            nonlocal tried
            tried += 1
            if tried == 1:
                raise error
            return await render(job)

        engine.render = fails_once
        await service.sync()
        (view,) = await instance_views(service, "sit", "shop")
        assert [text.partition(" ")[0] for text in view.waiting] == ["nu"]
        await service.once()
        assert (tried == 1) is bool(minutes), "what took all its time is not tried at once"
        clock.now = lambda: now() + timedelta(minutes=minutes)
        await service.sync()
        clock.now = now
        (view,) = await instance_views(service, "sit", "shop")
        assert not view.waiting
        assert "nu" in {target.cluster for target in view.clusters}


def verdict_or_none(service, name: str):
    """The last recorded verdict on a tag; ``None`` before the first."""
    _, environment, instance = name.split("/")[:3]
    state = service.book.state.instance(environment, instance.partition("_")[0])
    return state.last_verdicts.get(name)
