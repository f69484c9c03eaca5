"""The order of the gates, what answers add up to, and that nothing broken lets anything in."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.errors import Where
from distributor.errors.policy import BadPolicy, BadTagName
from distributor.model.findings import Finding, Severity
from distributor.model.policy import GateSeverity
from distributor.model.promotion import GateAnswer, GateResult, VerdictOutcome
from distributor.model.refs import ObjectRef
from distributor.model.tags import Verb
from distributor.policy import (
    GATES,
    GateFacts,
    Reach,
    Retirement,
    authorise,
    judge,
    needed,
    outcome,
    principal,
)
from distributor.policy.decide import _worst
from tests.unit.policy.facts import ACCEPTED, ADA, GOOD, MAIN, NOW, bound, request

CHANGING = (Verb.PROMOTE, Verb.ROLLBACK, Verb.REMOVE)
SWITCHING = (
    Verb.REJECT, Verb.UNREJECT, Verb.HOLD, Verb.UNHOLD, Verb.ACK, Verb.CONSENT, Verb.DETACH
)  # fmt: skip


def decided(facts: GateFacts) -> tuple[VerdictOutcome, tuple[GateAnswer, ...]]:
    answers = authorise(facts, NOW)
    if all(a.result in (GateResult.PASS, GateResult.WARN) for a in answers):
        answers += judge(facts, NOW)
    return outcome(facts, answers), answers


def numbers(answers: tuple[GateAnswer, ...]) -> list[int]:
    return [answer.number for answer in answers]


@pytest.mark.parametrize(
    ("verb", "asked"),
    [
        (Verb.PROMOTE, [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14]),
        (Verb.ROLLBACK, [1, 2, 3, 4, 5, 8, 9, 13]),
        (Verb.REMOVE, [1, 2, 3, 4, 7, 13]),
        (Verb.RETIRE, [1, 2, 3, 7]),
        *((verb, [1, 2]) for verb in SWITCHING),
    ],
)
def test_every_verb_is_accepted_by_its_own_gates(verb: Verb, asked: list[int]) -> None:
    leaves = Retirement(declared=False, instances=("shop",), rolling=())
    result, answers = decided(replace(GOOD, request=request(verb), retirement=leaves))
    assert result is VerdictOutcome.ACCEPTED, [a for a in answers if a.findings]
    assert numbers(answers) == asked
    assert needed(verb) == set(asked)
    assert principal(answers) == ADA


@pytest.mark.parametrize(("verb", "stands_in"), [(Verb.FAILOVER, ""), (Verb.FAILBACK, "pre")])
def test_a_failover_waits_for_nothing(verb: Verb, stands_in: str) -> None:
    uat = replace(MAIN.environments["uat"], standby_for="pre")
    views = tuple(
        replace(view, environments={**view.environments, "uat": uat}) for view in (MAIN, ACCEPTED)
    )
    facts = replace(GOOD, request=request(verb), policies=views, stands_in=stands_in, elsewhere={})
    result, answers = decided(facts)
    assert result is VerdictOutcome.ACCEPTED, [a for a in answers if a.findings]
    assert numbers(answers) == [1, 2, 3, 4, 8, 9, 12]
    assert needed(verb) == {1, 2, 3, 4, 8, 9, 12}


@pytest.mark.parametrize(
    ("verb", "environment", "code"),
    [
        (Verb.HOLD, "uat", "DST222"),
        (Verb.ABORT, "uat", "DST222"),
        (Verb.HOLD, "all", "DST227"),
        (Verb.CONSENT, "uat", "DST227"),
    ],
)
def test_switches_of_sets_that_nobody_knows_are_refused(verb, environment, code) -> None:
    asked = request(verb)
    name = replace(asked.name, instance="", set_id="both", environment=environment)
    result, answers = decided(replace(GOOD, request=replace(asked, name=name)))
    assert result is VerdictOutcome.REFUSED
    assert answers[-1].findings[0].code == code


def test_a_set_by_name_is_refused() -> None:
    asked = request()
    named = replace(asked, name=replace(asked.name, instance="", set_id="weekly"))
    _, answers = decided(replace(GOOD, request=named))
    assert answers[-1].findings[0].code == "DST227"


def test_a_tag_that_was_not_understood_is_refused_for_that_alone() -> None:
    finding = Finding.of(BadTagName, "(x)")
    facts = replace(GOOD, request=finding)
    answers = authorise(facts, NOW)
    assert numbers(answers) == [1]
    assert answers[0].findings == (finding,)
    assert outcome(facts, answers) is VerdictOutcome.REFUSED


@pytest.mark.parametrize(
    ("change", "last"),
    [
        ({"request": request(environment="nowhere")}, 1),
        ({"request": request(signed=False)}, 2),
        ({"reachable": False}, 3),
        ({"reachable": None}, 3),
    ],
)
def test_an_early_failure_ends_the_evaluation(change: dict[str, Any], last: int) -> None:
    _, answers = decided(replace(GOOD, **change))
    assert answers[-1].number == last
    assert all(a.result is GateResult.PASS for a in answers[:-1])


def test_later_gates_are_all_asked_whatever_the_first_says() -> None:
    facts = replace(GOOD, elsewhere={}, targets=(), schemas=None, reach=None)
    answers = judge(facts, NOW)
    assert [(a.number, a.result.value) for a in answers] == [
        (5, "error"),
        (6, "pass"),
        (7, "pass"),
        (8, "fail"),
        (9, "error"),
        (12, "pass"),
        (13, "error"),
        (14, "pass"),
    ]


FACTS_NEEDED = {
    "reachable": 3,
    "instance_exists": 3,
    "prev": 3,
    "elsewhere": 5,
    "targets": 8,
    "renders": 8,
    "schemas": 9,
    "fits": 12,
    "clusters": 12,
    "reach": 13,
}


@pytest.mark.parametrize(("fact", "number"), FACTS_NEEDED.items())
def test_missing_evidence_never_passes_and_is_asked_again(fact: str, number: int) -> None:
    empty: object = {"prev": "", "elsewhere": {}}.get(fact)
    result, answers = decided(replace(GOOD, **{fact: empty}))
    assert result is VerdictOutcome.PENDING
    assert next(a for a in answers if a.number == number).result is GateResult.ERROR


def test_a_gate_that_crashes_answers_error() -> None:
    """A parameter that no schema would let through: the gate dies, and the request waits."""
    views = bound("blast-radius", MAIN, ACCEPTED, params={"maxPrunedObjects": "many"})
    reach = Reach(pruned={"c1": (ObjectRef("", "Secret", "n", "token"),)})
    result, answers = decided(replace(GOOD, policies=views, reach=reach))
    assert result is VerdictOutcome.PENDING
    crashed = next(a for a in answers if a.number == 13)
    assert crashed.result is GateResult.ERROR
    assert crashed.findings[0].code == "DST226"
    assert "TypeError" in crashed.message
    assert "token" not in crashed.message


FINDING = Finding.of(BadPolicy, "(x)", Where(file="policies/roles.yaml"))


@pytest.mark.parametrize("which", [0, 1], ids=["main", "accepted"])
@pytest.mark.parametrize("verb", [*CHANGING, *SWITCHING])
def test_a_policy_with_findings_fails_closed(which: int, verb: Verb) -> None:
    views = [MAIN, ACCEPTED]
    views[which] = replace(
        views[which], policies=replace(views[which].policies, findings=(FINDING,))
    )
    result, answers = decided(replace(GOOD, request=request(verb), policies=tuple(views)))
    assert result is VerdictOutcome.REFUSED
    assert numbers(answers) == [1, 0]
    assert answers[-1].gate == "policy"
    assert answers[-1].findings == (FINDING,)


def test_a_policy_with_a_warning_still_judges() -> None:
    warned = replace(FINDING, severity=Severity.WARNING)
    view = replace(MAIN, policies=replace(MAIN.policies, findings=(warned,)))
    assert decided(replace(GOOD, policies=(view, ACCEPTED)))[0] is VerdictOutcome.ACCEPTED


def test_without_any_policy_nothing_passes() -> None:
    result, _ = decided(replace(GOOD, policies=()))
    assert result is not VerdictOutcome.ACCEPTED


@pytest.mark.parametrize(
    ("environments", "severity", "stops"),
    [
        (("*",), GateSeverity.ENFORCE, True),
        (("uat", "prd"), GateSeverity.OFF, True),
        (("prd",), GateSeverity.ENFORCE, False),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_an_unknown_gate_fails_closed_where_it_is_named(
    environments: tuple[str, ...], severity: GateSeverity, which: int, *, stops: bool
) -> None:
    views = [MAIN, ACCEPTED]
    views[which : which + 1] = bound(
        "horoscope", views[which], environments=environments, severity=severity, apps=("iot",)
    )
    result, answers = decided(replace(GOOD, policies=tuple(views)))
    assert (result is VerdictOutcome.REFUSED) is stops
    assert any(f.code == "DST219" for a in answers for f in a.findings) is stops


@pytest.mark.parametrize("verb", [*CHANGING, *SWITCHING])
def test_while_decisions_have_stopped_requests_wait_but_for_the_ways_out(verb: Verb) -> None:
    result, answers = decided(replace(GOOD, request=request(verb), stopped="a tag moved"))
    if verb in (Verb.ACK, Verb.HOLD, Verb.REJECT):
        assert result is VerdictOutcome.ACCEPTED
    else:
        assert result is VerdictOutcome.PENDING
        assert answers[-1].findings[0].code == "DST231"


FAILING = {"elsewhere": {n: replace(f, verified=False) for n, f in GOOD.elsewhere.items()}}


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        (("enforce", "enforce"), VerdictOutcome.REFUSED),
        (("off", "enforce"), VerdictOutcome.REFUSED),
        (("enforce", "warn"), VerdictOutcome.REFUSED),
        (("warn", "off"), VerdictOutcome.ACCEPTED),
        (("off", "off"), VerdictOutcome.ACCEPTED),
    ],
)
def test_both_policies_must_have_lowered_a_gate(
    severities: tuple[str, str], expected: VerdictOutcome
) -> None:
    views = tuple(
        bound("predecessors", view, severity=GateSeverity(severity))[0]
        for view, severity in zip((MAIN, ACCEPTED), severities, strict=True)
    )
    result, answers = decided(replace(GOOD, policies=views, **FAILING))
    assert result is expected
    if "warn" in severities and expected is VerdictOutcome.ACCEPTED:
        assert next(a for a in answers if a.number == 5).result is GateResult.WARN


def test_a_stricter_file_beside_a_lax_one_counts() -> None:
    views = bound("predecessors", MAIN, ACCEPTED, severity=GateSeverity.OFF)
    views = bound("predecessors", *views, severity=GateSeverity.ENFORCE)
    result, _ = decided(replace(GOOD, policies=views, **FAILING))
    assert result is VerdictOutcome.REFUSED


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        ("signature", {"request": request(signed=False)}),
        ("provenance", {"reachable": False}),
        ("renders", {"targets": ()}),
        ("schemas", {"schemas": (FINDING,)}),
    ],
)
@pytest.mark.parametrize("severity", [GateSeverity.OFF, GateSeverity.WARN])
def test_what_is_always_on_cannot_be_switched_off(
    gate: str, change: dict[str, Any], severity: GateSeverity
) -> None:
    views = bound(gate, MAIN, ACCEPTED, severity=severity)
    assert decided(replace(GOOD, policies=views, **change))[0] is VerdictOutcome.REFUSED


def test_warn_does_not_let_missing_evidence_in() -> None:
    views = bound("predecessors", MAIN, ACCEPTED, severity=GateSeverity.WARN)
    facts = replace(GOOD, policies=views, elsewhere={})
    assert decided(facts)[0] is VerdictOutcome.PENDING


def test_a_gate_bound_to_other_apps_says_nothing_here() -> None:
    views = bound("predecessors", MAIN, ACCEPTED, severity=GateSeverity.OFF, apps=("iot",))
    assert decided(replace(GOOD, policies=views, **FAILING))[0] is VerdictOutcome.REFUSED


@given(st.dictionaries(st.sampled_from(sorted(needed(Verb.PROMOTE))), st.sampled_from(GateResult)))
def test_only_a_full_set_of_good_answers_accepts(results: dict[int, GateResult]) -> None:
    answers = [GateAnswer(number=n, gate="g", result=r) for n, r in results.items()]
    good = {GateResult.PASS, GateResult.WARN, GateResult.SKIPPED}
    found = outcome(GOOD, answers)
    full = set(results) == needed(Verb.PROMOTE)
    assert (found is VerdictOutcome.ACCEPTED) == (full and set(results.values()) <= good)
    assert (found is VerdictOutcome.REFUSED) == (GateResult.FAIL in results.values())


def test_the_worst_answer_counts_in_any_order() -> None:
    for one, two in product(GateResult, repeat=2):
        pair = [GateAnswer(number=5, gate="g", result=r, message=r.value) for r in (one, two)]
        assert _worst(pair).result is _worst(pair[::-1]).result


def test_numbers_rise_and_names_are_unique() -> None:
    assert [g.number for g in GATES] == sorted({g.number for g in GATES})
    assert len({g.name for g in GATES}) == len(GATES)
    early = [g.number for g in GATES if g.early]
    assert early == [1, 2, 3, 4]
