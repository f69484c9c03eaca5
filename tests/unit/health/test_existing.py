"""Objects that are current by being there: whatever else is read of them, their health is the same."""

from __future__ import annotations

import pytest

from distributor.health import health, is_by_being
from distributor.model.health import HealthStatus

BY_BEING = [
    ("v1", "ConfigMap", {}),
    ("v1", "ServiceAccount", {}),
    ("v1", "Service", {"type": "ClusterIP"}),
    ("networking.k8s.io/v1", "Ingress", {"rules": []}),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", {}),
]
BY_MORE = [
    ("v1", "Service", {"type": "LoadBalancer"}),
    ("v1", "PersistentVolumeClaim", {}),
    ("v1", "Namespace", {}),
    ("v1", "Pod", {}),
    ("apps/v1", "Deployment", {}),
    ("batch/v1", "Job", {}),
    ("example.org/v1", "Service", {}),
    ("example.org/v1", "ConfigMap", {}),
]


def thing(api_version: str, kind: str, spec: dict) -> dict:
    metadata = {"name": "it", "namespace": "shop", "generation": 3}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(("api_version", "kind", "spec"), BY_BEING)
def test_its_metadata_tell_its_health(api_version: str, kind: str, spec: dict):
    whole = thing(api_version, kind, spec)
    assert is_by_being(whole)
    bare = {name: whole[name] for name in ("apiVersion", "kind", "metadata")}
    assert health(bare).status is health(whole).status is HealthStatus.CURRENT
    going = {**bare, "metadata": {**bare["metadata"], "deletionTimestamp": "2026-03-01T00:00:00Z"}}
    assert health(going).status is HealthStatus.TERMINATING


@pytest.mark.parametrize(("api_version", "kind", "spec"), BY_MORE)
def test_more_must_be_known_of_others(api_version: str, kind: str, spec: dict):
    assert not is_by_being(thing(api_version, kind, spec))
