"""Drift on a real API server: healed, reported or left, told field by field, and what others own left to them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from distributor.plan import spec_of, suggested
from distributor.services.asking.drifting import drifts
from distributor.services.asking.views import InstanceStage
from tests.integration.mainjob.conftest import Pushed, edit, view
from tests.integration.mainjob.smallapps import one_cluster, web, write_app, write_installation

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]

CENTRAL = "sit-central-1"
MERGE = "application/merge-patch+json"


@pytest.fixture
def fleet(tmp_path: Path, control_planes):
    """Make a sit of one API server and one app of the test's own."""

    def make(app: str, *, drift: str = "heal", **delivery: object) -> Pushed:
        pushed = one_cluster(tmp_path / "play", control_planes, CENTRAL, defaults={"drift": drift})
        work_tree = pushed.place.catalog
        for version in ("1.0.0", "1.1.0"):
            write_app(work_tree, app, version, *web(text=version, replicas=1))
            edit(work_tree / "catalog" / app / version / "package.yaml", delivery=delivery)
        return pushed

    return make


def paths(app: str) -> tuple[str, str, str]:
    there = f"/api/v1/namespaces/{app}"
    return f"/apis/apps/v1/namespaces/{app}/deployments/web", f"{there}/configmaps/web", f"{there}/services/web"  # fmt: skip


async def settled(pushed: Pushed, service, app: str) -> None:
    seen = await pushed.promote(service, "sit", app, "1.0.0")
    assert seen.stage is InstanceStage.VERIFIED, seen


async def told(service, kind: str) -> list[str]:
    return [e.message for e in await service.world.store.events() if e.kind == kind]


async def test_what_is_deleted_or_emptied_is_healed_and_told(fleet):
    pushed = fleet("drift-heal")
    await pushed.found()
    deployment, settings, service_path = paths("drift-heal")
    async with pushed.service() as service:
        await settled(pushed, service, "drift-heal")
        await pushed.send(CENTRAL, "DELETE", service_path)
        await pushed.send(CENTRAL, "PATCH", settings, {"data": {"text": None}}, kind=MERGE)
        before = await pushed.get(CENTRAL, deployment)
        await asyncio.wait_for(service.sync(), 60)
        assert (await pushed.get(CENTRAL, settings))["data"] == {"text": "1.0.0"}
        assert await pushed.get(CENTRAL, service_path)
        after = await pushed.get(CENTRAL, deployment)
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        (line,) = await told(service, "healed")
        assert line.startswith("2 objects brought back: "), line
        assert "ConfigMap/drift-heal/web: drift: data;" in line
        assert "Service/drift-heal/web: was deleted from the target" in line
        await asyncio.wait_for(service.sync(), 60)
        assert len(await told(service, "healed")) == 1


