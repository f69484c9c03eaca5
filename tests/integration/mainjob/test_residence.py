"""On a real API server: a verified app that fails is recorded as degraded, and as recovered after that."""

from __future__ import annotations

import asyncio

import pytest

from distributor.ledger import soak
from distributor.model.tags import Verb
from distributor.services.asking.telling import history
from distributor.services.asking.views import InstanceStage
from tests.integration.mainjob.conftest import until, view
from tests.integration.mainjob.smallapps import one_cluster, web, write_app

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]

CENTRAL = "sit-central-1"
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
COUNTS = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
ROLLED_OUT = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
AVAILABLE = {"type": "Available", "status": "True"}
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


async def status(fleet, generation: int, *conditions):
    """Write the Deployment's status, as its controller would."""
    said = {"observedGeneration": generation, **COUNTS, "conditions": [AVAILABLE, *conditions]}
    kind = "application/merge-patch+json"
    await fleet.send(CENTRAL, "PATCH", f"{WEB}/status", {"status": said}, kind=kind)


async def test_a_failure_and_its_end_are_in_the_ledger_and_not_in_the_soak(
    tmp_path, control_planes
):
    fleet = one_cluster(
        tmp_path / "play", lambda count: control_planes(count, controllers=False), CENTRAL
    )
    write_app(fleet.place.catalog, "shop", "1.0.0", *web())
    await fleet.found()

    async def made():
        return await fleet.get(CENTRAL, WEB)

    async with fleet.service() as service:
        await fleet.ask(service, Verb.PROMOTE, "sit", "shop", "1.0.0")
        syncing = asyncio.create_task(service.sync())
        generation = (await until("the Deployment is there", made))["metadata"]["generation"]
        await status(fleet, generation, ROLLED_OUT)
        await syncing
        assert (await view(service, "sit", "shop")).stage is InstanceStage.VERIFIED
        digest = service.book.state.instance("sit", "shop").desired.revision.digest
        await status(fleet, generation, LATE)
        for _ in range(2):
            await service.rollouts.resync()
        assert soak(service.book.state, "sit", "shop", digest).degraded
    async with fleet.service() as service:
        await service.look()
        await status(fleet, generation, ROLLED_OUT)
        for _ in range(2):
            await service.rollouts.resync()
        told = [t.kind for t in history(service, "sit", "shop")]
        assert told[-3:] == ["verified", "degraded", "recovered"]
        found = soak(service.book.state, "sit", "shop", digest)
        progress = service.book.state.instance("sit", "shop").progress[1]
        ((since, until_),) = progress.degraded
        assert not found.degraded
        assert found.since == progress.verified_at + (until_ - since)
