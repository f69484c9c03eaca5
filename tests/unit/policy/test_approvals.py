"""Gate 14 and the tags that it counts: who may approve what, and what makes an approval void."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.errors.policy import TagReplayed
from distributor.model.findings import Finding
from distributor.model.promotion import GateResult, VerdictOutcome
from distributor.model.tags import Request, RequestClass, Trailers, Verb
from distributor.policy import Approval, GateFacts, authorise, outcome
from tests.unit.policy.facts import (
    ACCEPTED,
    ADA,
    BOB,
    GOOD,
    MAIN,
    NOW,
    STRANGER,
    answer,
    bound,
    codes,
    digest,
    request,
    role,
    with_roles,
)

EVE, DAN = "eve@example.org", "dan@example.org"
ROLES = (
    *MAIN.policies.roles,
    *(role(who, "approve", environments=("uat",), apps=("shop",)) for who in (BOB, EVE, DAN)),
)
VIEWS = tuple(with_roles(view, *ROLES) for view in (MAIN, ACCEPTED))
ASKED = replace(GOOD, principal=ADA)


def by(*people: str, rendered: str = "f") -> tuple[Approval, ...]:
    return tuple(Approval(by=who, rendered=digest(rendered)) for who in people)


def facts(required: int, *approvals: Approval, **more: Any) -> GateFacts:
    views = bound("approvals", *VIEWS, params={"required": required})
    return replace(ASKED, policies=views, approvals=approvals, **more)


def test_without_a_policy_nobody_has_to_approve() -> None:
    assert answer(14, ASKED).result is GateResult.PASS


@pytest.mark.parametrize(
    ("required", "approvals", "result"),
    [
        (1, (), GateResult.PENDING),
        (1, by(BOB), GateResult.PASS),
        (2, by(BOB), GateResult.PENDING),
        (2, by(BOB, BOB), GateResult.PENDING),
        (2, by(BOB, EVE), GateResult.PASS),
        (2, by(BOB, ADA), GateResult.PENDING),
        (2, (*by(BOB), *by(EVE, rendered="e")), GateResult.PENDING),
        (2, (*by(BOB), *by(EVE, rendered="e"), *by(EVE)), GateResult.PASS),
        (0, (), GateResult.PASS),
    ],
    ids=[
        "none", "one of one", "one of two", "the same twice", "two of two", "one's own",
        "of another result", "approved anew", "none asked for",
    ],
)  # fmt: skip
def test_people_are_counted_once_and_only_for_this_result(
    required: int, approvals: tuple[Approval, ...], result: GateResult
) -> None:
    assert answer(14, facts(required, *approvals)).result is result


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"principal": BOB}, "nobody approves their own request"),
        ({"authors": frozenset({BOB})}, "they wrote part"),
        ({"rendered": digest("0")}, "the result has changed"),
        ({"app": "other"}, "does not let them approve here any more"),
    ],
)
def test_why_an_approval_does_not_count_is_said(change: dict[str, Any], said: str) -> None:
    given = answer(14, facts(1, *by(BOB), **change))
    assert given.result is GateResult.PENDING
    assert f"{BOB}'s does not count" in given.message
    assert said in given.message


def test_who_lost_the_right_since_does_not_count() -> None:
    """Main took the role away; that the accepted policy still grants it is not enough."""
    main = with_roles(MAIN, *(r for r in ROLES if BOB not in r.principals))
    views = bound("approvals", main, VIEWS[1], params={"required": 1})
    given = answer(14, replace(ASKED, policies=views, approvals=by(BOB)))
    assert given.result is GateResult.PENDING


def test_it_waits_for_the_hash_where_nothing_was_rendered() -> None:
    assert answer(14, facts(1, *by(BOB), rendered="")).result is GateResult.ERROR


def approval(who: str = BOB, **more: Any) -> Request:
    asked = request(Verb.APPROVE, who=who, trailers=Trailers(rendered=digest("f")), **more)
    return replace(asked, name=replace(asked.name, principal=who))


def approves(asked: Request, of: Request | Finding | None) -> GateFacts:
    return replace(ASKED, request=asked, policies=VIEWS, approves=of)


def decided(given: GateFacts) -> tuple[VerdictOutcome, int]:
    answers = authorise(given, NOW)
    return outcome(given, answers), answers[-1].number


def test_an_approval_is_accepted_by_form_signature_and_what_it_points_at() -> None:
    assert decided(approves(approval(), request())) == (VerdictOutcome.ACCEPTED, 3)


OTHER = replace(request(), name=replace(request().name, version="2.0.0"))
HOTFIX = replace(request(), trailers=Trailers(request_class=RequestClass.HOTFIX))


@pytest.mark.parametrize(
    ("given", "gate", "code"),
    [
        (approves(approval(), None), 3, "DST240"),
        (approves(approval(), OTHER), 3, "DST240"),
        (approves(approval(), Finding.of(TagReplayed, "(x)")), 3, TagReplayed.code),
        (approves(approval(), HOTFIX), 3, "DST205"),
        (approves(approval(signed=False), request()), 2, "DST206"),
        (approves(approval(key=STRANGER), request()), 2, "DST208"),
        (approves(approval(environment="pre"), request()), 2, "DST210"),
        (
            approves(replace(approval(), name=replace(approval().name, principal=EVE)), request()),
            2,
            "DST210",
        ),
    ],
    ids=[
        "of nothing", "of another version", "of a bad request", "of another class", "unsigned",
        "by a stranger", "without the right", "in another's name",
    ],
)  # fmt: skip
def test_an_approval_that_is_refused_says_why(given: GateFacts, gate: int, code: str) -> None:
    assert decided(given) == (VerdictOutcome.REFUSED, gate)
    assert code in codes(gate, given)


def test_an_unsigned_approval_is_refused_where_nothing_else_needs_a_signature() -> None:
    given = approves(approval(environment="sit", signed=False), request(environment="sit"))
    assert codes(2, given) == ["DST206"]
