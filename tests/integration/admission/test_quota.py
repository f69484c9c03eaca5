"""Quotas and limits: what they refuse is told, for objects and for the pods of accepted ones; then it comes right."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from distributor.model.health import HealthStatus
from tests.integration.admission.conftest import health_of, told, until, written
from tests.integration.membership.conftest import settings
from tests.integration.ownership.conftest import deployment, named

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]
MERGE = "application/merge-patch+json"


async def quota(instance, **hard: str) -> None:
    """A quota in force: its controller has counted what there is."""
    body = named("v1", "ResourceQuota", "tight", spec={"hard": hard})
    await instance.send("POST", "v1 resourcequotas", body)

    async def counted() -> bool:
        status = (await instance.get("v1 resourcequotas/tight")).get("status", {})
        return status.get("hard") == hard

    await until("the quota is counted", counted)


async def raised(instance, **hard: str) -> None:
    body = {"spec": {"hard": hard}}
    await instance.send("PATCH", "v1 resourcequotas/tight", body, kind=MERGE)


async def test_an_object_over_the_quota_is_refused_by_name_and_comes_when_there_is_room(instance):
    async def root_ca() -> bool:
        return bool(await instance.get("v1 configmaps/kube-root-ca.crt"))

    await until("the cluster's own ConfigMap counts", root_ca)
    await quota(instance, **{"count/configmaps": "2"})
    objects = (settings("a", x="1"), settings("b", x="1"), named("v1", "ServiceAccount", "web"))
    report = await instance.sync(*objects)
    assert report.actuation is Actuation.FAILED
    done = written(report)
    assert "ServiceAccount/web" in done
    assert len(done) == 2
    (refused,) = {"ConfigMap/a", "ConfigMap/b"} - set(done)
    text = told(report, refused)
    assert text.startswith("DST402 ")
    assert "exceeded quota: tight" in text
    await raised(instance, **{"count/configmaps": "9"})

    async def whole() -> bool:
        return (await instance.resync(*objects)).actuation is Actuation.APPLIED

    await until("it comes right", whole)
    assert (await instance.plan(*objects)).empty


async def test_pods_over_the_quota_are_told_by_health_until_there_is_room(instance):
    await quota(instance, pods="1")
    objects = (deployment(image="registry.example/web:1", replicas=2),)
    report = await instance.sync(*objects)
    assert report.actuation is Actuation.APPLIED, "the Deployment itself is accepted"

    async def told_so() -> bool:
        report = await instance.resync(*objects)
        status, message = health_of(report, "Deployment")
        assert status is not HealthStatus.CURRENT
        return "exceeded quota: tight" in message

    await until("health says so", told_so)
    await raised(instance, pods="5")

    async def well() -> bool:
        return health_of(await instance.resync(*objects), "Deployment")[0] is HealthStatus.CURRENT

    # Controllers ask again for refused pods after pauses that grow; a change asks at once.
    await until("it comes right", well, 150)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "ReplicaSet"])
async def test_no_kind_without_its_pods_is_current(instance, kind):
    await quota(instance, pods="0")
    made = {**deployment(image="registry.example/web:1"), "kind": kind}
    if kind == "StatefulSet":
        made["spec"]["serviceName"] = "web"
    report = await instance.sync(made)
    assert report.actuation is Actuation.APPLIED, report

    async def refused() -> bool:
        found = await instance.get("v1 events")
        return any("exceeded quota: tight" in event["message"] for event in found["items"])

    await until("a pod is refused", refused)
    status, message = health_of(await instance.resync(made), kind)
    assert status is HealthStatus.IN_PROGRESS
    assert ("exceeded quota: tight" in message) == (kind == "ReplicaSet"), (
        "others have no condition"
    )


async def test_defaults_of_a_limit_range_are_no_drift(instance):
    limits = {"type": "Container", "default": {"cpu": "200m"}, "defaultRequest": {"cpu": "100m"}, "max": {"cpu": "1"}}  # fmt: skip
    await instance.send("POST", "v1 limitranges", named("v1", "LimitRange", "usual", spec={"limits": [limits]}))  # fmt: skip
    container = {"name": "web", "image": "registry.example/web:1", "resources": {"requests": {"cpu": "0.05"}}}  # fmt: skip
    pod = named("v1", "Pod", "web", spec={"containers": [container, {**container, "name": "b", "resources": {}}]})  # fmt: skip

    async def applied() -> bool:
        report = await instance.sync(pod)
        return report.actuation is Actuation.APPLIED

    await until("the namespace has its service account", applied)
    live = await instance.get("v1 pods/web")
    assert live["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "200m"}
    await instance.settle(pod)
    assert (await instance.plan(pod)).empty
    big = {**container, "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}}
    other = named("v1", "Pod", "big", spec={"containers": [big]})
    report = await instance.sync(pod, other)
    assert written(report) == []
    assert "maximum cpu usage per Container is 1" in told(report, "Pod/big")
