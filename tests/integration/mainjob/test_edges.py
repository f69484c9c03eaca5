"""The edges of the main job against real API servers: what fails, goes away, comes back, or stands side by side."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from distributor import log
from distributor.model.ledger import Step
from distributor.model.rollout import RolloutPhase, TargetStage
from distributor.model.tags import Verb
from distributor.services.asking.telling import why
from distributor.services.asking.views import InstanceStage
from tests import realapps
from tests.integration.mainjob.conftest import Pushed, edit, new_pushed, until, view
from tests.integration.mainjob.smallapps import (
    FAILING,
    autoscaler,
    namespace,
    settings,
    web,
    write_app,
    write_installation,
)

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]

CENTRAL, SLIM = "sit-central-1", "sit-slim-1"
ROLLOUT = {"maxFailures": 0, "minReady": "0s", "deadline": "1m"}
QUOTAS = "/apis/quotas.distributor.example/v1alpha1/quotaprofiles"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/quotaprofiles.quotas.distributor.example"


@pytest.fixture
def fleet(tmp_path: Path, control_planes):
    """Make a sit of one or two API servers and nothing else; its apps are the test's own."""

    def make(count: int = 1, *, keep: str = "", **environment) -> Pushed:
        log.configure("error", "json")
        names = (CENTRAL, SLIM)[:count]
        planes = dict(zip(names, control_planes(count), strict=True))
        pushed = new_pushed(tmp_path / "play", planes)
        work_tree = pushed.place.catalog
        for app in (work_tree / "catalog").iterdir():
            if app.is_dir() and app.name != keep:
                shutil.rmtree(app)
        for file in work_tree.glob("environments/*/apps/*.yaml"):
            file.unlink()
        for file in work_tree.glob("environments/sit/clusters/*.yaml"):
            if file.stem not in names:
                file.unlink()
        for name in names:
            realapps.push(work_tree, name)
        sit = work_tree / "environments" / "sit" / "environment.yaml"
        edit(sit, **{"rollout": ROLLOUT, **environment})
        return pushed

    return make


def deployments(name: str) -> str:
    return f"/apis/apps/v1/namespaces/{name}/deployments/web"


async def test_a_definition_and_its_object_come_in_one_package(fleet):
    """The object waits for its kind to be served; the definition goes last, with the removal alone."""
    pushed = fleet(keep="quota-profiles")
    await pushed.found()
    async with pushed.service() as service:
        seen = await pushed.promote(service, "sit", "quota-profiles", "1.0.0")
        assert (seen.stage, seen.health) == (InstanceStage.VERIFIED, "Current"), seen
        found = await pushed.get(CENTRAL, QUOTAS)
        uids = {i["metadata"]["name"]: i["metadata"]["uid"] for i in found["items"]}
        assert set(uids) == {"small", "large"}

        seen = await pushed.promote(service, "sit", "quota-profiles", "1.1.0")
        assert (seen.version, seen.stage) == ("1.1.0", InstanceStage.VERIFIED), seen
        found = await pushed.get(CENTRAL, QUOTAS)
        assert uids == {i["metadata"]["name"]: i["metadata"]["uid"] for i in found["items"]}
        services = await pushed.get(CENTRAL, "/api/v1/namespaces/quota-profiles/services")
        assert services["items"] == [], "the Service that 1.1.0 drops was pruned"

        await pushed.ask(service, Verb.REMOVE, "sit", "quota-profiles")
        await until("it is removed", lambda: removed(service, "quota-profiles"))
        assert await pushed.get(CENTRAL, DEFINITION) == {}
        assert await pushed.get(CENTRAL, QUOTAS) == {}


