"""Clocks that are hours apart: nothing is decided by the difference of two machines' clocks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from distributor.adapters.kube import KubeConnections
from distributor.model.changes import Actuation, TargetReport
from distributor.model.health import HealthStatus
from distributor.model.hooks import DeclaredHook, Moment
from distributor.model.refs import ObjectRef
from distributor.services.targets.reconciling import reconcile_target
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import named
from tests.integration.weather.conftest import LONG, world_of

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]
HOURS = [pytest.param(timedelta(hours=h), id=f"{h:+}h") for h in (-5, 5)]


@pytest.fixture
async def skewed(control_planes):
    """Instances on a server with controllers, looked after by services with other clocks."""
    (plane,) = control_planes(1)
    connections = KubeConnections({"c1": {"kubeconfig": str(plane.kubeconfig)}})

    def make(skew: timedelta) -> Instance:
        world = world_of(connections, datetime.now(UTC) + skew)
        return Instance(plane=plane, world=world, namespace=plane.new_namespace("skew"))

    yield make
    await connections.aclose()


@pytest.mark.parametrize("skew", HOURS)
async def test_a_pod_has_its_time_to_be_scheduled(skewed, skew: timedelta):
    """By a clock that is ahead it would seem to have waited for hours, and to have failed."""
    instance = skewed(skew)
    spec = {"containers": [{"name": "a", "image": "a:1"}], "nodeSelector": {"no": "such"}}
    pod = named("v1", "Pod", "waits", spec=spec)
    report = await instance.sync(pod)
    born = datetime.now(UTC)
    while datetime.now(UTC) - born < timedelta(seconds=8):
        assert status(report) is HealthStatus.IN_PROGRESS, report.health
        report = await instance.resync(pod)
    report = await looked(lambda: instance.resync(pod), lambda r: status(r) is HealthStatus.FAILED)
    assert datetime.now(UTC) - born >= timedelta(seconds=13)
    assert report.health[0].observed_at == instance.world.clock.now() == report.observed_at


@pytest.mark.parametrize("skew", HOURS)
async def test_a_status_of_the_time_before_counts_for_nothing_yet(skewed, skew: timedelta):
    """A custom resource that tells no generation: right after a change, its status is the old one."""
    instance = skewed(skew)
    group = f"{instance.namespace}.example"
    await defined(instance, group)
    first = named(f"{group}/v1", "Thing", "one", spec={"size": 1})
    await instance.sync(first)
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await instance.send(
        "PATCH", f"{group}/v1 things/one/status", ready, kind="application/merge-patch+json"
    )
    second = {**first, "spec": {"size": 2}}
    report = await instance.sync(second)
    assert status(report) is HealthStatus.IN_PROGRESS, report.health
    await looked(lambda: instance.resync(second), lambda r: status(r) is HealthStatus.CURRENT)


@pytest.mark.parametrize("skew", HOURS)
async def test_a_hook_has_its_time(skewed, skew: timedelta):
    """Ten minutes, of which a clock that is ahead would leave nothing."""
    instance = skewed(skew)
    pod = {"containers": [{"name": "a", "image": "a:1"}], "restartPolicy": "Never"}
    job = named(
        "batch/v1", "Job", "before", spec={"suspend": True, "template": {"spec": pod}}
    )  # suspended: it is at work until somebody says otherwise
    ref = ObjectRef("batch", "Job", instance.namespace, "before")
    hook = DeclaredHook(ref=ref, moment=Moment.PRE, timeout=600.0)

    async def look() -> TargetReport:
        work = replace(instance.work(job, settings("a")), hooks=(hook,))
        return await reconcile_target(instance.world, work)

    instance.sequence += 1
    for _ in range(3):
        report = await look()
        assert (report.actuation, codes(report)) == (Actuation.APPLYING, [])
    await instance.send(
        "PATCH", "batch/v1 jobs/before", {"spec": {"suspend": False}},
        kind="application/merge-patch+json",
    )  # fmt: skip
    report = await looked(look, lambda r: r.actuation is Actuation.APPLIED)
    assert codes(report) == []
    assert await instance.get("v1 configmaps/a")


def status(report: TargetReport) -> HealthStatus:
    assert report.actuation is Actuation.APPLIED, report
    return report.health[0].status


async def looked(
    look: Callable[[], Awaitable[TargetReport]], good: Callable[[TargetReport], bool]
) -> TargetReport:
    async with asyncio.timeout(LONG):
        while not good(report := await look()):
            await asyncio.sleep(0.3)
    return report


async def defined(instance: Instance, group: str) -> None:
    """A kind with a status of its own, which says nothing of generations."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: dict[str, Any] = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }  # fmt: skip
    names = {"kind": "Thing", "plural": "things"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    made = named(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{group}", spec=spec
    )
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await instance.root("POST", path, made)
    await looked_for(instance, f"{group}/v1 things")


async def looked_for(instance: Instance, path: str) -> None:
    async with asyncio.timeout(LONG):
        while not await instance.get(path):
            await asyncio.sleep(0.1)
