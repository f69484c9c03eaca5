"""Gate 6 as a table: how long the package was where, and what the gate says at noon."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from distributor.model.ledger import Soak
from distributor.model.policy import GateSeverity
from distributor.model.promotion import GateAnswer, GateResult, VerdictOutcome
from distributor.model.tags import Verb
from distributor.policy import EnvironmentFact, authorise, judge, outcome
from distributor.policy.gates.answers import span
from tests.unit.policy.facts import ACCEPTED, GOOD, MAIN, NOW, answer, bound, facts_of

DAY = timedelta(days=1)
LONG = Soak(longest=2 * DAY)
SHORT = Soak(longest=timedelta(hours=1, minutes=30))
SOAKING = Soak(since=NOW - timedelta(hours=20))
DEGRADED = Soak(longest=timedelta(hours=3), degraded=True)
OVER = Soak(since=NOW - DAY)
NO_TARGET = EnvironmentFact(targets=0)


def asked(soaks: dict[str, Soak | None], environment: str = "uat", **params: Any) -> GateAnswer:
    """The gate's answer where a day is asked for; ``None`` for an environment without a target."""
    facts = {
        name: NO_TARGET if soak is None else EnvironmentFact(targets=1, verified=True, soak=soak)
        for name, soak in soaks.items()
    }
    views = bound("soak", MAIN, ACCEPTED, params={"duration": DAY.total_seconds(), **params})
    return answer(6, facts_of(environment=environment, policies=views, elsewhere=facts))


@pytest.mark.parametrize(
    ("soaks", "environment", "result", "said"),
    [
        ({"sit": LONG}, "uat", GateResult.PASS, "24h in sit"),
        ({"sit": OVER}, "uat", GateResult.PASS, "24h in sit"),
        ({"sit": SOAKING}, "uat", GateResult.PENDING, "end at 2026-06-01 16:00:00 UTC"),
        ({"sit": DEGRADED}, "uat", GateResult.PENDING, "degraded after 3h of 24h"),
        ({"sit": SHORT}, "uat", GateResult.FAIL, "it stayed 1h30m of 24h and was replaced"),
        ({}, "sit", GateResult.PASS, "no environment comes before"),
        ({}, "uat", GateResult.ERROR, "how long the package has been in sit"),
        # who has no target hands the question on
        ({"pre": None, "uat": SOAKING, "sit": LONG}, "prd", GateResult.PENDING, "(uat: the 24h"),
        ({"pre": None, "uat": None, "sit": LONG}, "prd", GateResult.PASS, "24h in sit"),
        ({"pre": None, "uat": None, "sit": None}, "prd", GateResult.PASS, "no environment"),
    ],
)
def test_soak(
    soaks: dict[str, Soak | None], environment: str, result: GateResult, said: str
) -> None:
    given = asked(soaks, environment)
    assert (given.result, said in given.message) == (result, True), given.message


@pytest.mark.parametrize(
    ("sit", "pre", "require", "result", "until"),
    [
        (LONG, LONG, "all", GateResult.PASS, None),
        (LONG, SOAKING, "all", GateResult.PENDING, 4),
        (LONG, SOAKING, "any", GateResult.PASS, None),
        (Soak(since=NOW), SOAKING, "all", GateResult.PENDING, 24),
        (Soak(since=NOW), SOAKING, "any", GateResult.PENDING, 4),
        (DEGRADED, SOAKING, "all", GateResult.PENDING, None),
        (DEGRADED, SOAKING, "any", GateResult.PENDING, 4),
        (SHORT, SOAKING, "all", GateResult.FAIL, None),
        (SHORT, SOAKING, "any", GateResult.PENDING, 4),
        (SHORT, SHORT, "any", GateResult.FAIL, None),
    ],
)
def test_two_predecessors(
    sit: Soak, pre: Soak, require: str, result: GateResult, until: int | None
) -> None:
    both = tuple(
        replace(
            view,
            pipeline=replace(
                view.pipeline,
                steps=tuple(
                    replace(s, after=("sit", "pre")) if s.name == "uat" else replace(s, after=())
                    for s in view.pipeline.steps
                ),
            ),
        )
        for view in (MAIN, ACCEPTED)
        if view.pipeline is not None
    )
    facts = {
        "sit": EnvironmentFact(targets=1, verified=True, soak=sit),
        "pre": EnvironmentFact(targets=1, verified=True, soak=pre),
    }
    views = bound("soak", *both, params={"duration": DAY.total_seconds(), "require": require})
    given = answer(6, facts_of(policies=views, elsewhere=facts))
    assert given.result is result
    assert given.until == (None if until is None else NOW + timedelta(hours=until))


def test_without_a_duration_no_soak_is_asked_for() -> None:
    assert answer(6, GOOD).result is GateResult.PASS


def _said(now: datetime) -> GateAnswer:
    views = bound("soak", MAIN, ACCEPTED, params={"duration": DAY.total_seconds()})
    facts = {"sit": EnvironmentFact(targets=1, verified=True, soak=SOAKING)}
    answers = judge(facts_of(policies=views, elsewhere=facts), now)
    return next(a for a in answers if a.number == 6)


def test_it_says_the_same_until_it_is_over_and_then_lets_in() -> None:
    almost = SOAKING.since + DAY - timedelta(microseconds=1) if SOAKING.since else NOW
    assert _said(NOW) == _said(almost)
    assert _said(almost + timedelta(microseconds=1)).result is GateResult.PASS


def test_the_longer_of_two_policies_holds() -> None:
    (main,) = bound("soak", MAIN, params={"duration": DAY.total_seconds()})
    (accepted,) = bound("soak", ACCEPTED, params={"duration": 2 * DAY.total_seconds()})
    facts = {"sit": EnvironmentFact(targets=1, verified=True, soak=SOAKING)}
    given = answer(6, facts_of(policies=(main, accepted), elsewhere=facts))
    assert given.until == NOW + timedelta(hours=28)


def test_a_soak_that_only_warns_keeps_nothing_out() -> None:
    views = bound(
        "soak", MAIN, ACCEPTED, severity=GateSeverity.WARN, params={"duration": DAY.total_seconds()}
    )
    elsewhere = {**GOOD.elsewhere, "sit": EnvironmentFact(targets=1, verified=True, soak=SOAKING)}
    facts = facts_of(policies=views, elsewhere=elsewhere)
    assert answer(6, facts).result is GateResult.WARN
    assert outcome(facts, authorise(facts, NOW) + judge(facts, NOW)) is VerdictOutcome.ACCEPTED


def test_one_that_waits_is_pending_and_a_rollback_never_waits() -> None:
    views = bound("soak", MAIN, ACCEPTED, params={"duration": DAY.total_seconds()})
    elsewhere = {**GOOD.elsewhere, "sit": EnvironmentFact(targets=1, verified=True, soak=SOAKING)}
    facts = facts_of(policies=views, elsewhere=elsewhere)
    assert outcome(facts, authorise(facts, NOW) + judge(facts, NOW)) is VerdictOutcome.PENDING
    back = facts_of(Verb.ROLLBACK, policies=views, elsewhere=elsewhere)
    assert 6 not in {a.number for a in judge(back, NOW)}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (90, "1m30s"), (5400, "1h30m"), (604800, "168h")]
)
def test_durations_are_said_as_they_are_written(seconds: int, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text
