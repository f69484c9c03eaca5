"""A field that cannot change: an object is made anew only where its kind allows it and the plan said so."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import Actuation
from tests.integration.ownership.conftest import Site, deployment, named

pytestmark = pytest.mark.controlplane


def job(image: str, **labels: str) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": image}]}
    found = named("batch/v1", "Job", "j", spec={"template": {"spec": pod}})
    found["metadata"]["labels"] = labels
    return found


async def test_a_job_is_made_anew(site: Site):
    await site.sync(job("a:1"))
    first = await site.get("batch/v1 jobs/j")
    site.sequence += 1
    planned = await site.plan(job("a:2"))
    assert "made anew, as spec.template" in planned.changes[0].reason
    report = await site.sync(job("a:2"))
    assert report.actuation is Actuation.APPLIED, report.findings
    live = await site.get("batch/v1 jobs/j")
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "a:2"
    assert live["metadata"]["uid"] != first["metadata"]["uid"]


async def test_what_can_change_changes_in_place(site: Site):
    await site.sync(job("a:1"))
    first = await site.get("batch/v1 jobs/j")
    await site.sync(job("a:1", tier="batch"))
    live = await site.get("batch/v1 jobs/j")
    assert live["metadata"]["labels"]["tier"] == "batch"
    assert live["metadata"]["uid"] == first["metadata"]["uid"]


async def test_a_binding_gets_another_role(site: Site):
    def binding(role: str) -> dict[str, Any]:
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        return named("rbac.authorization.k8s.io/v1", "RoleBinding", "b", roleRef=ref, subjects=[])

    await site.sync(binding("view"))
    report = await site.sync(binding("edit"))
    assert report.actuation is Actuation.APPLIED, report.findings
    live = await site.get("rbac.authorization.k8s.io/v1 rolebindings/b")
    assert live["roleRef"]["name"] == "edit"


@pytest.mark.parametrize("after", [{"immutable": True}, {}])
async def test_immutable_settings_get_other_values(site: Site, after):
    await site.sync(named("v1", "ConfigMap", "a", data={"a": "1"}, immutable=True))
    report = await site.sync(named("v1", "ConfigMap", "a", data={"a": "2"}, **after))
    assert report.actuation is Actuation.APPLIED, report.findings
    live = await site.get("v1 configmaps/a")
    assert live["data"] == {"a": "2"}
    assert live.get("immutable", False) is bool(after)


async def test_a_deployment_is_never_deleted_for_it(site: Site):
    await site.sync(deployment())
    first = await site.get("apps/v1 deployments/web")
    other = deployment()
    other["spec"]["selector"] = {"matchLabels": {"app": "web", "more": "1"}}
    other["spec"]["template"]["metadata"]["labels"] = {"app": "web", "more": "1"}
    report = await site.sync(other)
    assert report.actuation is Actuation.FAILED
    assert [f.code for f in report.findings] == ["DST416"]
    live = await site.get("apps/v1 deployments/web")
    assert live["metadata"]["uid"] == first["metadata"]["uid"]


async def test_a_claim_keeps_its_volume(site: Site):
    def claim(size: str) -> dict[str, Any]:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        return named("v1", "PersistentVolumeClaim", "c", spec=spec)

    await site.sync(claim("2Gi"))
    first = await site.get("v1 persistentvolumeclaims/c")
    report = await site.sync(claim("1Gi"))
    assert report.actuation is Actuation.FAILED
    live = await site.get("v1 persistentvolumeclaims/c")
    assert live["metadata"]["uid"] == first["metadata"]["uid"]
