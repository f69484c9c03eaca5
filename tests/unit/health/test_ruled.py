"""The rules of a package: what they come before, and what holds where none of them does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from distributor.errors.cluster import ExpressionFailed
from distributor.health import Rulebook, health
from distributor.model.health import HealthRule, HealthStatus
from distributor.model.refs import GroupKind

THING = GroupKind("x.example", "Thing")
GOOD = HealthRule(status=HealthStatus.CURRENT, when="phase=Good")
BAD = HealthRule(status=HealthStatus.FAILED, when="phase=Bad", message="it is bad")
WORKS = HealthRule(status=HealthStatus.IN_PROGRESS, when="phase=Works")


def holds(expression: str, obj: Mapping[str, Any]) -> bool:
    """`field=value` over the status, as a stand-in for a real language."""
    field, _, value = expression.partition("=")
    if field not in obj.get("status", {}):
        raise ExpressionFailed(f"(no {field})")
    return bool(obj["status"][field] == value)


def thing(kind: str = "Thing", generation: int = 1, **status: Any) -> dict[str, Any]:
    metadata = {"name": "a", "generation": generation}
    found = {"apiVersion": "x.example/v1", "kind": kind, "metadata": metadata}
    return {**found, "status": status} if status else found


@pytest.mark.parametrize(
    ("rules", "obj", "status", "message"),
    [
        pytest.param([GOOD, BAD], thing(phase="Good"), "Current", "phase=Good", id="first"),
        pytest.param([GOOD, BAD], thing(phase="Bad"), "Failed", "it is bad", id="second"),
        pytest.param([BAD, GOOD], thing(phase="Else"), "InProgress", "holds yet", id="none"),
        pytest.param([GOOD], thing(), "InProgress", "(no phase)", id="not there yet"),
        pytest.param([BAD], thing(phase="Else"), "Current", "Resource is current", id="left alone"),
        pytest.param([BAD], thing(), "InProgress", "No controller", id="left alone, unseen"),
        pytest.param([GOOD], thing("Other", phase="x"), "Current", "Resource is current", id="another kind"),
        pytest.param(
            [GOOD], thing(generation=2, observedGeneration=1, phase="Good"), "InProgress", "generation is 2",
            id="of an earlier generation",
        ),
        pytest.param(
            [GOOD], thing(phase="Good", conditions=[{"type": "Ready", "status": "False"}]), "Current", "phase",
            id="against its conditions",
        ),
        pytest.param([WORKS, GOOD], thing(phase="Works"), "InProgress", "phase=Works", id="at work"),
    ],
)  # fmt: skip
def test_rules(rules, obj, status, message):
    told = health(obj, rulebook=Rulebook(rules={THING: tuple(rules)}, holds=holds))
    assert (told.status.value, message in told.message) == (status, True), told


def test_what_is_being_deleted_asks_no_rule():
    gone = thing(phase="Good")
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    told = health(gone, rulebook=Rulebook(rules={THING: (GOOD,)}, holds=holds))
    assert told.status is HealthStatus.TERMINATING


def test_a_rule_for_a_kind_that_is_known_counts():
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    book = Rulebook(rules={GroupKind("apps", "Deployment"): (GOOD,)}, holds=holds)
    assert health({**deployment, "status": {"phase": "Good"}}, rulebook=book).message != ""
    assert (
        health({**deployment, "status": {"phase": "Good"}}, rulebook=book).status
        is HealthStatus.CURRENT
    )


def test_nobody_to_evaluate_them_is_no_health():
    told = health(thing(phase="Good"), rulebook=Rulebook(rules={THING: (GOOD,)}))
    assert told.status is HealthStatus.IN_PROGRESS
    assert "nothing here evaluates" in told.message
