"""An autoscaler that is there keeps its number of replicas; one that has gone leaves it to the package again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from distributor.model.changes import Actuation
from tests.integration.admission.conftest import until
from tests.integration.mainjob.smallapps import autoscaler
from tests.integration.ownership.conftest import deployment

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]
WEB = "apps/v1 deployments/web"
HPAS = "autoscaling/v2 horizontalpodautoscalers"


def web(**spec: Any) -> dict[str, Any]:
    return deployment(image="registry.example/web:1", **spec)


async def replicas(instance) -> int:
    return (await instance.get(WEB))["spec"]["replicas"]


async def applied(instance, *objects):
    """A new revision, until what it has no more is gone: that waits for what it has."""
    report = await instance.sync(*objects)
    while report.actuation is Actuation.APPLYING:
        await asyncio.sleep(0.2)
        report = await instance.resync(*objects)
    return report


async def scaled_to(instance, number: int) -> None:
    async def so() -> bool:
        return await replicas(instance) == number

    await until(f"the autoscaler asks for {number}", so)


async def test_its_number_stays_while_it_is_there_and_goes_back_when_it_leaves_the_package(
    instance,
):
    both = (web(replicas=2), autoscaler("web", lowest=4))
    await instance.sync(*both)
    await scaled_to(instance, 4)
    assert (await instance.plan(*both)).empty
    assert (await instance.resync(*both)).outcomes == ()

    report = await applied(instance, both[0])
    assert report.actuation is Actuation.APPLIED, report
    assert await instance.get(f"{HPAS}/web") == {}
    planned = await instance.plan(both[0])
    assert [c.reason for c in planned.changes if c.reason] == [
        "drift: spec.replicas (held by kube-controller-manager)"
    ]
    report = await instance.resync(both[0])
    (line,) = report.drift
    assert line == (
        f"apps/Deployment/{instance.namespace}/web: drift: spec.replicas (held by kube-controller-manager)"
    )
    assert await replicas(instance) == 2
    assert (await instance.plan(both[0])).empty


async def test_a_new_version_sets_its_own_number_once_the_autoscaler_has_gone(instance):
    await instance.sync(web(replicas=2), autoscaler("web", lowest=4))
    await scaled_to(instance, 4)
    await instance.send("DELETE", f"{HPAS}/web", None)
    report = await instance.sync(web(replicas=3, minReadySeconds=1))
    assert report.actuation is Actuation.APPLIED, report.findings
    assert await replicas(instance) == 3


async def test_an_autoscaler_of_somebody_else_counts_as_well(instance):
    await instance.sync(web(replicas=2))
    await instance.send("POST", HPAS, autoscaler("web", lowest=5))
    await scaled_to(instance, 5)
    assert (await instance.plan(web(replicas=2))).empty
    newer = web(replicas=2, minReadySeconds=1)
    report = await instance.sync(newer)
    assert report.actuation is Actuation.APPLIED, report.findings
    assert await replicas(instance) == 5
    await instance.send("DELETE", f"{HPAS}/web", None)
    await instance.resync(newer)
    assert await replicas(instance) == 2


async def test_where_the_package_sets_no_number_the_last_one_stays(instance):
    await instance.sync(web(), autoscaler("web", lowest=4))
    await scaled_to(instance, 4)
    await applied(instance, web())
    assert await instance.get(f"{HPAS}/web") == {}
    assert (await instance.plan(web())).empty
    await instance.sync(web(minReadySeconds=1))
    assert await replicas(instance) == 4
