"""What is not deleted, and not taken over, on the word of a plan alone."""

from __future__ import annotations

import pytest

from distributor.model.changes import Action, LiveObject
from distributor.model.consents import NOTHING_PERMITTED, Deed, Permits
from distributor.model.findings import Severity
from distributor.model.package import PrunePolicy
from distributor.model.refs import GroupKind, ObjectRef
from distributor.plan import changes, guard, held_back
from distributor.plan.changing import NEVER_OURS
from distributor.render.applyset import applyset_id
from distributor.render.labels import INSTANCE
from tests.unit.plan.objects import (
    OWNER,
    by_ref,
    entry,
    inventory,
    live,
    manifest,
    manifests,
    obj,
    said,
)

CART = "apps/Deployment/shop/cart"
SCALED = manifest(CART, spec={"replicas": 2})


def test_a_namespace_in_which_something_stays_is_never_deleted():
    """Whoever agrees to it: what is desired there, what a policy keeps there, and what is another's."""
    gone = "Namespace//shop"
    held = inventory(entry(gone, "u"), entry(CART, "c"), entry("Service/shop/cart"))
    everything = frozenset(held.entries)
    kept = {GroupKind("apps", "Deployment"): PrunePolicy.KEEP}
    tables = (
        (manifests(CART), by_ref([live(gone), live(CART, uid="c")]), {}, CART),
        (manifests(), by_ref([live(gone), live(CART, uid="c")]), kept, CART),
        (manifests(), by_ref([live(gone), live("Service/shop/cart", uid="c", owner="else")]), {}, "Service/shop/cart"),
    )  # fmt: skip
    for wanted, there, prune, stays in tables:
        asked = changes(wanted, held, there, owner=OWNER, prune=prune, consents=everything)
        found = guard(asked, desired=wanted, inventory=held, consents=everything)
        reason = f"would take along {stays}"
        assert (gone, Action.SKIPPED, reason) in said(found)
        assert [f.code for f in found.findings] == ["DST409"]
    alone = by_ref([live(gone), live(CART, uid="c")])
    asked = changes(manifests(), held, alone, owner=OWNER, prune={}, consents=everything)
    free = guard(asked, desired=manifests(), inventory=held, consents=everything)
    assert len(free.of(Action.PRUNED)) == 3
    taken = {ObjectRef.parse(gone): "objects of instance till"}
    found = guard(asked, desired=manifests(), inventory=held, consents=everything, taken=taken)
    assert (gone, Action.SKIPPED, "would take along objects of instance till") in said(found)


@pytest.mark.parametrize(
    ("there", "going", "guarded"),
    [(12, 6, 0), (12, 7, 7), (6, 5, 0), (8, 8, 8), (20, 10, 0), (20, 11, 11)],
)
def test_a_large_share_of_the_objects_goes_only_by_consent(there: int, going: int, guarded: int):
    refs = [f"ConfigMap/shop/c{n:02}" for n in range(there)]
    held = inventory(*(entry(ref, ref) for ref in refs))
    wanted = manifests("Service/shop/cart", *refs[going:])
    seen = by_ref(live(ref, uid=ref) for ref in refs)
    asked = changes(wanted, held, seen, owner=OWNER, prune={})
    found = guard(asked, desired=wanted, inventory=held)
    assert [f.code for f in found.findings if f.code == "DST409"] == ["DST409"] * guarded
    assert len(found.of(Action.PRUNED)) == going - guarded
    everything = frozenset(held.entries)
    assert guard(asked, desired=wanted, inventory=held, consents=everything) == asked


def _written_by(
    ref: str, *managers: tuple[str, str], applied: str = "", owner: str = OWNER
) -> LiveObject:
    data = obj(ref)
    data["metadata"]["managedFields"] = [{"manager": m, "operation": o} for m, o in managers]
    return live(ref, applied=applied, owner=owner, data=data)


