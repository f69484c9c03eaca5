"""Parity: two sides of values compared, what is excepted, and values taken over at some paths."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.model.parity import Side, excepted, excepted_keys
from distributor.render.parity import Parts, differences, take, taken_over

NOWHERE: dict[str, object] = {}


def sided(environment: str, **files) -> Side:
    merged: dict[str, object] = {}
    for values in reversed(files.values()):
        merged |= values
    return Side(environment=environment, values=merged, files=files)


def told(ours, theirs) -> list[str]:
    found = differences("shop", sided("dr", top=ours), sided("prd", top=theirs))
    return [f"{d.path}: {d.value or '-'} {d.other_value or '-'}" for d in found]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["shop.a: 1 2"]),
        ({"a": 1}, {"a": True}, ["shop.a: 1 true"]),
        ({"a": 1}, {}, ["shop.a: 1 -"]),
        ({}, {"a": None}, ["shop.a: - null"]),
        ({"a": {"y": 1, "x": 2}}, {"a": {"x": 2, "y": 1}}, []),
        ({"a": {"x": 1, "y": 1}}, {"a": {"x": 2}}, ["shop.a.x: 1 2", "shop.a.y: 1 -"]),
        ({"a": {"x": {"z": 1}}}, {}, ["shop.a.x.z: 1 -"]),
        ({"a": {}}, {}, []),
        ({"a": {"x": 1}}, {"a": 3}, ['shop.a: {"x":1} 3']),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["shop.a: [1,2] [2,1]"]),
        ({"a": 2**70}, {"a": 2**71}, [f"shop.a: {2**70} {2**71}"]),
    ],
)
def test_differences(ours, theirs, expected):
    assert told(ours, theirs) == expected


def test_each_value_is_told_with_the_file_that_sets_it():
    ours = sided("dr", **{"dr/shop.yaml": {"a": 1}, "dr/environment.yaml": {"a": 5, "b": {"x": 1}}})
    theirs = sided("prd", **{"prd/shop.yaml": NOWHERE, "prd/environment.yaml": {"a": 2}})
    assert [str(d) for d in differences("shop", ours, theirs)] == [
        "shop.a is 1 in dr (dr/shop.yaml), and 2 in prd (prd/environment.yaml)",
        "shop.b.x is 1 in dr (dr/environment.yaml), and not set in prd",
    ]


@pytest.mark.parametrize(
    ("path", "excepts", "expected"),
    [
        ("shop.replicas", ["shop.replicas"], True),
        ("shop.replicas.min", ["shop.replicas"], True),
        ("shop.replicas2", ["shop.replicas"], False),
        ("shop.replicas", ["shop.replicas.min"], False),
        ("shop.replicas", ["*.replicas"], True),
        ("shop.replicas", ["web.replicas"], False),
        ("shop.replicas", ["replicas"], False),
        ("shop.replicas", [], False),
    ],
)
def test_excepted(path, excepts, expected):
    assert excepted(path, excepts) is expected


def test_the_keys_of_an_app():
    excepts = ["shop.b", "*.a.x", "web.c", "shop", "shop.b"]
    assert excepted_keys("shop", excepts) == (("a", "x"), ("b",))


VALUES = st.dictionaries(
    st.sampled_from("abc"),
    st.integers(0, 3) | st.dictionaries(st.sampled_from("xy"), st.integers(0, 3), max_size=2),
    max_size=3,
)
PATHS = st.lists(st.sampled_from([("a",), ("b",), ("a", "x"), ("c", "y")]), max_size=3, unique=True)


@settings(deadline=None)
@given(VALUES, VALUES, VALUES, VALUES, PATHS)
def test_values_that_are_taken_over_are_the_others_and_nothing_else_changes(
    make, base, shared, own, active, paths
):
    parts = Parts(
        package=make.package(defaults=base),
        installation=make.installation(environment="dr", values=own),
        environment=make.environment(name="dr", defaults={"shop": shared, "web": {"a": 1}}),
    )
    there = Parts(
        package=make.package(defaults=base),
        installation=make.installation(environment="prd", values=active),
        environment=make.environment(name="prd"),
    )
    new = taken_over(parts, take(there.values, sorted(paths)))
    left = differences(
        "shop",
        Side(environment="dr", values=new.values, files={}),
        Side(environment="prd", values=there.values, files={}),
    )
    taken = [f"shop.{'.'.join(path)}" for path in paths]
    assert not any(excepted(each.path, taken) for each in left)
    for key in set("abc") - {path[0] for path in paths}:
        assert new.values.get(key) == parts.values.get(key)
    assert taken_over(parts, []).values == parts.values
    assert new.environment.defaults == {"web": {"a": 1}}
