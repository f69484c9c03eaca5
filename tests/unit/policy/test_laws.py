"""Laws of the whole evaluation, tried on many requests, policies and facts."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.model.fleet import StandbyMode
from distributor.model.ledger import HoldSet, VetoSet
from distributor.model.policy import GateBinding, GateSeverity
from distributor.model.promotion import GateResult, VerdictOutcome
from distributor.model.refs import ObjectRef
from distributor.model.tags import Verb
from distributor.policy import (
    EnvironmentFact,
    GateFacts,
    PolicyView,
    Reach,
    Source,
    authorise,
    judge,
    outcome,
)
from tests.unit.policy.facts import (
    ADA,
    BOB,
    GOOD,
    KEYS,
    MAIN,
    NOW,
    PREV,
    REVISION,
    ROLES,
    STRANGER,
    digest,
    request,
)

ACCEPTED = VerdictOutcome.ACCEPTED
REFUSED = VerdictOutcome.REFUSED

bindings = st.builds(
    GateBinding,
    name=st.just("g"),
    gate=st.sampled_from([*["predecessors", "blast-radius", "soak"] * 4, "signature", "horoscope"]),
    environments=st.sampled_from([("*",), ("uat",), ("prd",)]),
    severity=st.sampled_from(GateSeverity),
    params=st.sampled_from(
        [{}, {"maxPrunedObjects": 0}, {"require": "any"}, {"parity": False}, {"duration": 3600.0}]
    ),
)
policies = st.builds(
    lambda roles, gates: replace(MAIN.policies, roles=tuple(roles), gates=tuple(gates)),
    st.lists(st.sampled_from(ROLES), max_size=1).map(
        lambda left_out: [role for role in ROLES if role not in left_out]
    ),
    st.lists(bindings, max_size=2),
)


@st.composite
def views(draw: st.DrawFn, source: Source) -> PolicyView:
    signed, accepts = draw(st.booleans()), draw(st.booleans())
    environments = dict(MAIN.environments)
    uat = environments["uat"]
    rule = replace(uat.verify, accept=frozenset({"not-applicable"} if accepts else ()))
    standby = draw(st.sampled_from(["", "sit"]))
    environments["uat"] = replace(
        uat,
        signatures_required=signed,
        verify=rule,
        standby_for=standby,
        standby_mode=draw(st.sampled_from(StandbyMode)),
    )
    return replace(MAIN, source=source, policies=draw(policies), environments=environments)


@st.composite
def facts(draw: st.DrawFn) -> GateFacts:
    asked = request(
        draw(st.sampled_from([*[Verb.PROMOTE, Verb.ROLLBACK, Verb.REMOVE] * 6, *sorted(Verb)])),
        draw(st.sampled_from([*["sit", "uat"] * 6, "prd", "all", "nowhere"])),
        who=draw(st.sampled_from([ADA, ADA, ADA, BOB])),
        key=draw(st.sampled_from([*[None] * 9, STRANGER])),
        signed=draw(st.sampled_from([True, True, False])),
    )
    fact = st.builds(
        EnvironmentFact,
        targets=st.integers(0, 1),
        verified=st.sampled_from([True, True, False]),
        desired=st.booleans(),
    )
    hold = HoldSet(at=NOW, on=True, by=BOB, digest=draw(st.sampled_from([REVISION.digest, digest("b")])))  # fmt: skip
    veto = VetoSet(at=NOW, on=True, app="shop", version="1.0.0", by=BOB)
    pruned = {"c1": (ObjectRef("", "ConfigMap", "shop", "a"),)}
    return replace(
        GOOD,
        request=asked,
        reachable=draw(st.sampled_from([*[True] * 8, False, None])),
        prev=draw(st.sampled_from([*[PREV] * 8, "none"])),
        elsewhere={name: draw(fact) for name in MAIN.environments},
        holds=draw(st.sampled_from([(), (), (hold,)])),
        veto=draw(st.sampled_from([None, None, veto])),
        stopped=draw(st.sampled_from([*[""] * 6, "a tag moved"])),
        verified_here=draw(st.booleans()),
        reach=draw(st.sampled_from([None, Reach(), Reach(), Reach(pruned=pruned)])),
        policies=(draw(views(Source.MAIN)), draw(views(Source.ACCEPTED))),
    )


def result(given_facts: GateFacts) -> VerdictOutcome:
    return outcome(given_facts, (*authorise(given_facts, NOW), *judge(given_facts, NOW)))


@given(facts())
@settings(max_examples=150, deadline=None)
def test_what_two_policies_allow_each_allows_alone(case: GateFacts) -> None:
    if result(case) is ACCEPTED:
        main, accepted = case.policies
        assert result(replace(case, policies=(main,))) is ACCEPTED
        assert result(replace(case, policies=(accepted,))) is ACCEPTED


@given(facts())
@settings(max_examples=150, deadline=None)
def test_the_order_of_policies_does_not_matter(case: GateFacts) -> None:
    assert result(case) is result(replace(case, policies=case.policies[::-1]))


@given(facts(), st.integers(0, 1), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_taking_a_role_away_never_lets_anything_in(case: GateFacts, which: int, role: int) -> None:
    chosen = list(case.policies)
    view = chosen[which]
    fewer = tuple(r for n, r in enumerate(view.policies.roles) if n != role)
    chosen[which] = replace(view, policies=replace(view.policies, roles=fewer))
    if result(replace(case, policies=tuple(chosen))) is ACCEPTED:
        # The one right that binds its holder: whoever decides asks automatically, and holds stop that.
        assert result(replace(case, holds=())) is ACCEPTED


@given(facts())
@settings(max_examples=150, deadline=None)
def test_what_is_accepted_is_signed_wherever_one_policy_asks(case: GateFacts) -> None:
    if result(case) is not ACCEPTED or case.asked.tag.signature:
        return
    name = case.asked.name
    asked = [
        e.signatures_required
        for view in case.policies
        for e in view.environments.values()
        if name.environment in (e.name, "all")
    ]
    assert not any(asked)
    assert name.verb is not Verb.UNREJECT


@given(facts())
@settings(max_examples=150, deadline=None)
def test_every_answer_that_keeps_out_says_why(case: GateFacts) -> None:
    for answer in (*authorise(case, NOW), *judge(case, NOW)):
        if answer.result in (GateResult.FAIL, GateResult.ERROR, GateResult.PENDING):
            assert answer.message
            assert answer.findings
            assert all(f.code.startswith("DST") and f.remedy for f in answer.findings)


@given(facts())
@settings(max_examples=150, deadline=None)
def test_the_same_facts_give_the_same_answers(case: GateFacts) -> None:
    assert authorise(case, NOW) == authorise(case, NOW)
    assert judge(case, NOW) == judge(case, NOW)


@given(facts())
@settings(max_examples=150, deadline=None)
def test_a_stranger_changes_nothing(case: GateFacts) -> None:
    signature = case.asked.tag.signature
    if signature and all(signature != key.sign(case.asked.tag.signed, "git") for key in KEYS.values()):  # fmt: skip
        assert result(case) is REFUSED
