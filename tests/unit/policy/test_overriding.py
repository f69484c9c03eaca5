"""Overrides: which gates a hotfix may lift, who may do it, and what is left in the answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from distributor.model.ledger import Soak
from distributor.model.promotion import GateResult, VerdictOutcome
from distributor.model.tags import RequestClass, Trailers
from distributor.policy import EnvironmentFact, GateFacts, PolicyView, authorise, judge, outcome
from tests.unit.policy.facts import (
    ACCEPTED,
    ADA,
    BOB,
    GOOD,
    MAIN,
    NOW,
    POLICIES,
    answer,
    bound,
    facts_of,
    oid,
    request,
    role,
    tag,
)

BASE = Trailers(
    prev=str(oid("9")), request_class=RequestClass.HOTFIX, reason="it burns", override=("soak",)
)
SHORT = EnvironmentFact(targets=1, verified=True, soak=Soak(longest=timedelta(hours=1)))


def views(*roles: object) -> tuple[PolicyView, ...]:
    """A day of soaking is asked for in uat."""
    found = bound("soak", MAIN, ACCEPTED, params={"duration": 86400.0})
    if not roles:
        return found
    return tuple(replace(v, policies=replace(v.policies, roles=roles)) for v in found)


def asked(trailers: Trailers = BASE, who: str = ADA, *roles: object) -> GateFacts:
    made = request(trailers=replace(GOOD.asked.trailers, **_set(trailers)))
    made = replace(made, tag=tag(made.name.verb, who))
    return replace(GOOD, request=made, policies=views(*roles), elsewhere={"sit": SHORT})


def _set(trailers: Trailers) -> dict[str, object]:
    names = ("request_class", "reason", "override")
    return {name: getattr(trailers, name) for name in names}


def refusal(facts: GateFacts) -> str:
    last = authorise(facts, NOW)[-1]
    assert (last.gate, last.result, last.findings[0].code) == (
        "override",
        GateResult.FAIL,
        "DST267",
    )
    return last.message


def test_what_it_names_is_lifted_and_marked():
    facts = asked()
    first = authorise(facts, NOW)
    answers = first + judge(facts, NOW)
    soak = next(a for a in answers if a.gate == "soak")
    assert soak.result is GateResult.WARN
    assert soak.message.startswith("overridden: ")
    assert soak.evidence["override"] == "used"
    assert outcome(facts, answers) is VerdictOutcome.ACCEPTED


def test_without_it_the_same_request_stays_out():
    facts = asked(replace(BASE, override=()))
    answers = authorise(facts, NOW) + judge(facts, NOW)
    assert outcome(facts, answers) is VerdictOutcome.REFUSED


def test_only_what_it_names_is_lifted():
    facts = asked(replace(BASE, override=("windows",)))
    answers = authorise(facts, NOW) + judge(facts, NOW)
    windows = next(a for a in answers if a.gate == "windows")
    assert (windows.result, windows.evidence["override"]) == (GateResult.PASS, "not needed")
    assert outcome(facts, answers) is VerdictOutcome.REFUSED, "the soak was not named"


def test_missing_evidence_is_not_overruled():
    facts = replace(asked(), elsewhere={})
    soak = next(a for a in judge(facts, NOW) if a.gate == "soak")
    assert (soak.result, soak.evidence["override"]) == (GateResult.ERROR, "not needed")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *((n, "is never lifted") for n in ("binding", "signature", "provenance", "veto")),
        *((n, "is never lifted") for n in ("renders", "schemas")),
        ("sok", "there is no gate 'sok'"),
    ],
)
def test_some_gates_are_never_lifted(name: str, said: str):
    assert said in refusal(asked(replace(BASE, override=("soak", name))))


def test_it_needs_its_class_and_a_reason():
    normal = replace(BASE, request_class=RequestClass.NORMAL)
    assert "Class: hotfix" in refusal(asked(normal))
    assert "Reason" in refusal(asked(replace(BASE, reason="")))


@pytest.mark.parametrize(
    ("may", "classes", "good"),
    [
        (("promote",), ("*",), False),
        (("promote", "override"), ("normal",), False),
        (("promote", "override"), ("hotfix",), True),
        (("*",), ("*",), True),
    ],
)
def test_it_needs_a_role_for_hotfixes(may: tuple[str, ...], classes: tuple[str, ...], good: bool):
    roles = (role(BOB, "promote"), role(BOB, *may, classes=classes))
    facts = asked(BASE, BOB, *roles)
    if good:
        assert all(a.result is GateResult.PASS for a in authorise(facts, NOW))
    else:
        assert f"gives {BOB} no role with 'override'" in refusal(facts)


def test_both_policies_must_give_the_role():
    facts = asked(BASE, BOB, role(BOB, "promote", "override"))
    lax, strict = facts.policies
    roles = (role(BOB, "promote"),)
    strict = replace(strict, policies=replace(POLICIES, roles=roles, gates=strict.policies.gates))
    assert "the policy of accepted" in refusal(replace(facts, policies=(lax, strict)))


def test_a_request_without_one_is_not_asked_for_the_role():
    assert answer(6, facts_of()).evidence.get("override") is None