@pytest.mark.parametrize(
    ("there", "entries", "action", "code"),
    [
        (_written_by(CART, ("distributor", "Apply")), (), Action.CONFIGURED, ""),
        (
            _written_by(CART, ("someone", "Update"), ("distributor", "Apply")),
            (),
            Action.CONFIGURED,
            "",
        ),
        (_written_by(CART, ("operator", "Update")), (), Action.SKIPPED, "DST430"),
        (_written_by(CART, ("distributor", "Update")), (), Action.SKIPPED, "DST430"),
        (
            _written_by(CART, ("operator", "Update"), applied="sha256:parent"),
            (),
            Action.SKIPPED,
            "DST430",
        ),
        (_written_by(CART, ("backup", "Update"), applied=SCALED.digest), (), Action.CONFIGURED, ""),
        (_written_by(CART, ("backup", "Update")), (entry(CART, "u"),), Action.CONFIGURED, ""),
        (_written_by(CART, ("backup", "Update")), (entry(CART, "v"),), Action.SKIPPED, "DST430"),
        (_written_by(CART, ("distributor", "Apply"), owner=""), (), Action.SKIPPED, "DST430"),
        (
            _written_by(CART, ("distributor", "Apply"), owner="", applied="sha256:theirs"),
            (entry(CART, "", SCALED.digest),),
            Action.SKIPPED,
            "DST430",
        ),
        (
            _written_by(CART, ("distributor", "Apply"), owner="", applied="sha256:before"),
            (entry(CART, "", "sha256:before"),),
            Action.CONFIGURED,
            "",
        ),
        (
            _written_by(CART, ("distributor", "Apply"), owner=""),
            (entry(CART, "u"),),
            Action.CONFIGURED,
            "",
        ),
    ],
)
def test_a_copied_owner_label_fools_nobody(there, entries, action, code):
    """Operators copy labels and annotations; who wrote an object they cannot copy."""
    found = changes(manifests(SCALED), inventory(*entries), by_ref([there]), owner=OWNER, prune={})
    assert [c.action for c in found.changes] == [action]
    assert [f.code for f in found.findings] == ([code] if code else [])
    if code:
        agreed = changes(
            manifests(SCALED), None, by_ref([there]), owner=OWNER, prune={}, adopting=True
        )
        assert [c.action for c in agreed.changes] == [Action.CONFIGURED]


def test_an_object_without_its_label_names_the_instance_that_applied_it():
    there = _written_by(CART, ("distributor", "Apply"), owner="")
    there.data["metadata"]["labels"] = {"app.kubernetes.io/instance": "till"}
    found = changes(manifests(SCALED), None, by_ref([there]), owner=OWNER, prune={})
    assert said(found) == [(CART, Action.SKIPPED, "lost its owner label; instance till applied it")]
    held = inventory(entry(CART))
    left = changes(manifests("Service/shop/cart"), held, by_ref([there]), owner=OWNER, prune={})
    assert [f.code for f in left.findings] == ["DST418"], "it is not forgotten in silence"


def test_a_copy_is_not_pruned():
    copy = _written_by(CART, ("operator", "Update"), applied="sha256:parent")
    held = inventory(entry(CART))
    found = changes(manifests("Service/shop/cart"), held, by_ref([copy]), owner=OWNER, prune={})
    reason = "only carries a copy of our label: operator made it"
    assert said(found)[1] == (CART, Action.SKIPPED, reason)
    assert [f.code for f in found.findings] == ["DST418"]


def test_what_is_there_is_taken_over_only_where_somebody_says_so():
    there = by_ref([live(CART, owner="")])
    marked = manifest(CART, annotations={"distributor.dev/adopt": "existing"})
    for wanted, agreed in ((manifests(marked), False), (manifests(CART), True)):
        found = changes(wanted, None, there, owner=OWNER, prune={}, adopting=agreed)
        assert said(found) == [(CART, Action.CONFIGURED, "adopted: nobody's")]
        assert [f.code for f in found.findings] == ["DST429"]


