"""An object that something else applied becomes the instance's own: what only the other set goes."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from tests.integration.ownership.conftest import (
    ADOPTED,
    APPLY,
    Site,
    deployment,
    managers,
    named,
)

pytestmark = pytest.mark.controlplane
MAP = "v1 configmaps/a"


async def test_from_client_side_apply(site: Site):
    """Other values, and a key that the package does not have: no conflict, and nothing left over."""
    await site.kubectl(
        "apply", "-f", "-", **named("v1", "ConfigMap", "a", data={"same": "1", "other": "2", "old": "3"})
    )  # fmt: skip
    before = await site.get(MAP)
    assert managers(before) == {"kubectl-client-side-apply": "Update"}
    desired = named("v1", "ConfigMap", "a", data={"same": "1", "other": "9"})
    planned = await site.plan(desired)
    assert "takes over what kubectl-client-side-apply set" in planned.changes[0].reason
    report = await site.sync(desired)
    assert report.actuation is Actuation.APPLIED, report.findings
    live = await site.get(MAP)
    assert live["data"] == {"same": "1", "other": "9"}
    assert managers(live) == {"distributor": "Apply"}
    assert "kubectl.kubernetes.io/last-applied-configuration" not in live["metadata"]["annotations"]
    assert live["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_deployment_keeps_its_replicas_and_its_pods(site: Site):
    await site.kubectl("apply", "-f", "-", **deployment(replicas=4))
    before = await site.get("apps/v1 deployments/web")
    await site.sync(deployment())
    live = await site.get("apps/v1 deployments/web")
    assert live["spec"] == before["spec"]


async def test_a_later_client_side_apply_is_taken_back(site: Site):
    desired = named("v1", "ConfigMap", "a", data={"a": "1"})
    await site.sync(desired)
    changed = named("v1", "ConfigMap", "a", data={"a": "2", "b": "3"})
    await site.kubectl("apply", "--overwrite", "-f", "-", **changed)
    report = await site.resync(desired)
    assert report.actuation is Actuation.APPLIED, report.findings
    live = await site.get(MAP)
    assert live["data"] == {"a": "1"}
    assert managers(live) == {"distributor": "Apply"}


async def test_from_a_manager_on_the_list(site: Site):
    await site.send(
        "POST", "v1 configmaps?fieldManager=helm",
        named("v1", "ConfigMap", "a", data={"a": "1", "old": "2"}),
    )  # fmt: skip
    report = await site.sync(
        named("v1", "ConfigMap", "a", data={"a": "9"}), adopt=ADOPTED | {"helm"}
    )
    assert report.actuation is Actuation.APPLIED, report.findings
    assert (await site.get(MAP))["data"] == {"a": "9"}


async def test_what_controllers_wrote_on_it_stays(site: Site):
    """Sub-resources, and the fields of managers that are not on the list, are nobody's to take."""
    await site.kubectl("apply", "-f", "-", **deployment())
    await site.send(
        "PATCH", "apps/v1 deployments/web?fieldManager=kube-controller-manager",
        {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}}},
        kind="application/merge-patch+json",
    )  # fmt: skip
    await site.send(
        "PATCH", "apps/v1 deployments/web/status?fieldManager=kube-controller-manager",
        {"status": {"observedGeneration": 1}}, kind="application/merge-patch+json",
    )  # fmt: skip
    await site.sync(deployment(image="web:2"))
    live = await site.get("apps/v1 deployments/web")
    assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert live["status"]["observedGeneration"] == 1
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"


async def test_an_object_without_managed_fields(site: Site):
    """As objects are that older API servers wrote: nothing that a controller set on them is lost."""
    await site.send(
        "POST", "v1 configmaps", named("v1", "ConfigMap", "a", data={"a": "1", "b": "2"})
    )
    await site.send(
        "PATCH", MAP, {"metadata": {"managedFields": [{}]}}, kind="application/merge-patch+json"
    )
    report = await site.sync(named("v1", "ConfigMap", "a", data={"a": "9"}))
    assert report.actuation is Actuation.APPLIED, report.findings
    assert (await site.get(MAP))["data"] == {"a": "9", "b": "2"}
    await site.sync(named("v1", "ConfigMap", "a", data={"a": "10"}))
    live = await site.get(MAP)
    assert live["data"] == {"a": "10", "b": "2"}
    assert "before-first-apply" not in managers(live)


async def test_a_server_side_apply_of_somebody_else_is_a_conflict(site: Site):
    theirs = named("v1", "ConfigMap", "a", data={"a": "1"})
    await site.send("PATCH", f"{MAP}?fieldManager=kustomize-controller", theirs, kind=APPLY)
    report = await site.sync(named("v1", "ConfigMap", "a", data={"a": "9"}))
    assert report.actuation is Actuation.FAILED
    told = str(report.findings[0])
    assert "DST407" in told
    assert "kustomize-controller" in told
    assert ".data.a" in told
    assert (await site.get(MAP))["data"] == {"a": "1"}
