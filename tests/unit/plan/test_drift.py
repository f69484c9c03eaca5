from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from distributor.catalog.packages import ignore_rules
from distributor.model.manifest import Manifest
from distributor.plan import Drifted, FieldDrift, compare, diff
from distributor.plan.quantities import quantity, shown
from tests.unit.plan.objects import entry, inventory, manifest, obj

CASES = yaml.safe_load(Path(__file__).with_name("drift_cases.yaml").read_text(encoding="utf-8"))


def _objects(case: dict[str, Any]) -> tuple[Manifest, dict[str, Any]]:
    api_version, _, kind = case["kind"].partition(" ")

    def whole(body: dict[str, Any]) -> dict[str, Any]:
        metadata = {"name": "a", **body.get("metadata", {})}
        return {**body, "apiVersion": api_version, "kind": kind, "metadata": metadata}

    live = whole(case["live"])
    live["metadata"]["managedFields"] = [
        {"manager": manager, "operation": "Apply", "fieldsV1": fields}
        for manager, fields in case.get("managers", {}).items()
    ]
    return Manifest.of(whole(case["desired"])), live


def _line(found: FieldDrift) -> str:
    values = f"{shown(found.desired)} {shown(found.live)}"
    return f"{found.drifted} {found.path} {values} {found.manager}".rstrip()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_table(case: dict[str, Any]):
    rules = ignore_rules(case.get("ignore", ()))
    assert [_line(f) for f in diff(*_objects(case), ignore=rules)] == case["drift"]


def test_what_another_manager_owns_is_not_ours_to_mend():
    case = next(c for c in CASES if c["name"] == "a field that another manager took over")
    assert [f.ours for f in diff(*_objects(case))] == [False]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "1", "500m", "::1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "ports", "env", "limits", "containers", "port", "f:x", "."]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(kind=st.sampled_from(["Pod", "Service", "Secret", "ConfigMap", "LimitRange"]), body=_JSON)
def test_law_an_object_never_drifts_from_itself(kind: str, body: object):
    whole = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, "spec": body}
    assert diff(Manifest.of(whole), whole) == ()


@given(wanted=_JSON, live=_JSON, fields=_JSON)
def test_law_no_shape_breaks_the_comparison(wanted: object, live: object, fields: object):
    desired = Manifest.of(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": wanted}
    )
    managed = [{"manager": "distributor", "fieldsV1": fields}, fields]
    metadata = {"name": "a", "managedFields": managed}
    found = diff(desired, {"metadata": metadata, "spec": live})
    assert all(f.drifted in Drifted for f in found)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("500m", "0.5"),
        ("1Gi", "1073741824"),
        ("1.5Ki", "1536"),
        (".5", "0.5"),
        ("2.", "2"),
        ("1e3", "1000"),
        ("1E", "1000000000000000000"),
        ("12E2", "1200"),
        ("-1k", "-1000"),
        (1, "1"),
        (0.1, "0.1"),
    ],
)
def test_quantities(written: object, value: str):
    assert quantity(written) == Decimal(value)


@pytest.mark.parametrize(
    "written", ["", "m", "1 Gi", "1gi", "0x1", "1e999", True, None, [], "9" * 99]
)
def test_what_is_no_quantity(written: object):
    assert quantity(written) is None


def test_long_values_are_cut():
    assert len(shown("x" * 500)) == 80


def test_two_sets_side_by_side():
    desired = [
        manifest("ConfigMap/shop/same", data={"a": "1"}),
        manifest("ConfigMap/shop/other", data={"a": "1"}),
        manifest("ConfigMap/shop/none"),
        manifest("ConfigMap//open"),
    ]
    live = [
        obj("ConfigMap/shop/same", data={"a": "1"}),
        obj("ConfigMap/shop/other", data={"a": "2"}),
        obj("ConfigMap/shop/old"),
        obj("ConfigMap/default/open"),
        obj("ConfigMap/kube-system/foreign"),
    ]
    found = compare(desired, live)
    assert [str(r) for r in found.missing] == ["ConfigMap/shop/none"]
    assert {str(r): [f.path for f in d] for r, d in found.changed.items()} == {
        "ConfigMap/shop/other": ["data.a"]
    }
    assert found.extra == ()
    held = inventory(entry("ConfigMap/shop/old"), entry("ConfigMap/shop/gone"))
    assert [str(r) for r in compare(desired, live, held).extra] == ["ConfigMap/shop/old"]
    assert compare(desired[:1], live[:1]).in_sync
    assert not found.in_sync


def _nested(depth: int, leaf: object) -> dict[str, Any]:
    inner = leaf
    for level in range(depth):
        inner = {"a": inner} if level % 2 else [inner]
    return obj("ConfigMap/shop/deep", spec=inner)


def test_the_deepest_object_that_can_be_a_manifest_is_compared():
    desired = Manifest.of(_nested(240, 1))
    assert len(diff(desired, _nested(240, 2))) == 1
    assert len(diff(desired, _nested(2000, 2))) == 1
    assert diff(desired, _nested(240, 1)) == ()


def test_hooks_are_not_compared():
    """They come and go with a change, and are neither missing nor drifted afterwards."""
    notes = {"helm.sh/hook": "post-install"}
    wanted = [manifest("batch/Job/shop/gone", annotations=notes), manifest("ConfigMap/shop/a"),
              manifest("batch/Job/shop/there", annotations=notes, spec={"x": 1})]  # fmt: skip
    live = [obj("batch/Job/shop/there", spec={"x": 2}), obj("ConfigMap/shop/a")]
    assert compare(wanted, live).in_sync
