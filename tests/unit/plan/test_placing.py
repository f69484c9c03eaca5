"""References are as a cluster has them, however they were rendered or written."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from distributor.model.hooks import HookLog, HookRun, Moment
from distributor.model.refs import GroupKind, ObjectRef
from distributor.plan import compare, inventory_placed, placed, ref_placed, unsure
from tests.unit.plan.objects import entry, inventory, manifest, manifests, obj

WRONG, RIGHT = "certs.example/Issuer/shop/w", "certs.example/Issuer//w"
INSIDE = "certs.example/Cert/shop/w"
WIDE = {GroupKind("certs.example", "Issuer")}
REFS = st.builds(
    ObjectRef,
    st.sampled_from(["certs.example", "apps", ""]),
    st.sampled_from(["Issuer", "Cert"]),
    st.sampled_from(["", "shop", "till"]),
    st.sampled_from(["w", "x"]),
)


def test_only_kinds_that_nobody_else_knows_are_asked_for():
    refs = [WRONG, INSIDE, "apps/Deployment/shop/cart", "Service/shop/cart", "other.example/A//a"]
    assert unsure(map(ObjectRef.parse, refs)) == {*WIDE, GroupKind("certs.example", "Cert")}


def test_a_cluster_wide_object_loses_its_namespace_and_nothing_else():
    wanted = manifest(WRONG, annotations={"a": "b"}, spec={"value": 1})
    (found,) = placed(manifests(wanted), WIDE)
    assert str(found.ref) == RIGHT
    assert found == manifest(RIGHT, annotations={"a": "b"}, spec={"value": 1})
    same = manifests(INSIDE, RIGHT, "Service/shop/cart")
    assert placed(same, WIDE) is same


def test_an_inventory_is_put_right_with_its_runs():
    run = HookRun(moment=Moment.PRE, ref=ObjectRef.parse(WRONG), api_version="v1", run="r")
    held = replace(
        inventory(entry(WRONG, "u", "sha256:a"), entry(INSIDE, "v")),
        hooks=HookLog(change="c", runs={run.name: run}),
    )
    found = inventory_placed(held, WIDE)
    assert found.entries == inventory(entry(RIGHT, "u", "sha256:a"), entry(INSIDE, "v")).entries
    right = replace(run, ref=ObjectRef.parse(RIGHT))
    assert found.hooks == HookLog(change="c", runs={right.name: right})
    assert inventory_placed(found, WIDE) is found


def test_what_was_written_rightly_beside_it_counts():
    for both in ((WRONG, RIGHT), (RIGHT, WRONG)):
        held = inventory(*(entry(ref, ref, ref) for ref in both))
        assert inventory_placed(held, WIDE).entries == inventory(entry(RIGHT, RIGHT, RIGHT)).entries


@given(st.lists(REFS, unique=True))
def test_no_object_is_lost(refs: list[ObjectRef]):
    held = inventory(*(entry(str(ref)) for ref in refs))
    found = inventory_placed(held, WIDE)
    assert found.entries.keys() == {ref_placed(ref, WIDE) for ref in refs}
    assert all(ref == each.ref for ref, each in found.entries.items())


def test_a_comparison_knows_a_kind_as_cluster_wide_where_it_sees_one():
    wanted = manifest(WRONG, spec={"value": 1})
    there = obj(RIGHT, spec={"value": 1})
    held = inventory(entry(RIGHT))
    assert compare([wanted], [there], held).in_sync
    changed = compare([wanted], [obj(RIGHT, spec={"value": 2})], held)
    assert [f.path for f in changed.changed[wanted.ref]] == ["spec.value"]
