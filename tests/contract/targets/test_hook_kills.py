"""A change with hooks that ends at any request, whether the server did it or not, runs none of them twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from distributor.adapters.kube import KubeSettings, KubeTarget, Limits
from distributor.adapters.kube.target import KubeCluster
from distributor.model.changes import Actuation, TargetReport
from distributor.model.fleet import Cluster, Mode
from distributor.model.health import HealthStatus
from distributor.model.hooks import HookResult
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import ObjectId
from distributor.render.applyset import applyset_id
from distributor.services.targets.reconciling import reconcile_target
from distributor.services.targets.work import Work
from distributor.services.world import World
from distributor.testing.clock import FakeClock
from tests.contract.targets.fake_api import FakeApi, kubeconfig, serve, status
from tests.contract.targets.objects import (
    CLUSTER,
    ENVIRONMENT,
    INSTANCE,
    NAMESPACE,
    config_map,
    namespace,
    owned,
)

TARGET = Cluster(name=CLUSTER, environment=ENVIRONMENT, tier="edge", mode=Mode.PUSH, connection="x")
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/"
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}


def job(name: str, hook: str, policy: str = "before-hook-creation") -> Manifest:
    notes = {"helm.sh/hook": hook, "helm.sh/hook-delete-policy": policy}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": owned(), "annotations": notes}
    return Manifest.of({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata})


OBJECTS = ManifestSet.of(
    (
        namespace(),
        config_map("a"),
        job("migrate", "pre-install,pre-upgrade"),
        job("check", "post-upgrade", "before-hook-creation,hook-succeeded"),
    )
)
MADE = ["migrate", "migrate", "check"]
"""One run at the install, two at the upgrade."""


class AnyLedger:
    def is_ancestor(self, _ancestor: ObjectId, _descendant: ObjectId) -> bool:
        return True


class Controller:
    """Ends every Job well as soon as it is there, and keeps count; ends one request as it is told."""

    def __init__(self, api: FakeApi, at: int, *, done: bool) -> None:
        self.api, self.left, self.done = api, at, done
        self.made: dict[str, str] = {}  # names by uid
        api.kinds["batch"] = [("Job", "jobs", "Namespaced")]
        api.fault = self.fault

    def look(self) -> None:
        for path, found in self.api.objects.items():
            if path.startswith(JOBS):
                self.made.setdefault(found["metadata"]["uid"], found["metadata"]["name"])
                found["status"] = COMPLETE

    async def fault(self, request: web.Request) -> web.StreamResponse | None:
        self.look()
        self.left -= 1
        if self.left != 0:
            return None
        if self.done:
            await self.api._answer(request)
        return status(500, "Killed")


class One:
    """Connections to one target."""

    def __init__(self, target: KubeTarget) -> None:
        self.target = target

    async def open(self, _cluster: Cluster, _account: str = "") -> KubeTarget:
        return self.target


@asynccontextmanager
async def target_of(api: FakeApi, folder: Path) -> AsyncIterator[World]:
    async with serve(api) as url:
        settings = KubeSettings(kubeconfig=kubeconfig(folder / "config", url))
        cluster = KubeCluster.of(settings, Limits())
        parts: dict[str, Any] = dict.fromkeys(f.name for f in fields(World))
        parts["objects"] = AnyLedger()
        parts["connections"] = One(KubeTarget(CLUSTER, cluster))
        parts["clock"] = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
        try:
            yield World(**parts)
        finally:
            await cluster.transport.aclose()


async def settle(world: World, change: str, sequence: int) -> TargetReport:
    work = Work(
        environment=ENVIRONMENT, instance=INSTANCE, cluster=TARGET, sequence=sequence,
        ledger_commit=ObjectId("a" * 40), revision=f"shop {change}", change=change,
        desired=OBJECTS, owner=applyset_id(INSTANCE),
    )  # fmt: skip
    for _ in range(12):
        report = await reconcile_target(world, work)
        seen = all(h.status is HealthStatus.CURRENT for h in report.health)
        if report.actuation is Actuation.APPLIED and seen:
            break
    return report


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_ended_at_any_request(tmp_path: Path, *, done: bool) -> None:
    for at in range(1, 200):
        api = FakeApi()
        controller = Controller(api, at, done=done)
        async with target_of(api, tmp_path) as world:
            for sequence, change in enumerate(("one", "two"), 1):
                report = await settle(world, change, sequence)
                assert report.actuation is Actuation.APPLIED, (at, report.findings)
            api.fault = None
            target = await world.connections.open(TARGET)
            kept = await target.read_inventory(ENVIRONMENT, INSTANCE)
        controller.look()
        assert list(controller.made.values()) == MADE, at
        assert [p.removeprefix(JOBS) for p in api.objects if p.startswith(JOBS)] == ["migrate"]
        assert kept is not None
        assert {run.result for run in kept.hooks.runs.values()} == {HookResult.SUCCEEDED}
        assert {ref.kind for ref in kept.entries} == {"ConfigMap", "Namespace"}
        if controller.left > 0:
            assert at > 40
            return
    pytest.fail("it never finished")