async def test_where_drift_is_only_reported_nothing_is_written_and_a_new_version_goes_over_it(
    fleet,
):
    pushed = fleet("drift-report", drift="report")
    await pushed.found()
    _, settings, _ = paths("drift-report")
    async with pushed.service() as service:
        await settled(pushed, service, "drift-report")
        await pushed.send(CENTRAL, "PATCH", settings, {"data": {"text": None}}, kind=MERGE)
        before = await pushed.get(CENTRAL, settings)
        for _ in range(2):
            await asyncio.wait_for(service.sync(), 60)
        after = await pushed.get(CENTRAL, settings)
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        (target,) = (await view(service, "sit", "drift-report")).clusters
        assert "DST440" in target.message
        assert "(drift: data)" in target.message
        assert len(await told(service, "drift")) == 1, "told once as long as it is the same"

        (found,) = await drifts(service, lambda _verdict, _cluster: True)
        (fields,) = found.found.changed.values()
        assert [(f.pointer, f.drifted, f.desired) for f in fields] == [
            ("/data", "missing", {"text": "1.0.0"})
        ]
        seen = await pushed.promote(service, "sit", "drift-report", "1.1.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        assert (await pushed.get(CENTRAL, settings))["data"] == {"text": "1.1.0"}


async def test_an_installation_may_pause_what_its_environment_heals(fleet):
    pushed = fleet("drift-pause")
    write_installation(pushed.place.catalog, "drift-pause", "drift-pause", drift="pause")
    await pushed.found()
    _, settings, _ = paths("drift-pause")
    async with pushed.service() as service:
        await settled(pushed, service, "drift-pause")
        await pushed.send(CENTRAL, "PATCH", settings, {"data": {"text": None}}, kind=MERGE)
        await asyncio.wait_for(service.sync(), 60)
        assert "data" not in await pushed.get(CENTRAL, settings)
        (target,) = (await view(service, "sit", "drift-pause")).clusters
        assert "DST441" in target.message
        assert "data" in target.message
        assert target.health == "InProgress", "it runs, and not as the revision has it"
        await pushed.send(CENTRAL, "PATCH", settings, {"data": {"text": "1.0.0"}}, kind=MERGE)
        await asyncio.wait_for(service.sync(), 60)
        (target,) = (await view(service, "sit", "drift-pause")).clusters
        assert target.health == "Current", "health is looked at all the same"


async def test_an_ignored_field_stays_with_who_set_it_over_a_new_version(fleet):
    rule = {"kind": "ConfigMap", "fields": ["/data/text"], "reason": "A controller writes it."}
    pushed = fleet("drift-ignored", ignore=[rule])
    await pushed.found()
    deployment, settings, _ = paths("drift-ignored")
    async with pushed.service() as service:
        await settled(pushed, service, "drift-ignored")
        assert (await pushed.get(CENTRAL, settings))["data"] == {"text": "1.0.0"}
        theirs = {"data": {"text": "theirs"}}
        await pushed.send(CENTRAL, "PATCH", f"{settings}?fieldManager=keeper", theirs, kind=MERGE)
        before = await pushed.get(CENTRAL, settings)
        await asyncio.wait_for(service.sync(), 60)
        after = await pushed.get(CENTRAL, settings)
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        (found,) = await drifts(service, lambda _verdict, _cluster: True)
        assert found.found.in_sync

        seen = await pushed.promote(service, "sit", "drift-ignored", "1.1.0")
        assert seen.stage is InstanceStage.VERIFIED, "no conflict comes of it"
        live = await pushed.get(CENTRAL, settings)
        assert live["data"] == {"text": "theirs"}
        owners = {
            m["manager"] for m in live["metadata"]["managedFields"] if "f:data" in m["fieldsV1"]
        }
        assert owners == {"keeper"}
        assert (await pushed.get(CENTRAL, deployment))["status"]["readyReplicas"] == 1
        await asyncio.wait_for(service.sync(), 60)
        again = await pushed.get(CENTRAL, settings)
        assert again["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]


async def test_the_suggested_rule_in_the_next_version_ends_the_drift(fleet):
    pushed = fleet("drift-suggest", drift="report")
    await pushed.found()
    deployment, _, _ = paths("drift-suggest")
    where = f"{deployment}?fieldManager=keeper"
    async with pushed.service() as service:
        await settled(pushed, service, "drift-suggest")
        theirs = {"spec": {"minReadySeconds": 1, "replicas": 2}}
        await pushed.send(CENTRAL, "PATCH", where, theirs, kind=MERGE)
        (found,) = await drifts(service, lambda _verdict, _cluster: True)
        ((ref, fields),) = found.found.changed.items()
        (rule,) = suggested(ref, [(f.steps, f.manager) for f in fields])
        assert (rule.fields, rule.managers) == (("/spec/replicas",), ("keeper",))

        file = pushed.place.catalog / "catalog/drift-suggest/1.1.0/package.yaml"
        rule = replace(rule, reason="The keeper scales.")
        edit(file, delivery={"ignore": [spec_of(rule)]})
        pushed.place.commit("The keeper scales", datetime.now(UTC))
        seen = await pushed.promote(service, "sit", "drift-suggest", "1.1.0")
        assert (seen.version, seen.stage) == ("1.1.0", InstanceStage.VERIFIED), seen
        live = await pushed.get(CENTRAL, deployment)
        assert live["spec"]["replicas"] == 2
        (found,) = await drifts(service, lambda _verdict, _cluster: True)
        assert found.found.in_sync
