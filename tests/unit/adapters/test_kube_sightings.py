"""Marks of ApplySets: equal for equal objects, other for any change, and nothing of an object is kept."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from distributor.adapters.kube.sightings import PARENT_ID, Sightings
from distributor.render.applyset import PART_OF

MAPS, SECRETS = "/api/v1/configmaps?part-of", "/api/v1/secrets?part-of"


def seen(name: str, version: str = "1", owner: str = "ours", **more: object) -> dict[str, object]:
    labels = {PART_OF: owner} if owner else {}
    return {"namespace": "shop", "name": name, "uid": f"uid-{name}", "resourceVersion": version, "labels": labels, **more}  # fmt: skip


def test_a_mark_changes_with_any_object_and_comes_back_with_it():
    sightings = Sightings()
    nothing = sightings.mark("ours")
    sightings.put(MAPS, seen("a"))
    one = sightings.mark("ours")
    sightings.put(SECRETS, seen("a"))
    two = sightings.mark("ours")
    assert len({nothing, one, two}) == 3
    sightings.put(SECRETS, seen("a"))
    assert sightings.mark("ours") == two, "the same state again, as after a break"
    sightings.put(SECRETS, seen("a", "2"))
    assert sightings.mark("ours") != two
    sightings.put(SECRETS, seen("a", uid="other"))
    assert sightings.mark("ours") != two
    sightings.drop(SECRETS, seen("a"))
    assert sightings.mark("ours") == one
    sightings.drop(MAPS, seen("a"))
    sightings.drop(MAPS, seen("never seen"))
    assert (sightings.mark("ours"), len(sightings)) == (nothing, 0)


def test_owners_do_not_touch_each_other_and_a_lost_label_is_a_loss():
    sightings = Sightings()
    sightings.put(MAPS, seen("a"))
    before = sightings.mark("ours")
    sightings.put(MAPS, seen("b", owner="theirs"))
    assert sightings.mark("ours") == before
    sightings.put(MAPS, seen("a", "2", owner="theirs"))
    assert sightings.mark("ours") == Sightings().mark("ours")
    sightings.put(MAPS, seen("b", "3", owner=""))
    sightings.put(MAPS, {"name": "bare"})
    assert len(sightings) == 1


def test_the_inventory_counts_for_its_own_set():
    sightings = Sightings()
    before = sightings.mark("ours")
    sightings.put(SECRETS, {**seen("dst-shop"), "labels": {PARENT_ID: "ours"}})
    assert sightings.mark("ours") != before


def test_a_list_replaces_what_was_known_of_its_kind_alone():
    sightings = Sightings()
    sightings.put(SECRETS, seen("kept"))
    alone = sightings.mark("ours")
    sightings.put(MAPS, seen("gone"))
    key = sightings.put(MAPS, seen("there"))
    sightings.keep(MAPS, {key})
    sightings.drop(MAPS, seen("there"))
    assert sightings.mark("ours") == alone


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from([MAPS, SECRETS]),
        st.sampled_from("abc"),
        st.sampled_from(["1", "2", ""]),
        st.sampled_from(["ours", "theirs", ""]),
    ),
    max_size=30,
)


@given(events=_EVENTS)
def test_law_a_mark_tells_the_state_and_not_the_way_to_it(events):
    sightings, last = Sightings(), {}
    for scope, name, version, owner in events:
        if version:
            sightings.put(scope, seen(name, version, owner))
            last[scope, name] = (version, owner)
        else:
            sightings.drop(scope, seen(name))
            last.pop((scope, name), None)
    fresh = Sightings()
    for (scope, name), (version, owner) in sorted(last.items()):
        fresh.put(scope, seen(name, version, owner))
    for owner in ("ours", "theirs"):
        assert sightings.mark(owner) == fresh.mark(owner)
    assert len(sightings) == len(fresh)


def test_memory_an_object_is_bounded_however_large_it_is():
    count, most = 5000, 400
    sightings = Sightings()
    tracemalloc.start()
    try:
        for number in range(count):
            big = {"managedFields": ["x" * 10_000]}
            sightings.put(MAPS, seen(f"object-{number}" + "n" * 200, owner=f"owner-{number % 50}", **big))  # fmt: skip
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / count < most, f"{held / count:.0f} bytes an object"