def test_nothing_goes_while_what_is_wanted_is_refused():
    """It goes once the new is there; a claim holds nothing back, and what went already is forgotten."""
    held = inventory(entry("ConfigMap/shop/old", "o"), entry("ConfigMap/shop/went", "w"))
    for ref, action in ((CART, Action.SKIPPED), ("PersistentVolumeClaim/shop/d", Action.PRUNED)):
        there = by_ref([live(ref, owner=""), live("ConfigMap/shop/old", uid="o")])
        found = changes(manifests(ref), held, there, owner=OWNER, prune={})
        assert [f.code for f in found.findings] == ["DST430"]
        left = held_back(found, NOTHING_PERMITTED.allows)
        reason = f"goes once {CART} is as wanted" if action is Action.SKIPPED else ""
        assert ("ConfigMap/shop/old", action, reason) in said(left)
        assert str(left.of(Action.PRUNED)[-1].ref) == "ConfigMap/shop/went"
        if asked := [c.asks for c in left.changes if c.asks and c.asks.deed is Deed.HURRY]:
            assert held_back(found, Permits.of(asked).allows) == found, "people agreed to it"
        assert bool(asked) == bool(reason)


def test_a_namespace_that_was_there_is_used_and_left():
    home = "Namespace//shop"
    there = by_ref([live(home, owner="")])
    found = changes(manifests(home), None, there, owner=OWNER, prune={})
    assert said(found) == [(home, Action.SKIPPED, "was there before, and is used as it is")]
    assert [(f.code, f.severity) for f in found.findings] == [("DST431", Severity.WARNING)]
    gone = changes(manifests(), inventory(entry(home)), there, owner=OWNER, prune={})
    assert said(gone) == [(home, Action.SKIPPED, NEVER_OURS)]


def test_both_owners_of_one_object_are_named():
    wanted, there = manifests(CART), by_ref([live(CART, owner=applyset_id("till"))])
    names = ("cart", "till", "shop")
    found = changes(wanted, None, there, owner=applyset_id("shop"), prune={}, names=names)
    reason = "belongs to instance till, wanted by instance shop"
    assert said(found) == [(CART, Action.SKIPPED, reason)]
    assert [(f.code, reason in f.message) for f in found.findings] == [("DST410", True)]


@pytest.mark.parametrize(
    ("named", "entries", "action"),
    [
        ("shop", (entry(CART),), Action.PRUNED),
        ("shop", (entry(CART, "another"),), Action.PRUNED),
        ("till", (entry(CART),), Action.SKIPPED),
        ("", (entry(CART),), Action.SKIPPED),
        ("", (entry(CART, "another"),), Action.SKIPPED),
        ("till", (entry(CART, "u"),), Action.PRUNED),
    ],
)
def test_what_lost_its_owner_label_goes_where_it_is_provably_ours(named, entries, action):
    """By the instance that it names and its writer, or by the uid; what is not is forgotten."""
    ours = applyset_id("shop")
    there = _written_by(CART, ("distributor", "Apply"), owner="")
    there.data["metadata"]["labels"] = {INSTANCE: named}
    found = changes(
        manifests("Service/shop/cart"), inventory(*entries), by_ref([there]), owner=ours, prune={}
    )
    (left,) = [c for c in found.changes if str(c.ref) == CART]
    assert (left.action, left.forgets) == (action, action is Action.SKIPPED)
    told = [(f.code, f.severity) for f in found.findings]
    assert told == ([("DST418", Severity.WARNING)] if left.forgets else [])


def test_what_names_our_instance_but_was_written_by_another_stays():
    there = _written_by(CART, ("someone", "Update"), owner="")
    there.data["metadata"]["labels"] = {INSTANCE: "shop"}
    found = changes(
        manifests("Service/shop/cart"), inventory(entry(CART, "another")), by_ref([there]),
        owner=applyset_id("shop"), prune={},
    )  # fmt: skip
    assert [c.action for c in found.changes][1:] == [Action.SKIPPED]
