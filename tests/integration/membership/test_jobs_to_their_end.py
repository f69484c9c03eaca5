"""What comes after a Job waits until it has ended: a later wave, a dependant, and hooks after the change."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from tests.integration.membership.conftest import Instance, settings
from tests.integration.ownership.conftest import named

pytestmark = pytest.mark.controlplane


def job(name: str, **metadata: str) -> dict:
    """A Job that stays at work, for its only pod may run nowhere."""
    container = {"name": "main", "image": "registry.example/migrate:1"}
    spec = {"containers": [container], "restartPolicy": "Never", "nodeName": "nowhere"}
    body = named("batch/v1", "Job", name, spec={"template": {"spec": spec}})
    body["metadata"]["annotations"] = metadata
    return body


async def end(instance: Instance, name: str) -> None:
    """Let the Job's pod come to its end."""
    found: dict = {}
    while not found.get("items"):
        path = f"/api/v1/namespaces/{instance.namespace}/pods?labelSelector=job-name%3D{name}"
        found = await instance.root("GET", path)
    pod = found["items"][0]["metadata"]["name"]
    status = {"status": {"phase": "Succeeded"}}
    path = f"/api/v1/namespaces/{instance.namespace}/pods/{pod}/status"
    await instance.root("PATCH", path, status, kind="application/merge-patch+json")


@pytest.mark.parametrize("how", ["wave", "depends-on", "hook"])
async def test_it_waits_for_a_job(instance: Instance, how: str):
    first = job("migrate", **({"argocd.argoproj.io/sync-wave": "-1"} if how == "wave" else {}))
    later = settings("later")
    path = "v1 configmaps/later"
    if how == "depends-on":
        ref = f"batch/namespaces/{instance.namespace}/Job/migrate"
        later["metadata"]["annotations"] = {"config.kubernetes.io/depends-on": ref}
    if how == "hook":
        later["metadata"]["annotations"] = {"argocd.argoproj.io/hook": "PostSync"}
    report = await instance.sync(first, later)
    report = await instance.resync(first, later)
    assert report.actuation is Actuation.APPLYING, report
    assert "migrate" in report.health[-1].message or "migrate" in str(report.health[-1].ref)
    assert await instance.get(path) == {}
    await end(instance, "migrate")
    report = await instance.settle(first, later)
    assert report.actuation is Actuation.APPLIED, report
    assert await instance.get(path)
