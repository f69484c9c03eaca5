"""What API servers' answers mean, and what is sent: tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from distributor.adapters.kube.bodies import APPLIED, apply_body, live_object
from distributor.adapters.kube.discovery import Resource, read
from distributor.adapters.kube.messages import (
    Answer,
    error_of,
    meant,
    missing_namespace,
    proves_absence,
)
from distributor.errors.cluster import ApiRefused, BrokenAnswer
from distributor.model.manifest import Manifest
from distributor.model.refs import GroupKind, ObjectRef


def answer(code: int, **status: object) -> Answer:
    body = {"kind": "Status", "status": "Failure", "code": code, **status}
    return Answer(status=code, body=json.dumps(body).encode())


def cause(reason: str, message: str, field: str = "") -> dict[str, Any]:
    return {"causes": [{"reason": reason, "message": message, "field": field}]}


DENIAL = 'admission webhook "x.example.com" denied the request: '
POLICY = "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "
TYPED = "failed to create typed patch object (/s; /v1, Kind=Service): "
CONVERTED = "failed to convert new object (/s; /v1, Kind=Secret) to proper version: "

CASES = [
    (answer(400, message="bad"), "DST402", "bad"),
    (answer(401, message="Unauthorized"), "DST470", "Unauthorized"),
    (Answer(status=401, body=b""), "DST470", "HTTP 401"),
    (
        answer(403, message='pods is forbidden: User "eve" cannot list resource "pods"'),
        "DST406",
        "eve",
    ),
    (answer(403, message='pods "x" is forbidden: exceeded quota: q'), "DST402", "quota"),
    (answer(403, message='pods "x" is forbidden: violates PodSecurity'), "DST402", "PodSecurity"),
    (answer(403, message="x", details=cause("NamespaceTerminating", "m")), "DST419", "x"),
    (answer(404, message="not found"), "DST402", "not found"),
    (Answer(status=404, body=b"404 page not found"), "DST405", "HTTP 404"),
    (
        answer(409, details=cause("FieldManagerConflict", 'conflict with "helm"', ".spec.replicas")),
        "DST407",
        '.spec.replicas: conflict with "helm"',
    ),
    (answer(409, message="the object has been modified"), "DST404", "modified"),
    (
        answer(422, details=cause("FieldValueInvalid", "Invalid value: 0", "spec.ports[0].port")),
        "DST402",
        "spec.ports[0].port: Invalid value: 0",
    ),
    (answer(422, details=cause("FieldValueInvalid", "field is immutable", "spec.selector")), "DST416", "spec.selector"),
    (answer(422, details=cause("FieldValueInvalid", f"Invalid value: {'x' * 900}: field is immutable", "spec.template")), "DST416", "field is immutable"),
    (answer(422, details=cause("FieldValueInvalid", "Invalid value: {}: cannot change roleRef", "roleRef")), "DST416", "roleRef"),
    (answer(422, message="x is invalid"), "DST402", "x is invalid"),
    (answer(403, message=DENIAL + 'User "eve" cannot say that'), "DST402", "eve"),
    (answer(422, message=DENIAL + "spec.size is immutable"), "DST402", "immutable"),
    (answer(422, message=DENIAL, details=cause("FieldValueInvalid", "x is immutable")), "DST402", DENIAL),
    (answer(422, message=POLICY + "it is immutable"), "DST402", POLICY),
    (answer(500, message=f"failed calling webhook: {'x' * 900}: connection refused"), "DST404", "connection refused"),
    (answer(500, message=DENIAL + "my database is away"), "DST404", DENIAL),
    (answer(500, message=TYPED + '.spec.x[name="web"].imagee: field not declared in schema'), "DST402", 'cart: spec.x[name="web"].imagee: field not declared'),
    (answer(500, message=TYPED + "errors:\n  .spec.a: duplicate entries\n  .spec.b: missing"), "DST402", "cart: spec.a: duplicate entries; spec.b: missing"),
    (answer(500, message=TYPED + ".spec." + "x" * 900 + ": field not declared in schema"), "DST402", "field not declared in schema"),
    (answer(500, message=CONVERTED + "illegal base64 data at input byte 3"), "DST402", "illegal base64"),
    (answer(500, message=CONVERTED + "conversion webhook for a.b/v1, Kind=C failed: connection refused"), "DST404", "connection refused"),
    (answer(500, message="failed to create typed live object (/s; /v1, Kind=Service): .x: y"), "DST404", "live object"),
    (answer(500, message=DENIAL + TYPED + ".spec.x: y"), "DST404", "denied"),
    (answer(500, message="etcdserver: request is too large"), "DST402", "too large"),
    (answer(500, message="rpc error: code = ResourceExhausted desc = trying to send message larger than max (3 vs. 2)"), "DST402", "larger than max"),
    (answer(500, message="rpc error: code = ResourceExhausted desc = quota"), "DST404", "quota"),
    (answer(413, message="Request entity too large: limit is 3145728"), "DST402", "3145728"),
    (answer(429, message=DENIAL + "later"), "DST403", DENIAL),
    (
        answer(422, details=cause("FieldValueForbidden", "Forbidden: updates to statefulset spec for fields other than", "spec")),
        "DST416",
        "spec",
    ),
    (answer(429, message="slow down"), "DST403", "slow down"),
    (answer(500, message="etcd"), "DST404", "etcd"),
    (Answer(status=503, body=b"<html>"), "DST404", "HTTP 503"),
    (Answer(status=302, body=b""), "DST405", "HTTP 302"),
    (answer(400, message="x" * 10_000, details={"causes": "no list"}), "DST402", "xxx"),
    (answer(422, details={"causes": [1, {}]}), "DST402", ""),
]  # fmt: skip


@pytest.mark.parametrize(("given", "code", "text"), CASES)
def test_every_answer_has_a_code(given: Answer, code: str, text: str) -> None:
    error = error_of(given, "Deployment/shop/cart")
    assert error.code == code
    assert error.detail.startswith("Deployment/shop/cart")
    assert text in error.detail
    assert len(error.detail) < 400


def test_a_value_of_the_wrong_type_is_not_shown() -> None:
    text = (
        TYPED
        + '.data.pin: expected string, got &value.valueUnstructured{Value:map[string]interface {}{"b":4711}}'
    )
    error = error_of(answer(500, message=text), "Secret/shop/s")
    assert error.detail == "Secret/shop/s: data.pin: expected string, got something else"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_good_status_with_a_bad_body_is_broken(body: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        Answer(status=200, body=body).object("it")


def test_the_namespace_that_is_missing() -> None:
    found = answer(404, details={"kind": "namespaces", "name": "shop"})
    assert missing_namespace(found) == "shop"
    assert missing_namespace(answer(404, details={"kind": "pods", "name": "x"})) == ""
    assert missing_namespace(answer(404)) == ""
    assert missing_namespace(Answer(status=404, body=b"")) == ""


def manifest(**more: object) -> Manifest:
    return Manifest.of(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, **more}
    )


def test_what_is_sent_says_what_was_applied() -> None:
    made = manifest(data={"a": "b2xk", "b": "Yg=="}, stringData={"a": "new", "c": ""})
    sent = json.loads(apply_body(made))
    assert sent["metadata"]["annotations"] == {APPLIED: made.digest}
    assert sent["data"] == {"a": "bmV3", "b": "Yg==", "c": ""}
    assert "stringData" not in sent


def test_other_annotations_and_kinds_stay() -> None:
    made = Manifest.of(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "c", "namespace": "n", "annotations": {"a": "b"}},
            "stringData": {"not": "a secret"},
        }
    )
    sent = json.loads(apply_body(made))
    assert sent["metadata"]["annotations"] == {"a": "b", APPLIED: made.digest}
    assert sent["stringData"] == {"not": "a secret"}


def test_an_object_of_a_list_gets_its_kind() -> None:
    live = live_object(ObjectRef("apps", "Deployment", "n", "d"), "apps/v1", {"metadata": {}})
    assert (live.data["apiVersion"], live.data["kind"]) == ("apps/v1", "Deployment")
    assert (live.uid, live.applied, live.owner) == ("", "", "")


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "path"),
    [
        (("", "v1", "pods", True), "n", "p", "/api/v1/namespaces/n/pods/p"),
        (("", "v1", "pods", True), "n", "", "/api/v1/namespaces/n/pods"),
        (("", "v1", "nodes", False), "ignored", "x", "/api/v1/nodes/x"),
        (("a.b", "v2", "roles", False), "", "system:x y/z", "/apis/a.b/v2/roles/system:x%20y%2Fz"),
        (("a.b", "v2", "r", True), "../x", "y", "/apis/a.b/v2/namespaces/..%2Fx/r/y"),
    ],
)
def test_paths(resource: tuple[str, str, str, bool], namespace: str, name: str, path: str) -> None:
    group, version, plural, namespaced = resource
    made = Resource(group=group, version=version, plural=plural, namespaced=namespaced)
    assert made.path(namespace, name) == path


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_would_climb_is_refused(name: str) -> None:
    made = Resource(group="", version="v1", plural="secrets", namespaced=True)
    with pytest.raises(ApiRefused):
        made.of(ObjectRef("", "Secret", "n", name))
    with pytest.raises(ApiRefused):
        made.of(ObjectRef("", "Secret", name, "n"))


def test_discovery_prefers_the_version_asked_for() -> None:
    def version(name: str, freshness: str = "Current") -> dict[str, Any]:
        resources = [
            {"resource": "jobs", "scope": "Namespaced", "responseKind": {"kind": "Job"}},
            {"resource": "broken"},
        ]
        return {"version": name, "freshness": freshness, "resources": resources}

    document = {
        "kind": "APIGroupDiscoveryList",
        "items": [{"metadata": {"name": "batch"}, "versions": [version("v1"), version("v1beta1")]}],
    }
    served = read(document)
    kind = GroupKind("batch", "Job")
    old, preferred = served.find(kind, "v1beta1"), served.any_version(kind, "v9")
    assert old
    assert preferred
    assert (old.version, preferred.version, served.stale) == ("v1beta1", "v1", False)
    assert served.find(kind, "v9") is None
    assert served.any_version(GroupKind("", "Job"), "v1") is None
    document["items"][0]["versions"].append({"version": "v0", "freshness": "Stale"})
    assert read(document).stale


@pytest.mark.parametrize("document", [{}, {"kind": "APIGroupList"}])
def test_other_discovery_is_broken(document: dict[str, Any]) -> None:
    with pytest.raises(BrokenAnswer):
        read(document)


@pytest.mark.parametrize("code", [401, 404, 409, 410])
def test_a_refusal_of_a_webhook_is_never_taken_for_what_its_code_means_elsewhere(code):
    assert meant(code, answer(code, message=DENIAL + "no").body) == 403
    assert meant(code, answer(code, message="admission webhook is not found").body) == code
    assert meant(code, b"not JSON") == code


def test_a_refusal_of_a_policy_engine_keeps_the_names_of_its_rules_and_is_bounded_all_the_same():
    rules = "".join(
        f"\n\nrequire-{n}:\n  check: 'validation error: {'why ' * 20}'" for n in range(9)
    )
    error = error_of(answer(400, message=DENIAL + rules), "Deployment/shop/cart")
    assert all(f"require-{n}:" in error.detail for n in range(9))
    error = error_of(answer(400, message=DENIAL + rules * 90 + " says team platform"), "web")
    assert len(error.detail) < 1300
    assert error.detail.endswith("says team platform")


@pytest.mark.parametrize(
    ("given", "proves"),
    [
        (answer(404, details={"name": "a", "kind": "widgets"}), True),
        (answer(404, details={"name": "shop", "kind": "namespaces"}), False),
        (answer(404, details={}), False),
        (answer(404, details=None), False),
        (answer(404), False),
        (Answer(status=404, body=b"404 page not found"), False),
    ],
)
def test_only_a_404_that_names_the_object_says_that_it_is_not_there(given: Answer, *, proves: bool):
    assert proves_absence(given, "a") is proves
