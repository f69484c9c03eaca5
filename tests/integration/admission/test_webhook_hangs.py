"""A webhook that never answers holds up its own objects, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from distributor.model.changes import Actuation
from tests.integration.admission.conftest import Hook, outcomes, told, written
from tests.integration.membership.conftest import settings
from tests.integration.ownership.conftest import deployment

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]

MANY, ENOUGH = 12, 8


@pytest.fixture
async def hanging(admission):
    """A webhook for Deployments that answers when the test is over."""
    over = asyncio.Event()

    async def wait() -> None:
        await over.wait()

    yield await admission.hook(lambda _: wait(), "deployments", timeoutSeconds=30)
    over.set()


async def test_the_longest_wait_that_a_webhook_may_ask_for_is_not_a_cluster_out_of_reach(
    instance, hanging
):
    report = await instance.sync(settings("web", a="1"), deployment(replicas=0))
    assert report.actuation is Actuation.FAILED, report
    assert written(report) == ["ConfigMap/web"]
    assert "webhook" in told(report, "Deployment/web")
    assert outcomes(report)["Deployment/web"].retryable


async def test_another_instance_of_the_cluster_does_not_wait_for_it(instances, hanging):
    first, second = instances
    held = asyncio.create_task(
        first.sync(*(deployment(name=f"web-{n}", replicas=0) for n in range(MANY)))
    )
    try:
        async with asyncio.timeout(60):
            while _asked(hanging) < ENOUGH:
                await asyncio.sleep(0.1)
            before = _asked(hanging)
            report = await second.sync(settings("web", a="1"))
        assert report.actuation is Actuation.APPLIED, report
        assert _asked(hanging) == before, "it waited until the webhook's time was over"
    finally:
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)


def _asked(hook: Hook) -> int:
    return sum(call.startswith("Deployment/") for call in hook.calls)
