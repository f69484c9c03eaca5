"""What a target says beforehand, weighed: a refusal that the same revision settles first is none."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import Action, ApplyPlan, ChangeSet
from distributor.model.findings import Finding
from distributor.model.manifest import Manifest
from distributor.model.refs import ObjectRef
from distributor.model.rehearsals import Rehearsal
from distributor.plan import apply_plan, changes, foretold, not_asked, probes, text
from tests.unit.plan.objects import (
    OWNER,
    by_ref,
    crd,
    entry,
    inventory,
    live,
    manifest,
    manifests,
    mirrored,
    said,
)

RBAC = "rbac.authorization.k8s.io"
CART, TILL = "ConfigMap/shop/cart", "ConfigMap/shop/till"
DEPENDS = "config.kubernetes.io/depends-on"


def refused(ref: str, message: str = "no", code: str = "DST402") -> Rehearsal:
    return Rehearsal(ref=ObjectRef.parse(ref), error=Finding(code=code, message=message))


def planned(*wanted: str | Manifest, there: tuple[Any, ...] = (), **how: Any) -> tuple[Any, ...]:
    """The changes towards these objects, their plan, and what is there."""
    desired = manifests(*wanted)
    seen = by_ref(there)
    found = changes(desired, how.get("held"), seen, owner=OWNER, prune={})
    return found, apply_plan(found, desired, hooked=how.get("hooked", False)), seen


def told(
    scene: tuple[ChangeSet, ApplyPlan, Any], *answers: Rehearsal, hooked: bool = False
) -> ChangeSet:
    found, plan, seen = scene
    return foretold(found, plan, {a.ref: a for a in answers}, seen, hooked=hooked)


def codes(found: ChangeSet) -> list[str]:
    return [f.code for f in found.findings]


def test_what_is_in_a_new_place_is_not_asked_about():
    custom = manifest("x.example/Thing/shop/t")
    asks = manifest("ConfigMap/till/a", annotations={DEPENDS: "/namespaces/shop/ConfigMap/cart"})
    found, plan, _ = planned("Namespace//shop", CART, crd("x.example", "Thing"), custom, asks)
    assert {str(ref): why for ref, why in not_asked(found, plan).items()} == {
        CART: "its namespace is made by this revision",
        "x.example/Thing/shop/t": "its kind is made by this revision",
    }
    there = (live("Namespace//shop", applied=manifest("Namespace//shop").digest),)
    found, plan, _ = planned("Namespace//shop", CART, there=there)
    assert not_asked(found, plan) == {}


def test_one_object_of_each_kind_and_namespace_is_tried_first():
    group = manifests(CART, TILL, "ConfigMap/other/a", "Service/shop/a")
    assert [str(m.ref) for m in probes(group)] == ["ConfigMap/other/a", CART, "Service/shop/a"]


def test_a_refusal_stops_its_own_object_and_all_that_need_it():
    later = manifest(TILL, annotations={DEPENDS: "/namespaces/shop/ConfigMap/cart"})
    last = manifest("ConfigMap/shop/z", annotations={"distributor.dev/phase": "1"})
    gone = live("ConfigMap/shop/old", uid="o")
    held = inventory(entry("ConfigMap/shop/old", "o"))
    scene = planned(CART, later, last, "ConfigMap/shop/other", there=(gone,), held=held)
    found = told(scene, refused(CART))
    assert said(found) == [
        (CART, Action.SKIPPED, "would be refused: DST402"),
        ("ConfigMap/shop/other", Action.CREATED, ""),
        (TILL, Action.SKIPPED, f"it needs {CART}"),
        ("ConfigMap/shop/z", Action.SKIPPED, f"phase 1 comes after {CART}"),
        ("ConfigMap/shop/old", Action.SKIPPED, "waits until all else is applied"),
    ]
    assert codes(found) == ["DST402", "DST507", "DST507"]


def test_nothing_after_the_first_hooks_is_come_to_where_what_they_stand_on_is_refused():
    scene = planned("Namespace//shop", CART, hooked=True)
    found = told(scene, refused("Namespace//shop"), hooked=True)
    assert [(a, bool(r)) for _, a, r in said(found)] == [(Action.SKIPPED, True)] * 2
    assert codes(found) == ["DST402"]


def test_a_later_phase_after_hooks_is_left_out_for_what_fails_before_it():
    last = manifest("ConfigMap/shop/z", annotations={"distributor.dev/phase": "1"})
    gone = live("ConfigMap/shop/old", uid="o")
    held = inventory(entry("ConfigMap/shop/old", "o"))
    scene = planned(CART, last, there=(gone,), held=held, hooked=True)
    found = told(scene, refused(CART), hooked=True)
    assert said(found)[1:] == [
        ("ConfigMap/shop/z", Action.SKIPPED, f"phase 1 comes after {CART}"),
        ("ConfigMap/shop/old", Action.SKIPPED, "waits until all else is applied"),
    ]
    assert codes(found) == ["DST402", "DST507"]


def binding() -> Manifest:
    role = {"apiGroup": RBAC, "kind": "Role", "name": "r"}
    return manifest(f"{RBAC}/RoleBinding/shop/b", roleRef=role)


@pytest.mark.parametrize(
    ("wanted", "answer", "first"),
    [
        ((CART, manifest(TILL, annotations={DEPENDS: "/namespaces/shop/ConfigMap/cart"})),
         refused(TILL), CART),
        (("ServiceAccount/shop/s", "Pod/shop/p"),
         refused("Pod/shop/p", 'error looking up: serviceaccount "s" not found'),
         "ServiceAccount/shop/s"),
        (("scheduling.k8s.io/PriorityClass//high", "Pod/shop/p"),
         refused("Pod/shop/p", "no PriorityClass with name high was found"),
         "scheduling.k8s.io/PriorityClass//high"),
        ((f"{RBAC}/Role/shop/r", binding()),
         refused(f"{RBAC}/RoleBinding/shop/b", 'roles.rbac.authorization.k8s.io "r" not found'),
         f"{RBAC}/Role/shop/r"),
    ],
    ids=["depends-on", "service account", "priority class", "role"],
)  # fmt: skip
def test_what_comes_first_may_settle_a_refusal(wanted: Any, answer: Rehearsal, first: str):
    found = told(planned(*wanted), answer)
    assert codes(found) == []
    (change,) = [c for c in found.changes if c.ref == answer.ref]
    assert change.action is Action.CREATED
    assert change.unasked == f"it needs {first}, which this revision makes or changes first"
    alone = told(planned(*wanted[1:]), answer) if not asks(wanted[1]) else None
    assert alone is None or codes(alone) == [answer.error.code if answer.error else ""]


def asks(wanted: str | Manifest) -> bool:
    return isinstance(wanted, Manifest) and DEPENDS.encode() in wanted.body


@pytest.mark.parametrize(("changed", "settles"), [("schema", True), ("label", False)])
def test_a_definition_settles_it_only_where_it_changes_itself(changed: str, settles: bool):
    old = crd("x.example", "Thing")
    body = old.data()
    if changed == "schema":
        body["spec"]["versions"] = [{"name": "v1"}]
    else:
        body["metadata"]["labels"] = {"version": "2"}
    new, custom = Manifest.of(body), manifest("x.example/Thing/shop/t", spec={"a": 1})
    made = Rehearsal(ref=new.ref, made=new.data())
    found = told(planned(new, custom, there=(mirrored(old),)), made, refused(str(custom.ref)))
    assert codes(found) == ([] if settles else ["DST402"])


@pytest.mark.parametrize(
    ("message", "settles"), [('violates PodSecurity "restricted"', True), ("no", False)]
)
def test_a_namespace_that_changes_may_let_more_in(message: str, settles: bool):
    old = manifest("Namespace//shop")
    new = Manifest.of({**old.data(), "metadata": {"name": "shop", "labels": {"a": "b"}}})
    scene = planned(new, "Pod/shop/p", there=(mirrored(old),))
    found = told(scene, refused("Pod/shop/p", message))
    assert codes(found) == ([] if settles else ["DST402"])


def test_a_hook_before_may_make_what_is_not_there_and_nothing_else():
    found = told(planned(CART), refused(CART, code="DST411"), hooked=True)
    assert codes(found) == []
    assert found.changes[0].unasked == "a hook before it may make what it needs"
    assert codes(told(planned(CART), refused(CART, code="DST411"))) == ["DST411"]
    assert codes(told(planned(CART), refused(CART, code="DST416"), hooked=True)) == ["DST416"]


def test_fields_that_would_be_others_are_named_whoever_changes_them():
    old = manifest(CART, data={"a": "1", "gone": "x"}, kept={"b": 1})
    new = manifest(CART, data={"a": "2"}, kept={"b": 1})
    made = new.data() | {"data": {"a": "2", "team": "platform"}, "status": {"phase": "x"}}
    made["metadata"] |= {"resourceVersion": "7", "managedFields": [{"manager": "distributor"}]}
    found = told(planned(new, there=(mirrored(old),)), Rehearsal(ref=new.ref, made=made))
    assert found.changes[0].fields == ("data.a", "data.gone", "data.team")
    assert "changes data.a, data.gone, data.team" in text(found)
    broken = Rehearsal(ref=new.ref, made={"kind": 7})
    assert told(planned(new, there=(mirrored(old),)), broken).changes[0].fields == ()
