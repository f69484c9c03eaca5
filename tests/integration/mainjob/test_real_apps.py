"""Three public apps as they are: they render in every cell, and come up on real API servers."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from distributor import log
from distributor.placement import Placer, installations
from distributor.services.asking.views import InstanceStage, instance_views
from distributor.services.rendering.renderer import Subject
from tests import realapps
from tests.integration.mainjob.conftest import Pushed, new_pushed, until

pytestmark = pytest.mark.controlplane

PUSHED = {"sit-central-1": 0, "uat-edge-1": 1}
"""One cell with the mesh and one without the load generator and the shared store."""
WORKLOADS = ("deployments", "statefulsets", "daemonsets")
GATEWAYS = f"/apis/{realapps.GATEWAYS}/v1beta1"


@pytest.fixture
def source() -> Path:
    return realapps.real_apps()


@pytest.fixture
async def folders(tmp_path: Path, source: Path) -> Pushed:
    """The apps in a fleet of folders: one in every cell."""
    log.configure("error", "json")
    pushed = new_pushed(tmp_path / "play", {})
    realapps.write_catalog(pushed.place.catalog, source)
    await pushed.found()
    return pushed


@pytest.fixture
async def pushed(tmp_path: Path, source: Path, control_planes) -> Pushed:
    """The same fleet with a real API server in two of its cells."""
    log.configure("error", "json")
    planes = await asyncio.to_thread(control_planes, len(PUSHED), fresh=True)
    pushed = new_pushed(tmp_path / "play", {n: planes[i] for n, i in PUSHED.items()})
    realapps.write_catalog(pushed.place.catalog, source)
    for name in PUSHED:
        realapps.push(pushed.place.catalog, name)
        for definition in realapps.definitions():
            await pushed.send(
                name, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition
            )
    await pushed.found()
    return pushed


async def test_every_cell_renders_without_a_finding(folders):
    """Five environments by three tiers, and each layer changes what it is there to change."""
    async with folders.service() as service:
        snapshot = await service.look()
        assert snapshot.catalog.findings == ()
        cells = {}
        for environment, files in snapshot.catalog.environments.items():
            for installation in installations(snapshot.catalog, environment).values():
                app = installation.app
                package = snapshot.catalog.package(app, realapps.VERSIONS[app])
                placement = Placer(files).place(package, installation)
                assert not placement.left_out
                subject = Subject(
                    catalog=snapshot.catalog,
                    package=package,
                    installation=installation,
                    files=files,
                )
                clusters = {t.name: t.cluster for t in placement.targets}
                rendered = await service.renderer.render(subject, clusters)
                assert not rendered.failures
                for name, manifests in rendered.manifests.items():
                    cells[app, environment, clusters[name].tier] = manifests
        assert len(cells) == len(realapps.VERSIONS) * 15
        check_bookinfo(cells)
        check_boutique(cells)


def check_bookinfo(cells):
    """Which reviews are seen is the environment's choice: its file replaces the base's routing."""
    seen = {}
    for environment in realapps.ENVIRONMENTS:
        reviews = body(cells["bookinfo", environment, "slim"], "VirtualService", "reviews")
        routes = reviews["spec"]["http"][0]["route"]
        seen[environment] = [(r["destination"]["subset"], r.get("weight")) for r in routes]
    assert seen["sit"] == seen["pre"] == [("v1", None)]
    assert seen["uat"] == [("v1", 80), ("v2", 20)]
    assert seen["prd"] == seen["dr"] == [("v3", None)]


def check_boutique(cells):
    """The shop's own components, used as layers, do what their makers meant."""
    for environment in realapps.ENVIRONMENTS:
        for tier in realapps.TIERS:
            manifests = cells["online-boutique", environment, tier]
            names = {(m.ref.kind, m.ref.name) for m in manifests}
            assert (("HTTPRoute", "frontend-route") in names) is (tier == "central")
            assert (("Service", "frontend-external") in names) is (tier == "slim")
            assert (("Deployment", "loadgenerator") in names) is (tier == "central")
            assert (("Deployment", "redis-cart") in names) is (tier != "edge")
            assert (("NetworkPolicy", "deny-all") in names) is (environment in {"prd", "dr"})
            assert (("Deployment", "opentelemetrycollector") in names) is (environment == "pre")
            variables = env_of(body(manifests, "Deployment", "frontend"))
            assert ("BASE_URL" in variables) is (environment == "sit")
            assert ("ENABLE_SINGLE_SHARED_SESSION" in variables) is (environment == "uat")


