"""Gate 9's evidence over the Kubernetes schemas that ship with the program."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.adapters.schemas import KubernetesSchemas
from distributor.adapters.schemas.shipped import ShippedSchemas
from distributor.model.findings import Severity
from distributor.model.package import GroupVersionKind
from tests.integration.schemas.objects import META, POD, deployment, plain, said, service, the_set

NONE: frozenset[GroupVersionKind] = frozenset()


@pytest.fixture(scope="module")
def schemas() -> KubernetesSchemas:
    return KubernetesSchemas()


GOOD: list[dict[str, Any]] = [
    deployment(),
    service(),
    service(ports=[{"port": 80, "targetPort": 8080, "protocol": "TCP"}]),
    plain("v1", "ConfigMap", data={"a": "b"}),
    plain("v1", "Secret", stringData={"token": "x"}),
    plain("v1", "Namespace"),
    plain("v1", "ServiceAccount"),
    plain("v1", "PersistentVolumeClaim", spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}),
    plain("apps/v1", "StatefulSet", spec={"selector": {}, "serviceName": "s", "template": {"spec": POD}}),
    plain("batch/v1", "CronJob", spec={"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}}}),
    plain("networking.k8s.io/v1", "Ingress", spec={"rules": [{"host": "a.example.org"}]}),
    plain("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}}),
    plain("rbac.authorization.k8s.io/v1", "Role", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]),
    plain("autoscaling/v2", "HorizontalPodAutoscaler", spec={"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}),
    plain("policy/v1", "PodDisruptionBudget", spec={"minAvailable": "50%"}),
    plain("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", spec={"validations": [{"expression": "true"}]}),
    plain("events.k8s.io/v1", "Event", eventTime="2026-01-01T00:00:00.000000Z"),
    deployment(strategy=None),
    deployment() | {"status": {"replicas": None, "anything": 1}},
]  # fmt: skip


@pytest.mark.parametrize("kubernetes", ["1.29", "1.33", ""])
@pytest.mark.parametrize("data", GOOD, ids=lambda data: f"{data['apiVersion']}/{data['kind']}")
def test_good_objects_fit(
    schemas: KubernetesSchemas, data: dict[str, Any], kubernetes: str
) -> None:
    if (data["kind"], kubernetes) == ("ValidatingAdmissionPolicy", "1.29"):
        pytest.skip("this API became v1 in Kubernetes 1.30")
    assert schemas.check(the_set(data), kubernetes, NONE) == ()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (deployment(replicas="two"), [("DST228", "spec.replicas")]),
        (deployment(replica=2), [("DST228", "spec")]),
        (deployment(selector=None, template=None), [("DST228", "spec")]),
        (deployment(template={"spec": {"containers": [{"image": "x"}]}}), [("DST228", "spec.template.spec.containers[0]")]),
        (deployment(template={"spec": {"containers": [{"name": "x", "env": [{"name": "A", "value": 1}]}]}}), [("DST228", "spec.template.spec.containers[0].env[0].value")]),
        (service(ports="80"), [("DST228", "spec.ports")]),
        (plain("v1", "ConfigMap", data={"a": 1}), [("DST228", "data.a")]),
        (plain("v1", "ConfigMap", date={}), [("DST228", "")]),
        (plain("v1", "ConfigMap", metadata={**META, "label": {}}), [("DST228", "metadata")]),
        (plain("rbac.authorization.k8s.io/v1", "RoleBinding"), [("DST228", "")]),
    ],
    ids=["type", "unknown", "required", "nested", "deep", "list", "map", "top", "metadata", "missing"],
)  # fmt: skip
def test_misfits_name_the_field(
    schemas: KubernetesSchemas, data: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = schemas.check(the_set(data), "1.33", NONE)
    assert set(expected) <= set(said(found))
    assert all(finding.where.file.endswith("/shop/web") for finding in found)


def test_all_misfits_of_all_objects_are_told_at_once(schemas: KubernetesSchemas) -> None:
    wrong = the_set(deployment(replicas="two", minReadySeconds="x"), service(ports="80"))
    found = schemas.check(wrong, "1.33", NONE)
    fields = [field for _, field in said(found)]
    assert sorted(fields) == ["spec.minReadySeconds", "spec.ports", "spec.replicas"]


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("example.org/v1", "Thing"),
        ("apps/v1beta1", "Deployment"),
        ("apps/v9", "Deployment"),
        ("networking.example.org/v1", "Ingress"),
        ("v1", "Container"),
        ("v1", "_Definitions"),
        ("v1", "../configmap"),
        ("../v1", "ConfigMap"),
        ("v1", "Deployment"),
    ],
)
def test_kinds_that_nobody_serves(schemas: KubernetesSchemas, api_version: str, kind: str) -> None:
    found = schemas.check(the_set(plain(api_version, kind)), "1.33", NONE)
    assert said(found) == [("DST229", "")]


def test_a_kind_that_the_package_lists_is_a_warning() -> None:
    known = frozenset({GroupVersionKind("networking.istio.io", "v1", "Gateway")})
    gateway = the_set(plain("networking.istio.io/v1", "Gateway", spec={"any": 1}))
    (found,) = KubernetesSchemas().check(gateway, "1.33", known)
    assert (found.code, found.severity) == ("DST229", Severity.WARNING)
    assert "networking.istio.io/v1/Gateway" in found.message
    (other,) = KubernetesSchemas().check(gateway, "1.33", NONE)
    assert other.severity is Severity.ERROR


@pytest.mark.parametrize("secret", ["hunter2", 12345])
def test_values_of_secrets_are_never_repeated(schemas: KubernetesSchemas, secret: object) -> None:
    wrong = the_set(plain("v1", "Secret", stringData={"token": [secret]}, data=secret))
    found = schemas.check(wrong, "1.33", NONE)
    assert len(found) == 2
    assert not any(str(secret) in f"{finding}{finding.remedy}" for finding in found)


def test_messages_are_short(schemas: KubernetesSchemas) -> None:
    wrong = the_set(plain("v1", "ConfigMap", data="x" * 10_000))
    assert all(len(f.message) < 600 for f in schemas.check(wrong, "1.33", NONE))


def test_one_object_cannot_flood_the_report(schemas: KubernetesSchemas) -> None:
    wrong = the_set(plain("v1", "ConfigMap", data={f"k{n}": n for n in range(1000)}))
    assert len(schemas.check(wrong, "1.33", NONE)) == 50


@pytest.mark.parametrize(
    ("kubernetes", "minor"),
    [
        ("1.33", 33), ("v1.33", 33), ("1.33.4", 33), ("1.33+", 33), ("v1.33.4-eks-123", 33),
        ("1.20", 25), ("1.25", 25), ("1.99", max(ShippedSchemas()._folders)),
        ("", max(ShippedSchemas()._folders)),
    ],
)  # fmt: skip
def test_the_nearest_minor_counts(kubernetes: str, minor: int) -> None:
    assert ShippedSchemas().minor(kubernetes) == minor


@pytest.mark.parametrize("kubernetes", ["latest", "2.1", "1", "1.x", "1.33\n", "../1.33"])
def test_what_is_no_version_is_an_error(schemas: KubernetesSchemas, kubernetes: str) -> None:
    assert said(schemas.check(the_set(service()), kubernetes, NONE)) == [("DST228", "")]


def test_a_field_that_came_later_depends_on_the_minor(schemas: KubernetesSchemas) -> None:
    newer = the_set(deployment(template={"spec": {**POD, "resources": {"limits": {"cpu": "1"}}}}))
    assert schemas.check(newer, "1.34", NONE) == ()
    assert said(schemas.check(newer, "1.29", NONE)) == [("DST228", "spec.template.spec")]


def test_nothing_is_checked_twice() -> None:
    schemas = KubernetesSchemas()
    objects = the_set(deployment(), deployment(replicas="two"))
    first = schemas.check(objects, "1.33", NONE)
    again = schemas.check(objects, "1.33", NONE)
    assert first == again
    assert first[0] is again[0]


def test_no_objects_no_findings(schemas: KubernetesSchemas) -> None:
    assert schemas.check(the_set(), "1.33", NONE) == ()


def test_the_same_kind_for_two_minors_and_a_bounded_memory() -> None:
    """Forty minors asked for are thirteen shipped; each kind's schema holds only what it reaches."""
    schemas = KubernetesSchemas()
    for minor in range(1, 41):
        assert schemas.check(the_set(service()), f"1.{minor}", NONE) == ()
    shipped = ShippedSchemas()
    kind = GroupVersionKind("", "v1", "ConfigMap")
    schema = shipped.find(kind, 33)
    assert schema is not None
    assert len(schema["$defs"]) < 10
    assert "description" not in schema