async def test_a_namespace_comes_before_its_members_and_goes_with_its_instance(fleet):
    """Two namespaces, one of them the package's own object, and members in both: in one go."""
    pushed = fleet()
    objects = (settings("there", "edge-rooms-more", a="1"), *web(), namespace("edge-rooms-more"))
    write_app(pushed.place.catalog, "edge-rooms", "1.0.0", *objects)
    await pushed.found()
    async with pushed.service() as service:
        seen = await pushed.promote(service, "sit", "edge-rooms", "1.0.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        made = {}
        for name in ("edge-rooms", "edge-rooms-more"):
            maps = await pushed.get(CENTRAL, f"/api/v1/namespaces/{name}/configmaps")
            made[name] = {m["metadata"]["name"] for m in maps["items"]} - {"kube-root-ca.crt"}
        assert made == {"edge-rooms": {"web"}, "edge-rooms-more": {"there"}}

        await pushed.ask(service, Verb.REMOVE, "sit", "edge-rooms")
        await until("it is removed", lambda: removed(service, "edge-rooms"))
        for name in made:
            assert await pushed.get(CENTRAL, f"/api/v1/namespaces/{name}") == {}
        inventory = "/api/v1/namespaces/distributor-system/secrets/dst-edge-rooms"
        left = await pushed.get(CENTRAL, inventory)
        kinds = left.get("metadata", {}).get("annotations", {})
        assert not kinds.get("applyset.kubernetes.io/contains-group-kinds"), left


async def removed(service, instance) -> bool:
    await asyncio.wait_for(service.sync(), 60)
    return (await view(service, "sit", instance)).stage is InstanceStage.REMOVED


async def test_an_image_that_fails_halts_and_a_fix_goes_in(fleet):
    """The ledger says failed, why says which object, and what ran before still serves."""
    pushed = fleet(rollout={**ROLLOUT, "deadline": "15s"})
    work_tree = pushed.place.catalog
    write_app(work_tree, "edge-crash", "1.0.0", *web())
    write_app(work_tree, "edge-crash", "1.1.0", *web(FAILING))
    write_app(work_tree, "edge-crash", "1.2.0", *web("registry.example/web:2"))
    await pushed.found()
    async with pushed.service() as service:
        seen = await pushed.promote(service, "sit", "edge-crash", "1.0.0")
        assert seen.stage is InstanceStage.VERIFIED, seen

        seen = await pushed.promote(service, "sit", "edge-crash", "1.1.0")
        assert (seen.version, seen.stage) == ("1.1.0", InstanceStage.FAILED), seen
        state = rollout(service, "edge-crash")
        assert state.phase is RolloutPhase.HALTED
        progress = service.book.state.instance("sit", "edge-crash").progress[state.sequence]
        assert progress.end is Step.FAILED
        assert progress.targets == {CENTRAL: "failed"}
        assert "apps/Deployment/edge-crash/web" in progress.reason, progress
        chain = await why(service, "sit", "edge-crash")
        bad = [link.text for link in chain if not link.ok]
        assert any("Deployment/edge-crash/web" in text for text in bad), chain
        live = await pushed.get(CENTRAL, deployments("edge-crash"))
        assert live["status"]["availableReplicas"] == 1, "the old pod still serves"

        seen = await pushed.promote(service, "sit", "edge-crash", "1.2.0")
        assert (seen.version, seen.stage) == ("1.2.0", InstanceStage.VERIFIED), seen
        assert (seen.in_step, seen.health) == (1, "Current"), seen


async def test_a_failure_within_the_budget_stops_the_wave_and_nobody_else(fleet):
    """It halts nothing, opens nothing, keeps nobody waiting for it, and a fix goes in."""
    patience = {**ROLLOUT, "maxFailures": 1, "maxUnavailable": "100%", "deadline": "15s"}
    pushed = fleet(2, rollout=patience)
    work_tree = pushed.place.catalog
    write_app(work_tree, "edge-budget", "1.0.0", *web("registry.example/${image_name}:1"))
    write_app(work_tree, "edge-budget", "1.0.1", *web())
    edit(
        work_tree / "catalog" / "edge-budget" / "1.0.0" / "package.yaml",
        values={"bind": [{"name": "image_name", "type": "string", "default": "web"}]},
    )
    slim = work_tree / "environments" / "sit" / "clusters" / f"{SLIM}.yaml"
    edit(slim, properties={"image_name": "fail"})
    await pushed.found()
    async with pushed.service() as service:
        seen = await pushed.promote(service, "sit", "edge-budget", "1.0.0")
        assert (seen.stage, seen.in_step) == (InstanceStage.ROLLING, 2), seen
        state = rollout(service, "edge-budget")
        stages = {name: t.stage for name, t in state.targets.items()}
        assert stages == {CENTRAL: TargetStage.READY, SLIM: TargetStage.FAILED}
        assert (state.phase, state.open_wave) == (RolloutPhase.RUNNING, 0)
        assert SLIM in state.reason

        seen = await pushed.promote(service, "sit", "edge-budget", "1.0.1")
        assert (seen.version, seen.stage) == ("1.0.1", InstanceStage.VERIFIED), seen


async def test_a_fix_does_not_wait_for_what_it_replaces(fleet):
    """While the first still hopes for its image, a newer accepted revision takes its place at once."""
    pushed = fleet(rollout={**ROLLOUT, "deadline": "10m"})
    work_tree = pushed.place.catalog
    write_app(work_tree, "edge-fix", "1.0.0", *web(FAILING))
    write_app(work_tree, "edge-fix", "1.0.1", *web())
    await pushed.found()
    async with pushed.service() as service:
        await pushed.ask(service, Verb.PROMOTE, "sit", "edge-fix", "1.0.0")
        await service.once()
        path = deployments("edge-fix")
        await until("the first is applied", lambda: pushed.get(CENTRAL, path))
        await asyncio.sleep(1)
        first = rollout(service, "edge-fix")
        assert first.phase is RolloutPhase.RUNNING

        began = time.monotonic()
        seen = await pushed.promote(service, "sit", "edge-fix", "1.0.1")
        assert (seen.version, seen.stage) == ("1.0.1", InstanceStage.VERIFIED), seen
        assert time.monotonic() - began < 60
        state = service.book.state.instance("sit", "edge-fix")
        assert state.progress[first.sequence].verified_at is None
        assert state.progress[first.sequence].end is Step.REPLACED


async def test_an_autoscaler_keeps_its_number_over_a_new_version(fleet):
    """The package names a number of replicas, and an autoscaler that then sets another one."""
    pushed = fleet()
    work_tree = pushed.place.catalog
    write_app(work_tree, "edge-scaled", "1.0.0", *web(), autoscaler("web", lowest=2))
    newer = web("registry.example/web:2")
    write_app(work_tree, "edge-scaled", "1.1.0", *newer, autoscaler("web", lowest=2))
    await pushed.found()
    async with pushed.service() as service:
        seen = await pushed.promote(service, "sit", "edge-scaled", "1.0.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        await until("it is scaled", lambda: scaled(pushed, "edge-scaled", 2))

        seen = await pushed.promote(service, "sit", "edge-scaled", "1.1.0")
        assert (seen.version, seen.stage) == ("1.1.0", InstanceStage.VERIFIED), seen
        live = await pushed.get(CENTRAL, deployments("edge-scaled"))
        assert (
            live["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:2"
        )
        assert live["spec"]["replicas"] == 2
        await asyncio.wait_for(service.sync(), 60)
        after = await pushed.get(CENTRAL, deployments("edge-scaled"))
        assert after["metadata"]["generation"] == live["metadata"]["generation"]


async def scaled(pushed, name, count) -> bool:
    return (await pushed.get(CENTRAL, deployments(name)))["spec"]["replicas"] == count


async def test_two_instances_of_one_app_stand_side_by_side(fleet):
    """Each has its own namespace and inventory; one goes, and the other is not touched."""
    pushed = fleet()
    work_tree = pushed.place.catalog
    write_app(work_tree, "edge-pair", "1.0.0", *web())
    for name in ("edge-left", "edge-right"):
        write_installation(work_tree, name, "edge-pair", namespace=name)
    await pushed.found()
    async with pushed.service() as service:
        for name in ("edge-left", "edge-right"):
            await pushed.ask(service, Verb.PROMOTE, "sit", name, "1.0.0")
        await asyncio.wait_for(service.sync(), 60)
        before = {}
        for name in ("edge-left", "edge-right"):
            seen = await view(service, "sit", name)
            assert (seen.stage, seen.in_step) == (InstanceStage.VERIFIED, 1), seen
            before[name] = await pushed.get(CENTRAL, deployments(name))
            assert before[name]["status"]["readyReplicas"] == 1
        labels = {
            n: b["metadata"]["labels"]["applyset.kubernetes.io/part-of"] for n, b in before.items()
        }
        assert labels["edge-left"] != labels["edge-right"]

        await pushed.ask(service, Verb.REMOVE, "sit", "edge-left")
        await until("one is removed", lambda: removed(service, "edge-left"))
        assert await pushed.get(CENTRAL, deployments("edge-left")) == {}
        after = await pushed.get(CENTRAL, deployments("edge-right"))
        assert after["metadata"]["uid"] == before["edge-right"]["metadata"]["uid"]
        assert after["metadata"]["generation"] == before["edge-right"]["metadata"]["generation"]
        assert (await view(service, "sit", "edge-right")).stage is InstanceStage.VERIFIED


async def test_an_api_server_that_dies_in_a_rollout_gets_the_rest_when_it_is_back(fleet):
    """Stopped between two objects; what was begun is completed, and nothing fails by it."""
    pushed = fleet()
    many = [settings(f"part-{n}", number=str(n)) for n in range(60)]
    write_app(pushed.place.catalog, "edge-outage", "1.0.0", *many, *web())
    await pushed.found()
    plane = pushed.planes[CENTRAL]
    maps = "/api/v1/namespaces/edge-outage/configmaps"
    async with pushed.service() as service:
        await pushed.ask(service, Verb.PROMOTE, "sit", "edge-outage", "1.0.0")
        await service.once()
        await until("it has begun", lambda: pushed.get(CENTRAL, "/api/v1/namespaces/edge-outage"))
        await asyncio.to_thread(plane.stop_apiserver)
        await until("it is owed", lambda: staged(service, "edge-outage", CENTRAL, TargetStage.OWED))
        assert (await view(service, "sit", "edge-outage")).stage is not InstanceStage.FAILED

        await asyncio.to_thread(plane.start_apiserver)
        await until("it is verified", lambda: verified(service, "edge-outage"), 90)
        found = await pushed.get(CENTRAL, maps)
        names = {m["metadata"]["name"] for m in found["items"]} - {"kube-root-ca.crt"}
        assert names == {f"part-{n}" for n in range(60)} | {"web"}
        live = await pushed.get(CENTRAL, deployments("edge-outage"))
        assert live["status"]["readyReplicas"] == 1


async def test_a_cluster_that_is_down_owes_and_catches_up(fleet):
    """It neither blocks the others nor counts as a success; what it owes it gets when it is back."""
    pushed = fleet(2, verify={"floor": 50})
    write_app(pushed.place.catalog, "edge-owing", "1.0.0", *web())
    await pushed.found()
    down = pushed.planes[SLIM]
    async with pushed.service() as service:
        await asyncio.to_thread(down.stop_apiserver)
        seen = await pushed.promote(service, "sit", "edge-owing", "1.0.0")
        assert (seen.stage, seen.in_step) == (InstanceStage.VERIFIED, 1), seen
        assert seen.health == "Unknown", "what is not seen is not healthy"
        state = rollout(service, "edge-owing")
        stages = {name: t.stage for name, t in state.targets.items()}
        assert stages == {CENTRAL: TargetStage.READY, SLIM: TargetStage.OWED}
        progress = service.book.state.instance("sit", "edge-owing").progress[state.sequence]
        assert progress.targets == {CENTRAL: "current", SLIM: "owed"}
        chain = await why(service, "sit", "edge-owing", SLIM)
        assert any(not link.ok and "unreachable" in link.text for link in chain), chain

        await asyncio.to_thread(down.start_apiserver)
        await until("it caught up", lambda: in_step(service, "edge-owing", 2), 90)
        live = await pushed.get(SLIM, deployments("edge-owing"))
        assert live["status"]["readyReplicas"] == 1


async def test_too_few_reachable_clusters_verify_nothing_until_they_are_back(fleet):
    """Under the floor the rollout waits, without failing; a person's sync asks those that owe at once."""
    pushed = fleet(2, verify={"floor": 80})
    write_app(pushed.place.catalog, "edge-floor", "1.0.0", *web())
    await pushed.found()
    down = pushed.planes[SLIM]
    async with pushed.service() as service:
        await asyncio.to_thread(down.stop_apiserver)
        seen = await pushed.promote(service, "sit", "edge-floor", "1.0.0")
        assert seen.stage is InstanceStage.UNVERIFIED, seen
        await asyncio.to_thread(down.start_apiserver)
        await until("it is verified", lambda: verified_now(service, "edge-floor"))
        assert await in_step(service, "edge-floor", 2)


def rollout(service, instance):
    return next(r for r in service.rollouts.running() if r.instance == instance)


async def staged(service, instance, cluster, stage) -> bool:
    return rollout(service, instance).targets[cluster].stage is stage


async def verified(service, instance) -> bool:
    return (await view(service, "sit", instance)).stage is InstanceStage.VERIFIED


async def verified_now(service, instance) -> bool:
    await asyncio.wait_for(service.sync(), 60)
    return await verified(service, instance)


async def in_step(service, instance, count) -> bool:
    seen = await view(service, "sit", instance)
    return (seen.in_step, seen.health) == (count, "Current")
