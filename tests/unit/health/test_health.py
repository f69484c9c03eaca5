from __future__ import annotations

import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from distributor.health import absent, aggregate, health, plain_kinds
from distributor.health.object import RULES
from distributor.model.health import HealthStatus, ObjectHealth
from distributor.model.manifest import Manifest
from distributor.model.refs import GroupKind, ObjectRef

CASES = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text(encoding="utf-8"))
NOW = datetime(2026, 1, 1, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_table(case: dict[str, Any]):
    now = datetime.fromisoformat(case["at"]) if "at" in case else NOW
    seen = health(case["object"], now)
    assert (seen.status, case["message"] in seen.message) == (case["status"], True), seen.message


def test_the_reference_holds_group_and_namespace():
    obj = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "b"},
    }
    seen = health(obj)
    assert (seen.ref, seen.api_version) == (ObjectRef("apps", "Deployment", "b", "a"), "apps/v1")


def test_without_a_time_the_schedule_window_is_over():
    obj = next(c["object"] for c in CASES if c["name"] == "Pod unschedulable for 14 s")
    assert health(obj).status is HealthStatus.FAILED


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["conditions", "replicas", "type", "status", "phase", "name", "state"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_KINDS = sorted({(c["object"].get("apiVersion", ""), c["object"]["kind"]) for c in CASES})


@given(kind=st.sampled_from(_KINDS), spec=_ANY, status=_ANY)
def test_no_shape_of_an_object_breaks_a_rule(kind: tuple[str, str], spec: object, status: object):
    obj = {"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": "a"}}
    assert health({**obj, "spec": spec, "status": status}, NOW).status in HealthStatus


def _crd(kind: str, version: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind},
        "spec": {"group": "x.example", "names": {"kind": kind}, "versions": [version]},
    }


def test_a_crd_without_a_status_makes_its_objects_plain_data():
    schema = {"openAPIV3Schema": {"properties": {"status": {"type": "object"}}}}
    kinds = plain_kinds(
        [
            _crd("Data", {"name": "v1"}),
            _crd("Sub", {"name": "v1", "subresources": {"status": {}}}),
            _crd("Field", {"name": "v1", "schema": schema}),
            {"kind": "ConfigMap"},
        ]
    )
    assert kinds == {GroupKind("x.example", "Data")}
    thing = {"apiVersion": "x.example/v1", "kind": "Data", "metadata": {"name": "a"}}
    assert health(thing).status is HealthStatus.IN_PROGRESS
    assert health(thing, plain=kinds).status is HealthStatus.CURRENT


def _seen(status: HealthStatus) -> ObjectHealth:
    ref = ObjectRef("batch", "Job", "b", "a")
    return ObjectHealth(ref=ref, api_version="batch/v1", status=status, message="it was so")


@pytest.mark.parametrize(
    ("ttl", "applied", "last", "status"),
    [
        (None, True, HealthStatus.CURRENT, HealthStatus.NOT_FOUND),
        (0, False, None, HealthStatus.NOT_FOUND),
        (0, True, None, HealthStatus.UNKNOWN),
        (60, True, HealthStatus.IN_PROGRESS, HealthStatus.UNKNOWN),
        (60, True, HealthStatus.CURRENT, HealthStatus.CURRENT),
        (60, True, HealthStatus.FAILED, HealthStatus.FAILED),
    ],
)
def test_a_job_that_is_gone(
    *, ttl: int | None, applied: bool, last: HealthStatus | None, status: HealthStatus
):
    spec = {} if ttl is None else {"ttlSecondsAfterFinished": ttl}
    job = Manifest.of(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": spec}
    )
    found = absent(job, applied=applied, last=_seen(last) if last else None)
    assert found.status is status


def test_the_aggregate_is_the_worst_and_nothing_seen_is_unknown():
    assert aggregate([]) is HealthStatus.UNKNOWN
    assert aggregate([_seen(HealthStatus.CURRENT)]) is HealthStatus.CURRENT
    both = [_seen(HealthStatus.CURRENT), _seen(HealthStatus.UNKNOWN)]
    assert aggregate(both) is HealthStatus.UNKNOWN


_NOTHING_TO_WAIT_FOR = {
    "Ingress": "an address is the platform's affair; told, not waited for",
    "Node": "the generic rule reads its Ready condition",
    "ServiceCIDR": "the generic rule reads its Ready condition",
    "ResourceQuota": "a count, not progress",
    "ResourceClaim": "allocated when a pod asks, as a claim that waits for its first consumer",
    "ValidatingAdmissionPolicy": "in force at once; its status holds type checks",
    "CSINode": "written by the node", "StorageVersion": "written by the API server",
    "DeviceTaintRule": "in force at once", "ResourcePoolStatusRequest": "a question, answered at once",
    "PodGroup": "made with its pods", "CompositePodGroup": "made with its pods",
    "Eviction": "a request, no state", "EvictionRequest": "a request, no state",
    "Status": "an answer", "Scale": "an answer", "TokenRequest": "an answer", "TokenReview": "an answer",
    "SelfSubjectReview": "an answer", "LocalSubjectAccessReview": "an answer",
    "SelfSubjectAccessReview": "an answer", "SelfSubjectRulesReview": "an answer",
    "SubjectAccessReview": "an answer",
}  # fmt: skip


def test_every_built_in_kind_with_a_status_has_a_rule_or_a_reason():
    """By the schemas of the newest Kubernetes that is shipped: a new kind is noticed here."""
    spec = importlib.util.find_spec("kubernetes_validate")
    root = Path(next(iter(spec.submodule_search_locations)), "kubernetes-json-schema")
    newest = max(root.glob("v1.*-local-strict"), key=lambda p: int(p.name.split(".")[1]))
    document = json.loads((newest / "_definitions.json").read_text("utf-8"))
    kinds = {
        GroupKind(each["group"], each["kind"])
        for found in document["$defs"].values()
        for each in found.get("x-kubernetes-group-version-kind", ())
        if {"metadata", "status"} <= found.get("properties", {}).keys()
    }
    assert len(kinds) > 30
    ruled = {*RULES, GroupKind("", "Pod")}
    assert {k.kind for k in kinds - ruled} - _NOTHING_TO_WAIT_FOR.keys() == set()
