"""Ignore rules: what they leave alone when an object is applied, and the ones that are suggested."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from distributor.catalog.packages import ignore_rules
from distributor.errors.cluster import ExpressionFailed
from distributor.model.manifest import Manifest
from distributor.plan import Ignoring, compare, diff, spec_of, suggested, yielding
from distributor.plan.pointers import path_at, pointer_of
from tests.unit.plan.objects import manifest, obj

CART = "apps/Deployment/shop/cart"
CASES = yaml.safe_load(Path(__file__).with_name("drift_cases.yaml").read_text(encoding="utf-8"))
REPLICAS = {"group": "apps", "kind": "Deployment", "fields": ["/spec/replicas"]}


def _live(managers: dict[str, Any], **body: Any) -> dict[str, Any]:
    found = obj(CART, **body)
    found["metadata"]["managedFields"] = [
        {"manager": name, "fieldsV1": fields} for name, fields in managers.items()
    ]
    return found


@pytest.mark.parametrize(
    ("rule", "owners", "spec"),
    [
        (REPLICAS, (), {"replicas": 5, "paused": False}),
        (REPLICAS, ("distributor",), {"replicas": 5, "paused": False}),
        (REPLICAS, ("distributor", "scaler"), {"paused": False}),
        (REPLICAS, ("scaler",), {"paused": False}),
        ({**REPLICAS, "managers": ["scaler"]}, ("scaler",), {"paused": False}),
        ({**REPLICAS, "managers": ["scaler"]}, ("other",), {"replicas": 2, "paused": False}),
        ({**REPLICAS, "managers": ["scaler"]}, (), {"replicas": 2, "paused": False}),
        ({"group": "apps", "kind": "Deployment", "managers": ["scaler"]}, ("scaler",), {"paused": False}),
        ({**REPLICAS, "name": "other"}, ("scaler",), {"replicas": 2, "paused": False}),
        ({**REPLICAS, "fields": ["/spec/none"]}, ("scaler",), {"replicas": 2, "paused": False}),
    ],
)  # fmt: skip
def test_what_is_applied_keeps_what_others_may_set(rule, owners, spec):
    wanted = manifest(CART, spec={"replicas": 2, "paused": False})
    fields = {"f:spec": {"f:replicas": {}}}
    there = _live(dict.fromkeys(owners, fields), spec={"replicas": 5, "paused": True})
    made = yielding(wanted, there, ignore_rules([rule]), manager="distributor")
    assert made.data()["spec"] == spec
    assert made.digest == wanted.digest


def test_a_field_that_was_taken_away_is_not_put_back():
    wanted = manifest(CART, spec={"replicas": 2})
    made = yielding(wanted, obj(CART, spec={}), ignore_rules([REPLICAS]), manager="distributor")
    assert "spec" not in made.data(), "an empty map would be a field of ours"


def test_an_entry_of_a_list_keeps_its_live_value():
    containers = [{"name": "web", "image": "a:1"}, {"name": "log", "image": "l:1"}]
    wanted = manifest(CART, spec={"template": {"spec": {"containers": containers}}})
    live = [{"name": "mesh"}, {"name": "log", "image": "l:2"}, {"name": "web", "image": "a:2"}]
    there = obj(CART, spec={"template": {"spec": {"containers": live}}})
    field = "/spec/template/spec/containers/name=web/image"
    made = yielding(wanted, there, ignore_rules([{**REPLICAS, "fields": [field]}]), manager="x")
    found = made.data()["spec"]["template"]["spec"]["containers"]
    assert found == [{"name": "web", "image": "a:2"}, {"name": "log", "image": "l:1"}]


def test_a_suggestion_for_an_entry_of_a_custom_resource_is_understood_by_its_apply():
    ref = "e.com/Gate/shop/g"
    wanted = manifest(ref, spec={"l": [{"id": "b", "p": 1}, {"id": "c", "p": 1}]})
    live = [{"id": "a", "p": 5}, {"id": "c", "p": 7}, {"id": "b", "p": 1}]
    there = obj(ref, spec={"l": live})
    fields = {"f:spec": {"f:l": {'k:{"id":"c"}': {".": {}, "f:id": {}}}}}
    there["metadata"]["managedFields"] = [{"manager": "distributor", "fieldsV1": fields}]
    (found,) = diff(wanted, there)
    rules = suggested(wanted.ref, [(found.steps, "")])
    assert [r.fields for r in rules] == [("/spec/l/id=c/p",)]
    assert diff(wanted, there, ignore=rules) == ()
    made = yielding(wanted, there, rules, manager="distributor")
    assert made.data()["spec"] == {"l": [{"id": "b", "p": 1}, {"id": "c", "p": 7}]}


def _whole(case: dict[str, Any], side: str) -> dict[str, Any]:
    api_version, _, kind = case["kind"].partition(" ")
    body = case[side]
    metadata = {"name": "a", **body.get("metadata", {})}
    return {**body, "apiVersion": api_version, "kind": kind, "metadata": metadata}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_is_suggested_silences_exactly_what_was_found(case):
    desired, live = Manifest.of(_whole(case, "desired")), _whole(case, "live")
    live["metadata"]["managedFields"] = [
        {"manager": manager, "fieldsV1": fields}
        for manager, fields in case.get("managers", {}).items()
    ]
    found = diff(desired, live)
    rules = suggested(desired.ref, [(f.steps, f.manager) for f in found])
    read_back = ignore_rules([orjson.loads(orjson.dumps(spec_of(rule))) for rule in rules])
    assert read_back == rules
    assert diff(desired, live, ignore=rules) == ()
    for one in found:
        others = [f for f in found if f != one]
        rest = suggested(desired.ref, [(f.steps, f.manager) for f in others])
        left = diff(desired, live, ignore=rest)
        assert left in ((one,), ()), "a rule for one field may cover others only by its parent"


_NAMES = st.sampled_from(["a", "a/b", "~", "~1", "0", "", "k=v", "containers"])


@given(path=st.lists(_NAMES, min_size=1, max_size=4).map(tuple))
def test_law_a_path_of_map_keys_survives_its_pointer(path):
    assert path_at(pointer_of(path), {}, "Pod") == path


def test_the_replicas_of_what_an_autoscaler_scales_are_not_compared():
    """Also where the dump of live objects carries no managed fields, and whichever side holds the autoscaler."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}
    scaler = obj("autoscaling/HorizontalPodAutoscaler/shop/a", spec={"scaleTargetRef": target})
    wanted = [manifest(CART, spec={"replicas": 2}), manifest("apps/Deployment/shop/b", spec={"replicas": 1})]  # fmt: skip
    live = [obj(CART, spec={"replicas": 5}), obj("apps/Deployment/shop/b", spec={"replicas": 3})]
    assert len(compare(wanted, live).changed) == 2
    for found in (
        compare(wanted, [*live, scaler]),
        compare([*wanted, Manifest.of(scaler)], [*live, scaler]),
    ):
        assert [r.name for r in found.changed] == ["b"]
    elsewhere = {**scaler, "metadata": {"name": "a", "namespace": "other"}}
    assert len(compare(wanted, [*live, elsewhere]).changed) == 2


@pytest.mark.parametrize(
    ("when", "count"),
    [("", 0), ("yes", 0), ("no", 1), ("fails", 1)],
    ids=["none", "yes", "no", "fails"],
)
def test_a_rule_counts_only_while_its_expression_holds(when, count):
    """One that cannot be told does not hold: drift is rather told than silenced."""

    def holds(expression: str, live: object) -> bool:
        assert live == there, "it is about the live object"
        if expression == "fails":
            raise ExpressionFailed("(no such field)")
        return expression == "yes"

    wanted, there = manifest(CART, spec={"replicas": 2}), obj(CART, spec={"replicas": 5})
    (rule,) = ignore_rules([{**REPLICAS, "when": when}])
    ignoring = Ignoring(rules=(rule,), holds=holds)
    assert len(compare([wanted], [there], ignore=ignoring).changed) == count
    assert len(Ignoring(rules=(rule,)).of(wanted.ref, there)) == (0 if when else 1)
