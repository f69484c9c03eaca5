"""A service that died with a claim: another one waits for its end, then goes on; asked to stop, it stops."""

from __future__ import annotations

import asyncio

import pytest

from distributor.model.tags import Verb
from distributor.services.asking.views import InstanceStage, instance_views


async def die_with_a_claim(play, seconds: float) -> None:
    """Accept and claim, and do nothing of what was claimed."""
    async with play.service(claim_seconds=seconds) as gone:
        await play.ask(gone, Verb.PROMOTE, "sit", "shop", "1.4.1")
        assert await gone.decider.decide_all(await gone.look()) == 1


@pytest.fixture
def elsewhere(play) -> str:
    """The state folder of a service that has nothing of the other's."""
    return str(play.place.root / "elsewhere")


async def test_another_takes_over_when_the_claim_has_expired(play, elsewhere):
    """Longer than one look at the claim takes: it is looked at again and again."""
    await die_with_a_claim(play, 9)
    async with play.service(state_dir=elsewhere) as service:
        await asyncio.wait_for(service.sync(), 45)
        (view,) = await instance_views(service, "sit", "shop")
        assert view.stage is InstanceStage.VERIFIED
        assert service.book.state.instance("sit", "shop").claim.number == 2
    assert play.folder("sit", "sit-central-1")


async def test_asked_to_stop_while_it_waits_it_begins_nothing(play, elsewhere):
    await die_with_a_claim(play, 600)
    async with play.service(state_dir=elsewhere) as service:
        running = asyncio.create_task(service.run(poll=0.1, resync=60))
        for _ in range(200):
            await asyncio.sleep(0.05)
            if service.rollouts.running():
                break
        assert service.rollouts.running(), "it waits for the claim"
        head = service.book.state.head
        await asyncio.wait_for(service.stop(), 60)
        service.hint()
        await asyncio.wait_for(running, 60)
        assert service.rollouts.running() == ()
        await service.rollouts.follow(service.book.state)
        assert service.rollouts.running() == (), "nothing is begun after the end"
        assert service.book.state.head == head
    assert not play.folder("sit", "sit-central-1")
