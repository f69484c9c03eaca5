"""Watches on a real API server: what nobody moved is not asked about, and what moved is mended at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from distributor import metrics
from distributor.app import open_service
from distributor.metrics import cluster_requests
from distributor.services.asking.views import InstanceStage
from distributor.services.service import Service
from distributor.settings import load
from tests.integration.mainjob.conftest import Pushed, until, view
from tests.integration.mainjob.smallapps import one_cluster, web, write_app

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]

CENTRAL = "sit-central-1"
MERGE = "application/merge-patch+json"


@pytest.fixture
def fleet(tmp_path: Path, control_planes):
    """Make a sit of one API server and small apps, one installed by each name."""

    def make(*apps: str) -> Pushed:
        pushed = one_cluster(tmp_path / "play", control_planes, CENTRAL)
        work_tree = pushed.place.catalog
        for app in apps:
            write_app(work_tree, app, "1.0.0", *web())
        return pushed

    return make


@asynccontextmanager
async def serving(pushed: Pushed, *apps: str, resync: float) -> AsyncIterator[Service]:
    """A service that has carried the apps out, and goes on."""
    async with pushed.service() as service:
        for app in apps:
            seen = await pushed.promote(service, "sit", app, "1.0.0")
            assert seen.stage is InstanceStage.VERIFIED, seen
        running = asyncio.create_task(service.run(poll=60, resync=resync))
        try:
            yield service
        finally:
            await service.stop()
            await running


def unasked() -> float:
    """Looks at targets without a request so far."""
    return metrics.UNASKED._value.get()


async def quiet(looks: int = 6) -> None:
    """Wait until so many looks in a row needed no request."""

    async def still() -> bool:
        asked, before = cluster_requests(), unasked()
        async with asyncio.timeout(20):
            while unasked() < before + looks and cluster_requests() == asked:
                await asyncio.sleep(0.05)
        return cluster_requests() == asked

    await until("nothing is asked any more", still, 60)


def paths(app: str) -> tuple[str, str]:
    there = f"/api/v1/namespaces/{app}"
    return f"{there}/configmaps/web", f"{there}/services/web"


async def test_where_nothing_moved_nothing_is_asked_and_the_time_of_looking_goes_on(fleet):
    apps = ("watch-still-a", "watch-still-b")
    pushed = fleet(*apps)
    await pushed.found()
    async with serving(pushed, *apps, resync=0.3) as service:
        await quiet()
        before, asked = (await view(service, "sit", apps[0])).clusters[0], cluster_requests()
        count = unasked()
        await until("more looks", lambda: _async(unasked() > count + 8))
        assert cluster_requests() == asked
        after = (await view(service, "sit", apps[0])).clusters[0]
        assert after.observed_at > before.observed_at
        assert (after.health, after.in_step) == ("Current", True)

        # One moves: the other is still not asked about.
        settings, _ = paths(apps[1])
        await pushed.send(CENTRAL, "PATCH", settings, {"data": {"text": None}}, kind=MERGE)
        await until("healed", lambda: has_text(pushed, settings))
        await quiet()
        healed = [e for e in await service.world.store.events() if e.kind == "healed"]
        assert {e.instance for e in healed} == {apps[1]}


async def test_what_moves_is_mended_long_before_the_next_resync(fleet):
    app = "watch-prompt"
    pushed = fleet(app)
    await pushed.found()
    async with serving(pushed, app, resync=600) as service:
        settings, service_path = paths(app)
        await until("it is known", lambda: _async(service.rollouts.unmoved._known))
        await until("it is marked", lambda: marked(service), 30)
        await pushed.send(CENTRAL, "DELETE", service_path)
        await until("it is back", lambda: pushed.get(CENTRAL, service_path), 30)
        await pushed.send(CENTRAL, "PATCH", settings, {"data": {"text": None}}, kind=MERGE)
        await until("and this", lambda: has_text(pushed, settings), 60)


async def test_an_api_server_that_restarts_loses_no_drift(fleet):
    """The watch breaks, nothing is vouched for, and it goes on or begins again; either way drift is seen."""
    app = "watch-restart"
    pushed = fleet(app)
    await pushed.found()
    plane = pushed.planes[CENTRAL]
    settings, _ = paths(app)
    async with serving(pushed, app, resync=1.0) as service:
        await quiet()
        await asyncio.to_thread(plane.stop_apiserver)
        await until("it is told", lambda: unreachable(service, app), 60)
        await asyncio.to_thread(plane.start_apiserver)
        await pushed.send(CENTRAL, "PATCH", settings, {"data": {"text": None}}, kind=MERGE)
        await until("healed", lambda: has_text(pushed, settings), 90)
        await quiet(3)


async def test_a_restart_reads_one_list_a_kind_and_no_target(fleet):
    apps = ("watch-again-a", "watch-again-b", "watch-again-c")
    pushed = fleet(*apps)
    await pushed.found()
    async with serving(pushed, *apps, resync=0.5):
        await quiet()
    asked, before = cluster_requests(), unasked()
    async with pushed.service() as service:
        running = asyncio.create_task(service.run(poll=60, resync=600))
        try:
            await until("all are looked at", lambda: _async(unasked() >= before + 3), 30)
        finally:
            await service.stop()
            await running
    kinds, discovery = 4, 2  # Namespace, ConfigMap, Service, Deployment; /api and /apis
    inventories = 1
    assert cluster_requests() - asked == kinds + inventories + discovery


async def test_a_budget_of_requests_is_kept_and_everybody_has_a_turn(fleet):
    apps = ("watch-budget-a", "watch-budget-b", "watch-budget-c")
    pushed = fleet(*apps)
    await pushed.found()
    connections = {n: {"kubeconfig": str(p.kubeconfig)} for n, p in pushed.planes.items()}
    settings = replace(
        load({}, {}, pushed.place.root).settings,
        connections=connections,
        resync_requests=1,
        target_concurrency=1,
    )
    async with open_service(settings, writing=True) as service:
        for app in apps:
            seen = await pushed.promote(service, "sit", app, "1.0.0")
            assert seen.stage is InstanceStage.VERIFIED, seen
        for app in apps:
            data = {"data": {"text": None}}
            await pushed.send(CENTRAL, "PATCH", paths(app)[0], data, kind=MERGE)
        healed = []
        for _ in apps:
            assert await service.rollouts.resync() == 1
            assert metrics.RESYNC_LEFT._value.get() == 2
            assert 1 <= metrics.RESYNC_REQUESTS._value.get() < 20
            healed.append(sum([await has_text(pushed, paths(app)[0]) for app in apps]))
        assert healed[-1] == 3, "each has had its turn"


async def _async(value):
    return value


async def marked(service: Service) -> bool:
    known = service.rollouts.unmoved._known
    return bool(known) and all(k.mark and k.in_step for k in known.values())


async def has_text(pushed: Pushed, path: str) -> bool:
    return bool((await pushed.get(CENTRAL, path)).get("data"))


async def unreachable(service: Service, app: str) -> bool:
    rows = await service.world.store.targets("sit", app)
    return [r.actuation for r in rows] == ["unreachable"]
