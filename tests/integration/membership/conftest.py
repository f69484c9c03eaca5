"""Instances on one real API server with its controllers, reconciled without a catalog around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from distributor.adapters.kube import KubeConnections
from distributor.model.changes import Actuation, Inventory, TargetReport
from distributor.model.health import HealthStatus
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.tags import Verb
from distributor.render.applyset import PART_OF, applyset_id
from distributor.services.targets.reconciling import reconcile_target
from distributor.services.targets.work import Work
from distributor.services.world import World
from distributor.testing.clock import FakeClock
from tests.integration.ownership.conftest import CLUSTER, AnyLedger, Site, named

LONG = 60.0
INVENTORIES = "/api/v1/namespaces/distributor-system/secrets"


@dataclass
class Instance(Site):
    """An instance whose namespace is there already; nobody agreed to anything."""

    def work(self, *objects: Mapping[str, Any], **how: Any) -> Work:
        made = super().work(agreed=frozenset(how.pop("agreed", ())), **how)
        return replace(made, desired=ManifestSet.of(self._owned(body) for body in objects))

    def _owned(self, body: Mapping[str, Any]) -> Manifest:
        given = body["metadata"]
        labels = {**given.get("labels", {}), PART_OF: applyset_id(self.namespace)}
        metadata = {"namespace": self.namespace, **given, "labels": labels}
        return Manifest.of({**body, "metadata": metadata})

    async def remove(self, *agreed: Verb, **how: Any) -> TargetReport:
        """Take everything away, as far as it goes by itself."""
        self.sequence += 1
        work = replace(self.work(agreed=agreed, **how), removing=True)
        return await reconcile_target(self.world, work)

    async def settle(self, *objects: Mapping[str, Any], **how: Any) -> TargetReport:
        """A new revision, looked at again until nothing is under way."""
        report = await self.sync(*objects, **how)
        async with asyncio.timeout(LONG):
            while report.actuation is Actuation.APPLYING or _moves(report):
                await asyncio.sleep(0.2)
                report = await self.resync(*objects, **how)
        return report

    async def inventory(self) -> Inventory | None:
        connection = await self.world.connections.open(CLUSTER)
        return await connection.read_inventory("sit", self.namespace)

    async def root(self, method: str, path: str, body: object = None, **how: str) -> dict[str, Any]:
        """Do something by hand, anywhere in the cluster."""
        return await asyncio.to_thread(self.plane.client.send, method, path, body, **how)

    async def parent(self) -> dict[str, Any]:
        return await asyncio.to_thread(self.plane.client.get, f"{INVENTORIES}/dst-{self.namespace}")


def _moves(report: TargetReport) -> bool:
    applied = report.actuation is Actuation.APPLIED
    return applied and any(h.status is HealthStatus.IN_PROGRESS for h in report.health)


def settings(name: str, **data: str) -> dict[str, Any]:
    return named("v1", "ConfigMap", name, data=data)


def codes(report: TargetReport) -> list[str]:
    return sorted(finding.code for finding in report.findings)


@pytest.fixture
async def instances(control_planes) -> AsyncIterator[tuple[Instance, Instance]]:
    """Two instances on one cluster."""
    (plane,) = control_planes(1)
    connections = KubeConnections({"c1": {"kubeconfig": str(plane.kubeconfig)}})
    parts: dict[str, Any] = dict.fromkeys(f.name for f in fields(World))
    parts["objects"] = AnyLedger()
    parts["connections"] = connections
    parts["clock"] = FakeClock(datetime.now(UTC))
    world = World(**parts)
    yield tuple(
        Instance(plane=plane, world=world, namespace=plane.new_namespace()) for _ in range(2)
    )
    await connections.aclose()


@pytest.fixture
def instance(instances) -> Instance:
    return instances[0]
