from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.model.changes import Action, LiveObject
from distributor.model.manifest import Manifest
from distributor.model.package import PrunePolicy
from distributor.model.refs import GroupKind, ObjectRef
from distributor.plan import (
    apply_plan,
    changes,
    confirmed,
    guard,
    narrowed,
    seen_uids,
    widened,
)
from distributor.plan.changing import NEVER_OURS
from distributor.render.labels import INSTANCE
from tests.unit.plan.objects import (
    OWNER,
    by_ref,
    carried_out,
    crd,
    entry,
    inventory,
    live,
    manifest,
    manifests,
    mirrored,
    obj,
    said,
)

CART = "apps/Deployment/shop/cart"
JOB = "batch/Job/shop/migrate"
DYING = {"kind": "Deployment", "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
TTL = manifest(JOB, spec={"ttlSecondsAfterFinished": 60})
SCALED = manifest(CART, spec={"replicas": 2})
FIELDS = {"f:spec": {"f:replicas": {}}}


def _owned_by(manager: str, replicas: int) -> dict[str, object]:
    found = obj(CART, spec={"replicas": replicas})
    found["metadata"]["managedFields"] = [{"manager": manager, "fieldsV1": FIELDS}]
    return found


@pytest.mark.parametrize(
    ("wanted", "there", "action", "reason", "code"),
    [
        (SCALED, None, Action.CREATED, "", ""),
        (SCALED, mirrored(SCALED), Action.UNCHANGED, "", ""),
        (SCALED, live(CART, applied="sha256:old"), Action.CONFIGURED, "", ""),
        (SCALED, live(CART, owner="else"), Action.SKIPPED, "belongs to else", "DST410"),
        (SCALED, live(CART, owner=""), Action.SKIPPED, "belongs to nobody", "DST430"),
        (
            SCALED,
            live(CART, applied=SCALED.digest, data=obj(CART, spec={"replicas": 5})),
            Action.CONFIGURED,
            "drift: spec.replicas",
            "",
        ),
        (
            SCALED,
            live(CART, applied=SCALED.digest, data=_owned_by("autoscaler", 5)),
            Action.UNCHANGED,
            "spec.replicas is owned by autoscaler",
            "DST442",
        ),
        (
            SCALED,
            live(CART, applied=SCALED.digest, data={"kind": "PartialObjectMetadata"}),
            Action.UNCHANGED,
            "",
            "",
        ),
        (
            SCALED,
            live(CART, data=DYING),
            Action.SKIPPED,
            "is being deleted; made anew when it is gone",
            "DST419",
        ),
    ],
)
def test_a_desired_object(
    wanted: Manifest, there: LiveObject | None, action: Action, reason: str, code: str
):
    found = changes(
        manifests(wanted), None, by_ref([there] if there else []), owner=OWNER, prune={}
    )
    assert said(found) == [(str(wanted.ref), action, reason)]
    assert [f.code for f in found.findings] == ([code] if code else [])


@pytest.mark.parametrize(
    ("wanted", "uid", "same", "action", "reason"),
    [
        (TTL, "u", True, Action.UNCHANGED, "ended and removed after its TTL"),
        (TTL, "u", False, Action.CREATED, ""),
        (TTL, "", True, Action.CREATED, ""),
        (SCALED, "u", True, Action.CREATED, "was deleted from the target"),
    ],
)
def test_a_desired_object_that_we_applied_and_that_is_gone(
    wanted: Manifest, uid: str, *, same: bool, action: Action, reason: str
):
    held = inventory(entry(str(wanted.ref), uid, wanted.digest if same else "sha256:old"))
    found = changes(manifests(wanted), held, {}, owner=OWNER, prune={})
    assert said(found) == [(str(wanted.ref), action, reason)]


def test_what_another_instance_holds_is_named_with_it():
    there = live(CART, owner="else", data={"metadata": {"labels": {INSTANCE: "basket"}}})
    found = changes(manifests(SCALED), inventory(), by_ref([there]), owner=OWNER, prune={})
    assert said(found) == [(CART, Action.SKIPPED, "belongs to instance basket, else")]
    assert CART in str(found.findings[0])


def test_what_never_became_ours_is_let_go_without_a_word():
    """It stood in the inventory before the first apply, which found it in another's hands."""
    held = inventory(entry(CART, "", SCALED.digest))
    found = changes(manifests(), held, by_ref([live(CART, owner="else")]), owner=OWNER, prune={})
    assert said(found) == [(CART, Action.SKIPPED, NEVER_OURS)]
    assert not found.findings


def test_a_lost_owner_label_is_put_back():
    held = inventory(entry(CART, "u", SCALED.digest))
    found = changes(manifests(SCALED), held, by_ref([live(CART, owner="")]), owner=OWNER, prune={})
    assert said(found) == [(CART, Action.CONFIGURED, "lost its owner label")]


KEEP = obj(CART, annotations={"helm.sh/resource-policy": "keep"})


@pytest.mark.parametrize(
    ("there", "policy", "action", "reason", "code"),
    [
        (None, None, Action.PRUNED, "already gone", ""),
        (live(CART), None, Action.PRUNED, "", ""),
        (live(CART, data=DYING), None, Action.PRUNED, "is being deleted", ""),
        (live(CART, owner="else"), None, Action.SKIPPED, "belongs to else", "DST418"),
        (live(CART, owner=""), None, Action.PRUNED, "", ""),
        (live(CART, owner="", uid="v"), None, Action.SKIPPED, "belongs to nobody", "DST418"),
        (live(CART, data=KEEP), None, Action.SKIPPED, "kept, as its prune policy says", ""),
        (live(CART), PrunePolicy.KEEP, Action.SKIPPED, "kept, as its prune policy says", ""),
        (
            live(CART),
            PrunePolicy.CONFIRM,
            Action.SKIPPED,
            "needs consent, as its prune policy says",
            "DST409",
        ),
    ],
)
def test_an_object_that_is_no_longer_desired(
    there: LiveObject | None, policy: PrunePolicy | None, action: Action, reason: str, code: str
):
    found = changes(
        manifests("Service/shop/cart"),
        inventory(entry(CART, "u")),
        by_ref([there] if there else []),
        owner=OWNER,
        prune={GroupKind("apps", "Deployment"): policy} if policy else {},
    )
    assert said(found)[1:] == [(CART, action, reason)]
    assert [f.code for f in found.findings] == ([code] if code else [])


def test_a_consent_lets_a_confirmed_kind_go():
    found = changes(
        manifests(),
        inventory(entry(CART, "u")),
        by_ref([live(CART)]),
        owner=OWNER,
        prune={GroupKind("apps", "Deployment"): PrunePolicy.CONFIRM},
        consents=frozenset({ObjectRef.parse(CART)}),
    )
    assert said(found) == [(CART, Action.PRUNED, "")]


def test_an_object_that_moved_to_another_group_is_not_deleted_under_the_old_one():
    old, new = "extensions/Ingress/shop/web", "networking.k8s.io/Ingress/shop/web"
    found = changes(
        manifests(new),
        inventory(entry(old, "u")),
        by_ref([live(old), live(new)]),
        owner=OWNER,
        prune={},
    )
    assert said(found)[1][1] is Action.SKIPPED


@pytest.mark.parametrize(
    ("ref", "guarded"),
    [
        (CART, False),
        ("Namespace//shop", True),
        ("PersistentVolumeClaim/shop/data", True),
        ("apiextensions.k8s.io/CustomResourceDefinition//a", True),
        ("rbac.authorization.k8s.io/ClusterRole//a", True),
    ],
)
def test_deletions_that_take_more_along_need_consent(ref: str, *, guarded: bool):
    wanted, held = manifests("Service/front/cart"), inventory(entry(ref, "u"))
    asked = changes(wanted, held, by_ref([live(ref)]), owner=OWNER, prune={})
    found = guard(asked, desired=wanted, inventory=held)
    assert [f.code for f in found.findings] == (["DST409"] if guarded else [])
    assert (found.changes[1].action is Action.SKIPPED) is guarded
    agreed = guard(
        asked, desired=wanted, inventory=held, consents=frozenset({ObjectRef.parse(ref)})
    )
    assert agreed == asked


def test_nothing_desired_deletes_nothing_without_consent():
    held = inventory(entry(CART, "u"), entry("Service/shop/cart", "u"))
    there = by_ref([live(CART)])
    asked = changes(manifests(), held, there, owner=OWNER, prune={})
    found = guard(asked, desired=manifests(), inventory=held)
    assert said(found) == [
        ("Service/shop/cart", Action.PRUNED, "already gone"),
        (CART, Action.SKIPPED, "would go because nothing at all is desired; that needs consent"),
    ]


def test_a_guard_never_lets_through_what_is_desired_or_unknown():
    held = inventory(entry(CART, "u"))
    asked = changes(manifests(), held, by_ref([live(CART)]), owner=OWNER, prune={})
    everything = frozenset({ObjectRef.parse(CART)})
    other = inventory()
    assert guard(asked, desired=manifests(), inventory=other, consents=everything).empty
    assert guard(asked, desired=manifests(CART), inventory=held, consents=everything).empty


_REFS = (
    CART,
    "apps/Deployment/shop/web",
    "Service/shop/cart",
    "ConfigMap/shop/settings",
    "Namespace//shop",
    "x.example/Thing/shop/a",
)
_SETS = st.lists(
    st.tuples(st.sampled_from(_REFS), st.integers(0, 1)), unique_by=lambda pair: pair[0]
).map(lambda pairs: manifests(*(manifest(ref, spec={"n": n}) for ref, n in pairs)))


@given(desired=_SETS)
def test_law_changes_of_a_set_against_itself_are_empty(desired):
    held = widened(inventory(), desired, sequence=1, ledger_commit="", revision="")
    there = by_ref(mirrored(m) for m in desired)
    found = changes(desired, held, there, owner=OWNER, prune={})
    assert found.empty
    assert not found.findings


@given(before=_SETS, after=_SETS)
def test_law_after_apply_planning_again_is_empty(before, after):
    held = widened(inventory(), before, sequence=1, ledger_commit="", revision="")
    there = by_ref(mirrored(m) for m in before)
    asked = changes(after, held, there, owner=OWNER, prune={})
    pruned = frozenset(c.ref for c in asked.of(Action.PRUNED))
    assert pruned <= held.entries.keys()
    assert not pruned & after.refs()
    then = carried_out(apply_plan(asked, after), there)
    narrow = narrowed(
        widened(held, after, sequence=2, ledger_commit="", revision=""), pruned, after.digest
    )
    assert changes(after, narrow, then, owner=OWNER, prune={}).empty
    assert narrow.entries.keys() == after.refs()


@given(before=_SETS, after=_SETS, data=st.data())
def test_law_no_object_is_lost_whatever_step_a_crash_comes_after(before, after, data):
    held = widened(inventory(), before, sequence=1, ledger_commit="", revision="")
    wide = widened(held, after, sequence=2, ledger_commit="", revision="")
    assert wide.entries.keys() == before.refs() | after.refs()
    vanished = sorted(before.refs() - after.refs())
    gone = data.draw(st.sets(st.sampled_from(vanished)) if vanished else st.just(set()))
    narrow = narrowed(wide, gone)
    assert narrow.entries.keys() == wide.entries.keys() - gone


def _definition(*versions: object) -> Manifest:
    spec = {"group": "x.example", "names": {"kind": "Thing"}, "versions": list(versions)}
    return manifest(THINGS, spec=spec)


def _served(stored: object, owner: str = OWNER, applied: str = "sha256:old") -> LiveObject:
    data = {**obj(THINGS), "status": {"storedVersions": stored}}
    return live(THINGS, owner=owner, applied=applied, data=data)


THINGS = "apiextensions.k8s.io/CustomResourceDefinition//things.x.example"
V1, V2 = {"name": "v1"}, {"name": "v2"}
DROPS = "would drop a version that is stored"


@pytest.mark.parametrize(
    ("wanted", "there", "reason", "named"),
    [
        (_definition(V1, V2), _served(["v1"]), "", ""),
        (_definition(V2), _served(["v2"]), "", ""),
        (_definition(V2), _served(["v1", "v2"]), DROPS, "stored: v1"),
        (_definition(V2), _served(["v1alpha1", "v1", "v2"]), DROPS, "stored: v1, v1alpha1"),
        (_definition(V2), _served(["v1"], owner=""), DROPS, "stored: v1"),
        (_definition(), _served(["v1"]), DROPS, "stored: v1"),
        (_definition("v1", 3), _served(["v1"]), DROPS, "stored: v1"),
        (_definition(V2), _served(None), "", ""),
        (_definition(V2), _served("v1"), "", ""),
    ],
)
def test_a_definition_that_drops_a_stored_version_is_not_applied(wanted, there, reason, named):
    """Versions that nothing is stored in may go; one that objects may be stored in must not."""
    found = changes(manifests(wanted), None, by_ref([there]), owner=OWNER, prune={})
    action = Action.SKIPPED if reason else Action.CONFIGURED
    assert said(found) == [(THINGS, action, reason)]
    assert [f.code for f in found.findings] == (["DST423"] if reason else [])
    assert all(named in f.message and "storedVersions" in f.remedy for f in found.findings)


def test_a_definition_is_upgraded_by_apply_and_pruned_only_by_consent():
    """``crds/`` of a chart are members like any other, but that nobody prunes them by the way."""
    first, second = _definition(V1), _definition(V1, V2)
    held = inventory(entry(THINGS, "u", first.digest))
    there = by_ref([mirrored(first)])
    upgraded = changes(manifests(second), held, there, owner=OWNER, prune={})
    assert said(upgraded) == [(THINGS, Action.CONFIGURED, "")]

    others = manifests(CART)
    gone = guard(
        changes(others, held, there, owner=OWNER, prune={}), desired=others, inventory=held
    )
    assert said(gone)[1] == (THINGS, Action.SKIPPED, "is cluster-wide; deleting it needs consent")
    assert [f.code for f in gone.findings] == ["DST409"]
    agreed = frozenset({ObjectRef.parse(THINGS)})
    asked = changes(others, held, there, owner=OWNER, prune={}, consents=agreed)
    assert guard(asked, desired=others, inventory=held, consents=agreed).of(Action.PRUNED)


def test_a_crd_in_the_set_is_planned_like_any_object():
    found = changes(manifests(crd("x.example", "Thing")), None, {}, owner=OWNER, prune={})
    assert [c.action for c in found.changes] == [Action.CREATED]
    assert confirmed([]) == frozenset()
    assert seen_uids([]) == {}
