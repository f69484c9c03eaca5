"""Gate 7 as a table: what the calendar says, and what the gate makes of it at noon."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from distributor.model.policy import GateSeverity, Window, WindowKind
from distributor.model.promotion import GateResult, VerdictOutcome
from distributor.model.tags import RequestClass, Trailers, Verb
from distributor.policy import GateFacts, authorise, judge, outcome
from tests.unit.policy.facts import (
    ACCEPTED,
    GOOD,
    MAIN,
    NOW,
    PREV,
    REVISION,
    answer,
    bound,
    facts_of,
)

FREEZE = Window(
    name="year-end",
    kind=WindowKind.FREEZE,
    zone=UTC,
    start=datetime.fromisoformat("2026-06-01T08:00"),
    length=timedelta(hours=10),
    reason="inventory",
)
ALLOW = replace(FREEZE, name="office", kind=WindowKind.ALLOW, reason="")
LATER = replace(ALLOW, start=datetime.fromisoformat("2026-06-02T08:00"))
PAST = replace(ALLOW, start=datetime.fromisoformat("2026-05-02T08:00"))


def with_windows(*windows: Window, main: tuple[Window, ...] | None = None) -> GateFacts:
    """Both policies have these windows; ``main`` says what main's has instead."""
    views = tuple(
        replace(v, policies=replace(v.policies, windows=each))
        for v, each in ((MAIN, windows if main is None else main), (ACCEPTED, windows))
    )
    return facts_of(policies=views)


@pytest.mark.parametrize(
    ("windows", "result", "said", "hours"),
    [
        ((), GateResult.PASS, "no window is set", None),
        ((replace(FREEZE, environments=("prd",)),), GateResult.PASS, "no window is set", None),
        ((replace(FREEZE, tiers=("slim",)),), GateResult.PASS, "no window is set", None),
        ((replace(FREEZE, classes=("hotfix",)),), GateResult.PASS, "no window is set", None),
        ((FREEZE,), GateResult.PENDING, "freeze year-end until 2026-06-01 18:00:00 UTC: inventory", 6),
        ((ALLOW,), GateResult.PASS, "a window is open", None),
        ((LATER,), GateResult.PENDING, "no window is open: office opens at 2026-06-02 08:00:00", 20),
        ((LATER, PAST), GateResult.PENDING, "office opens at 2026-06-02", 20),
        ((PAST,), GateResult.PENDING, "none will open any more", None),
        ((FREEZE, replace(LATER, name="office")), GateResult.PENDING, "year-end until", 20),
        ((FREEZE, ALLOW), GateResult.PENDING, "freeze year-end", None),
    ],
)  # fmt: skip
def test_windows(
    windows: tuple[Window, ...], result: GateResult, said: str, hours: int | None
) -> None:
    given = answer(7, with_windows(*windows))
    assert (given.result, said in given.message) == (result, True), given.message
    assert given.until == (None if hours is None else NOW + timedelta(hours=hours))
    if result is GateResult.PENDING:
        assert [f.code for f in given.findings] == ["DST261"] * len(given.findings)


def test_either_policy_can_freeze() -> None:
    assert answer(7, with_windows(main=(FREEZE,))).result is GateResult.PENDING
    assert answer(7, with_windows(FREEZE, main=())).result is GateResult.PENDING


def test_a_hotfix_passes_a_freeze_for_normal_requests() -> None:
    facts = with_windows(replace(FREEZE, classes=("normal",)))
    hotfix = Trailers(
        app="shop", digest=REVISION.digest, prev=PREV, request_class=RequestClass.HOTFIX
    )
    asked = replace(facts.asked, trailers=hotfix)
    assert answer(7, facts).result is GateResult.PENDING
    assert answer(7, replace(facts, request=asked)).result is GateResult.PASS


def test_what_waits_is_pending_and_a_freeze_that_warns_keeps_nothing_out() -> None:
    facts = with_windows(FREEZE)
    assert outcome(facts, authorise(facts, NOW) + judge(facts, NOW)) is VerdictOutcome.PENDING
    warns = bound("windows", *facts.policies, severity=GateSeverity.WARN)
    told = replace(facts, policies=warns)
    assert answer(7, told).result is GateResult.WARN
    assert outcome(told, authorise(told, NOW) + judge(told, NOW)) is VerdictOutcome.ACCEPTED


def test_a_removal_waits_and_a_rollback_does_not() -> None:
    views = with_windows(FREEZE).policies
    assert answer(7, facts_of(Verb.REMOVE, policies=views)).result is GateResult.PENDING
    asked = {a.number for a in judge(facts_of(Verb.ROLLBACK, policies=views), NOW)}
    assert 7 not in asked


def test_without_the_tiers_it_is_an_error() -> None:
    assert answer(7, replace(GOOD, tiers=None)).result is GateResult.ERROR