async def test_the_apps_walk_the_whole_pipeline(folders):
    """Every environment takes all three, signed where it asks, and every folder holds them."""
    async with folders.service() as service:
        for environment in realapps.ENVIRONMENTS:
            for app, version in realapps.VERSIONS.items():
                seen = await folders.promote(service, environment, app, version)
                assert (seen.version, seen.stage) == (version, InstanceStage.VERIFIED), seen
                assert (seen.targets, seen.in_step) == (3, 3), seen
    for folder in folders.place.cluster_folders():
        files = sorted(f.name for f in folder.rglob("*.yaml"))
        assert files == [f"dst-{app}.yaml" for app in sorted(realapps.VERSIONS)], folder


async def test_the_apps_become_ready_on_real_api_servers(pushed):
    """Ready means the workloads; what only a mesh would report is reported in its stead."""
    mesh = [asyncio.create_task(play_the_mesh(pushed, name)) for name in PUSHED]
    async with pushed.service() as service:
        for cluster in PUSHED:
            for app, version in realapps.VERSIONS.items():
                environment = cluster.partition("-")[0]
                seen = await pushed.promote(service, environment, app, version)
                assert (seen.version, seen.stage) == (version, InstanceStage.VERIFIED), seen
                target = next(c for c in seen.clusters if c.cluster == cluster)
                assert (target.in_step, target.health) == (True, "Current"), target
                await check_workloads(pushed, cluster, app)
        await until("the autoscalers took the replicas over", lambda: autoscaled(pushed))
        before = {name: await written(pushed, name) for name in PUSHED}
        await asyncio.wait_for(service.sync(), 60)
        assert {name: await written(pushed, name) for name in PUSHED} == before
        for seen in await instance_views(service):
            assert seen.in_step == seen.targets, seen
    for task in mesh:
        task.cancel()
    await asyncio.gather(*mesh, return_exceptions=True)


async def check_workloads(pushed, cluster, app):
    count = 0
    for kind in WORKLOADS:
        found = await pushed.get(cluster, f"/apis/apps/v1/namespaces/{app}/{kind}")
        for item in found["items"]:
            wanted = item["spec"]["replicas"]
            assert item["status"].get("readyReplicas", 0) == wanted > 0, item["metadata"]["name"]
            count += 1
    assert count >= {"bookinfo": 6, "online-boutique": 10, "podinfo": 1}[app]


async def autoscaled(pushed) -> bool:
    """Whether podinfo's own autoscaler has set its lowest number, in every cluster."""
    path = "/apis/apps/v1/namespaces/podinfo/deployments/podinfo"
    found = [await pushed.get(name, path) for name in pushed.planes]
    return all(f["spec"]["replicas"] == 2 == f["status"].get("readyReplicas", 0) for f in found)


async def written(pushed, cluster) -> dict[str, tuple[str, int]]:
    """The generation of every workload: it moves when its spec is written."""
    found = {}
    for app in realapps.VERSIONS:
        for kind in WORKLOADS:
            answer = await pushed.get(cluster, f"/apis/apps/v1/namespaces/{app}/{kind}")
            for item in answer["items"]:
                metadata = item["metadata"]
                found[f"{app}/{metadata['name']}"] = metadata["uid"], metadata["generation"]
    return found


async def play_the_mesh(pushed, cluster) -> None:
    """Report a status on gateways and routes, as the controller of a mesh does."""
    conditions = [
        {
            "type": kind,
            "status": "True",
            "reason": kind,
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for kind in ("Accepted", "Programmed", "ResolvedRefs")
    ]
    accepted, programmed, resolved = conditions
    parent = {"controllerName": "tests/mesh", "conditions": [accepted, resolved]}
    statuses = {
        "gateways": {"conditions": [accepted, programmed]},
        "httproutes": {"parents": [parent]},
    }
    while True:
        with contextlib.suppress(OSError):
            for kind, status in statuses.items():
                found = await pushed.get(cluster, f"{GATEWAYS}/{kind}")
                for item in found.get("items", ()):
                    if "status" not in item:
                        metadata = item["metadata"]
                        path = f"{GATEWAYS}/namespaces/{metadata['namespace']}/{kind}"
                        await pushed.send(
                            cluster,
                            "PATCH",
                            f"{path}/{metadata['name']}/status",
                            {"status": status},
                            kind="application/merge-patch+json",
                        )
        await asyncio.sleep(0.3)


def body(manifests, kind: str, name: str) -> dict:
    return next(m.data() for m in manifests if (m.ref.kind, m.ref.name) == (kind, name))


def env_of(deployment) -> set[str]:
    return {e["name"] for e in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
