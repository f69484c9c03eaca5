"""Claims: whose fields become ours, what is handed over, and what that makes of the managed fields."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import LiveObject
from distributor.model.manifest import Manifest
from distributor.model.ownership import Claim
from distributor.plan.claims import claim, undone
from distributor.plan.conflicts import held, told
from distributor.plan.managed import handed_over, rewritten
from distributor.plan.unchangeable import unchangeable

OURS, CLIENT, HAND = "distributor", "kubectl-client-side-apply", "distributor-hand-over"
ADOPT = frozenset({CLIENT, "before-first-apply"})


def fields(*paths: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in paths:
        place = found
        for step in path.split("."):
            place = place.setdefault(f"f:{step}", {})
    return found


def entry(manager: str, *paths: str, version: str = "apps/v1", **more: str) -> dict[str, Any]:
    operation = "Apply" if manager in {OURS, HAND} else "Update"
    return {
        "manager": manager, "operation": operation, "apiVersion": version, "fieldsType": "FieldsV1",
        "fieldsV1": fields(*paths), **more,
    }  # fmt: skip


def body(version: str = "apps/v1", annotations: dict[str, str] | None = None, **spec: Any):
    metadata: dict[str, Any] = {"name": "web", "namespace": "shop"}
    if annotations:
        metadata["annotations"] = annotations
    kind = "Deployment" if version == "apps/v1" else "Gadget"
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def live(*entries: Any, **spec: Any) -> LiveObject:
    data = body(**spec)
    data["metadata"]["managedFields"] = list(entries)
    return LiveObject(ref=Manifest.of(data).ref, api_version=data["apiVersion"], data=data)


def claimed(there: LiveObject, *, adopt: frozenset[str] = ADOPT, **wanted: Any) -> Claim:
    return claim(Manifest.of(body(**wanted)), there, adopt)


REPLICAS = (("spec", "replicas"),)


@pytest.mark.parametrize(
    ("entries", "wanted", "expected"),
    [
        pytest.param([entry(OURS, "spec.replicas")], {}, REPLICAS, id="ours alone"),
        pytest.param([entry(OURS, "spec.replicas")], {"replicas": 2}, (), id="still set"),
        pytest.param([entry(OURS, "spec.replicas")], {"replicas": None}, REPLICAS, id="set to null"),
        pytest.param([entry(OURS, "spec.paused")], {}, (), id="never ours"),
        pytest.param([], {}, (), id="nobody's"),
        pytest.param(
            [entry(OURS, "spec.replicas"), entry("kube-controller-manager", "spec.replicas", subresource="scale")],
            {}, (), id="an autoscaler's too",
        ),
        pytest.param([entry(CLIENT, "spec.replicas")], {}, REPLICAS, id="taken over"),
        pytest.param([entry("before-first-apply", "spec.replicas")], {}, (), id="let go of"),
        pytest.param(
            [entry(OURS, "spec.replicas"), entry(HAND, "spec.replicas")], {}, (), id="handed over already"
        ),
    ],
)  # fmt: skip
def test_what_is_handed_over(entries, wanted, expected):
    assert claimed(live(*entries, replicas=5), **wanted).hands_over == expected


def test_more_is_handed_over_by_annotation():
    notes = {"distributor.dev/handed-over": "/spec/a~1b, nonsense, /spec/gone"}
    there = live(entry(OURS, "spec.a/b", "spec.c"), **{"a/b": 1, "c": 2})
    assert claimed(there, annotations=notes).hands_over == (("spec", "a/b"),)


@pytest.mark.parametrize(
    ("entries", "wanted", "expected"),
    [
        ([entry(CLIENT, "spec.a")], {}, {CLIENT}),
        ([entry("helm", "spec.a")], {}, set()),
        ([entry(CLIENT, "spec.a", subresource="scale")], {}, set()),
        ([entry(OURS, "spec.a")], {"a": 1}, set()),
        ([entry(HAND, "spec.replicas")], {"replicas": 1}, {HAND}),
        ([entry(HAND, "spec.replicas")], {}, set()),
    ],
)
def test_whose_fields_become_ours(entries, wanted, expected):
    assert claimed(live(*entries), **wanted).takes == expected


def test_our_own_name_on_the_list_takes_nothing():
    assert claimed(live(entry(OURS, "spec.a")), adopt=frozenset({OURS})).takes == frozenset()


@pytest.mark.parametrize(
    ("version", "written", "expected"),
    [
        ("x.example/v1", "x.example/v1beta1", True),
        ("x.example/v1", "x.example/v1", False),
        ("apps/v1", "apps/v1beta1", False),
    ],
)
def test_only_custom_kinds_need_their_version_moved(version, written, expected):
    there = live(entry("op", "spec.a", version=written), version=version)
    assert claimed(there, version=version).migrates is expected


@pytest.mark.parametrize(
    "managed", [None, "text", [None], [{}], [{"manager": 1}], [{"manager": "a", "fieldsV1": 3}]]
)
def test_no_shape_of_managed_fields_breaks_it(managed):
    data = {**body(), "metadata": {"name": "web", "namespace": "shop", "managedFields": managed}}
    there = LiveObject(ref=Manifest.of(body()).ref, api_version="apps/v1", data=data)
    assert not claimed(there).prepares


def test_what_is_taken_becomes_part_of_our_apply():
    there = live(entry(OURS, "spec.a"), entry(CLIENT, "spec.b", "spec.c.d"), entry("op", "spec.e"))
    found = rewritten(there.data, Claim(takes=frozenset({CLIENT})), "apps/v1")
    assert found == [entry(OURS, "spec.a", "spec.b", "spec.c.d"), entry("op", "spec.e")]


def test_without_an_apply_of_ours_it_is_made_one():
    found = rewritten(
        live(entry(CLIENT, "spec.b")).data, Claim(takes=frozenset({CLIENT})), "apps/v1"
    )
    assert found == [entry(OURS, "spec.b")]


def test_what_was_there_before_the_first_apply_is_let_go_of():
    there = live(entry("before-first-apply", "spec.b"), entry("op", "spec.e"))
    found = rewritten(there.data, Claim(takes=frozenset({"before-first-apply"})), "apps/v1")
    assert found == [entry("op", "spec.e")]


def test_every_entry_moves_to_the_version():
    there = live(
        entry(OURS, "a", version="x.example/v1beta1"), entry("op", "b", version="x.example/v1")
    )
    found = rewritten(there.data, Claim(migrates=True), "x.example/v1") or []
    assert [e["apiVersion"] for e in found] == ["x.example/v1"] * 2
    assert rewritten(there.data, Claim(), "x.example/v1") is None


def test_a_part_of_the_object_is_handed_over():
    there = {"spec": {"replicas": 5, "paused": True}}
    assert handed_over(there, [("spec", "replicas"), ("spec", "gone", "deeper")]) == {
        "spec": {"replicas": 5}
    }


def test_a_claim_says_what_it_does():
    said = Claim(takes=frozenset({"b", "a"}), hands_over=REPLICAS, migrates=True)
    assert str(said) == (
        "takes over what a, b set; hands over spec.replicas; moves its managed fields to this apiVersion"
    )
    assert not str(Claim(over=frozenset({"a"})))


def test_what_was_agreed_to_is_told_as_that():
    assert (
        told({"op": ("spec.a", "spec.b")}, agreed=True) == "takes spec.a, spec.b from op, as agreed"
    )


def test_managed_fields_may_be_as_deep_as_they_like():
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"f:a": deep}
    data = body()
    data["metadata"]["managedFields"] = [entry(CLIENT, "spec.a"), {**entry("op"), "fieldsV1": deep}]
    there = LiveObject(ref=Manifest.of(body()).ref, api_version="apps/v1", data=data)
    assert claimed(there).takes == {CLIENT}
    left = rewritten(there.data, Claim(takes=frozenset({CLIENT})), "apps/v1")
    assert left is None, "what cannot be read is not written again, so nothing is lost"


def of(kind: str, api_version: str, **parts: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, **parts}


RBAC = "rbac.authorization.k8s.io/v1"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (of("Job", "batch/v1", spec={"template": {"a": 1}}), {"spec": {"template": {"a": 2}}}, "spec.template.a"),
        (of("Job", "batch/v1", spec={"suspend": True}), {"spec": {"suspend": False}}, ""),
        (of("Job", "batch/v1", spec={"templates": 1}), {"spec": {"templates": 2}}, ""),
        (of("RoleBinding", RBAC, roleRef={"name": "a"}), {"roleRef": {"name": "b"}}, "roleRef.name"),
        (of("RoleBinding", RBAC, subjects=[]), {"subjects": [{"name": "a"}]}, ""),
        (of("ConfigMap", "v1", immutable=True, data={"a": "1"}), {"data": {"a": "2"}}, "data.a"),
        (of("ConfigMap", "v1", immutable=True, data={"a": "1"}), {"immutable": None}, "immutable"),
        (of("ConfigMap", "v1", data={"a": "1"}), {"data": {"a": "2"}}, ""),
        (of("StatefulSet", "apps/v1", spec={"serviceName": "a"}), {"spec": {"serviceName": "b"}}, ""),
        (of("Job", "other.example/v1", spec={"template": 1}), {"spec": {"template": 2}}, ""),
    ],
)  # fmt: skip
def test_what_can_only_be_made_anew(before, after, expected):
    there = LiveObject(ref=Manifest.of(before).ref, api_version=before["apiVersion"], data=before)
    assert unchangeable(Manifest.of({**before, **after}), there) == expected


@pytest.mark.parametrize(
    ("entries", "wanted", "expected"),
    [
        ([entry("op", "spec.a")], {"a": 2}, "conflicts with op over spec.a"),
        ([entry("op", "spec.a")], {"a": 1}, ""),
        ([entry(OURS, "spec.a")], {"a": 2}, ""),
        ([entry(CLIENT, "spec.a")], {"a": 2}, ""),
        ([entry("op", "spec.a"), entry("b", "spec.b")], {"a": 2, "b": 2}, "conflicts with b over spec.b; conflicts with op over spec.a"),
        ([entry("kube-controller-manager", "spec.replicas", subresource="scale")], {"replicas": 2}, ""),
        ([], {"a": 2}, ""),
    ],
)  # fmt: skip
def test_conflicts_are_foreseen(entries, wanted, expected):
    there = live(*entries, a=1, b=1, replicas=5)
    found = held(Manifest.of(body(**wanted)), there, ADOPT)
    assert told(found, agreed=False) == expected


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("kubectl*",), {"kubectl", "kubectl-edit"}),
        (("kubectl",), {"kubectl"}),
        (("*",), {"kubectl", "kubectl-edit", "operator"}),
        ((), set()),
    ],
)
def test_edits_are_undone_by_name_and_never_our_own(patterns, expected):
    there = live(
        entry(OURS, "spec.replicas"),
        entry("kubectl-edit", "spec.paused"),
        entry("kubectl", "spec.replicas", subresource="scale"),
        entry("operator", "spec.minReadySeconds"),
    )
    assert undone(there.data, patterns) == expected
