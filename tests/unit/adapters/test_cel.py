"""CEL expressions: what holds, what fails with a reason, and that nothing an expression does takes long."""

from __future__ import annotations

import time

import pytest

from distributor.adapters.cel import CelExpressions
from distributor.errors.cluster import ExpressionFailed

OBJECT = {
    "status": {
        "phase": "Ready",
        "count": 3,
        "nothing": None,
        "conditions": [{"type": "Synced", "status": "True"}, {"type": "Ready", "status": "False"}],
    }
}


@pytest.fixture(scope="module")
def cel() -> CelExpressions:
    return CelExpressions()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("object.status.phase == 'Ready'", True),
        ("object.status.count > 3", False),
        ("object.status.nothing == null", True),
        ("has(object.status.gone)", False),
        ("object.?status.?gone.orValue('x') == 'x'", True),
        ("object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')", False),
        ("object.status.conditions.all(c, c.type.matches('^[A-Z]'))", True),
        ("object.status.phase.lowerAscii() in ['ready', 'done']", True),
        ("math.greatest(1, object.status.count) == 3", True),
    ],
)
def test_what_holds(cel, expression, expected):
    assert cel.problem(expression) == ""
    assert cel.holds(expression, OBJECT) is expected


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("object.status.", "Syntax error"),
        ("other.status == 'x'", "1:6: undeclared reference to 'other.status'"),
        ("1 + 1", "it gives INT, not true or false"),
        ("'yes'", "it gives STRING"),
        ("", "Syntax error"),
        ("(" * 1000 + "true" + ")" * 1000, "recursion"),
    ],
)
def test_what_cannot_be_read(cel, expression, why):
    told = cel.problem(expression)
    assert why.lower() in told.lower()
    assert "\n" not in told
    with pytest.raises(ExpressionFailed):
        cel.holds(expression, OBJECT)


@pytest.mark.parametrize(
    ("expression", "given", "why"),
    [
        ("object.status.gone == 'x'", OBJECT, "gone"),
        ("object.status.phase", OBJECT, "Ready"),
        ("object.status.count / 0 == 1", OBJECT, "divide by zero"),
        ("object.big > 1", {"big": 2**70}, "out of range"),
    ],
)
def test_what_is_neither_true_nor_false(cel, expression, given, why):
    with pytest.raises(ExpressionFailed, match=why):
        cel.holds(expression, given)


def test_no_expression_takes_long(cel):
    ten = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
    bomb = "true"
    for name in "abcdefgh":
        bomb = f"{ten}.all({name}, {bomb})"
    began = time.monotonic()
    with pytest.raises(ExpressionFailed):
        cel.holds(bomb, OBJECT)
    assert time.monotonic() - began < 5


def test_a_deep_object_harms_nobody(cel):
    deep: object = "bottom"
    for _ in range(500):
        deep = {"a": deep}
    assert cel.holds("has(object.a.a)", deep) is True
