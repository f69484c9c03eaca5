"""A revision that waits is pre-empted by a newer one at once, in a single `sync` too."""

from __future__ import annotations

import asyncio

import pytest

from distributor.model.ledger import Step
from distributor.model.tags import Verb
from distributor.services.asking.views import InstanceStage
from tests.integration.mainjob import test_edges
from tests.integration.mainjob.conftest import LONG, until, view
from tests.integration.mainjob.smallapps import FAILING, settings, web, write_app

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]
fleet = test_edges.fleet
CENTRAL = test_edges.CENTRAL
PATIENT = {**test_edges.ROLLOUT, "deadline": "30m"}


async def test_a_revision_that_waits_for_a_phase_makes_way(fleet):
    """The first never becomes current, so its later phase never begins; nobody waits out its deadline."""
    pushed = fleet(rollout=PATIENT)
    late = settings("late", number="1")
    late["metadata"]["annotations"] = {"distributor.dev/phase": "5"}
    write_app(pushed.place.catalog, "edge-making-way", "1.0.0", *web(FAILING), late)
    write_app(pushed.place.catalog, "edge-making-way", "1.0.1", *web(), late)
    await pushed.found()
    async with pushed.service() as service:
        await pushed.ask(service, Verb.PROMOTE, "sit", "edge-making-way", "1.0.0")
        syncing = asyncio.create_task(service.sync())
        await until("it waits", lambda: waits(service))
        first = service.book.state.instance("sit", "edge-making-way").desired
        assert not syncing.done()

        await pushed.ask(service, Verb.PROMOTE, "sit", "edge-making-way", "1.0.1")
        await asyncio.wait_for(syncing, LONG)
        seen = await view(service, "sit", "edge-making-way")
        assert (seen.version, seen.stage) == ("1.0.1", InstanceStage.VERIFIED), seen
        state = service.book.state.instance("sit", "edge-making-way")
        assert state.progress[first.sequence].end is Step.REPLACED
        path = "/api/v1/namespaces/edge-making-way/configmaps/late"
        assert await pushed.get(CENTRAL, path)


async def waits(service) -> bool:
    """Whether the blocker is named."""
    running = [r for r in service.rollouts.running() if r.instance == "edge-making-way"]
    return any("phase 5 waits for it" in t.message for r in running for t in r.targets.values())
