"""A namespace that enforces Pod Security: pods that it refuses are named with the level and what violates it."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from distributor.model.health import HealthStatus
from tests.integration.admission.conftest import health_of, told, until, written
from tests.integration.membership.conftest import settings
from tests.integration.ownership.conftest import deployment, named

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]
ENFORCE = "pod-security.kubernetes.io/enforce"


@pytest.fixture(autouse=True)
async def restricted(instance):
    path = f"/api/v1/namespaces/{instance.namespace}"
    labels = {"metadata": {"labels": {ENFORCE: "restricted"}}}
    await instance.root("PATCH", path, labels, kind="application/merge-patch+json")


async def test_a_pod_is_refused_by_name(instance):
    spec = {"containers": [{"name": "web", "image": "registry.example/web:1"}]}
    report = await instance.sync(settings("web", a="1"), named("v1", "Pod", "web", spec=spec))
    assert report.actuation is Actuation.FAILED
    assert written(report) == ["ConfigMap/web"]
    text = told(report, "Pod/web")
    assert text.startswith("DST402 ")
    assert 'violates PodSecurity "restricted:latest"' in text


async def test_a_deployment_whose_pods_are_refused_says_so(instance):
    objects = (deployment(image="registry.example/web:1", replicas=1),)
    report = await instance.sync(*objects)
    assert report.actuation is Actuation.APPLIED

    async def told_so() -> bool:
        status, message = health_of(await instance.resync(*objects), "Deployment")
        assert status is not HealthStatus.CURRENT
        return 'violates PodSecurity "restricted:latest"' in message

    await until("health says so", told_so)
