"""Each gate as a table: one fact changed, the codes that come out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from distributor.errors.policy import BadSignature, OpenPgpUnavailable, UnknownSigner
from distributor.model.findings import Finding
from distributor.model.ledger import HoldSet, VetoSet
from distributor.model.openpgp import PgpKey, PgpSeal
from distributor.model.promotion import GateResult, Revision, Verdict, VerdictOutcome
from distributor.model.tags import RequestClass, Trailers, Verb
from distributor.policy import GateFacts, PolicyView, Retirement, authorise
from distributor.policy.registry import gates_for
from tests.unit.policy.facts import (
    ACCEPTED,
    ADA,
    BOB,
    GOOD,
    MAIN,
    NOW,
    PREV,
    REVISION,
    ROLES,
    SERVICE,
    STRANGER,
    answer,
    codes,
    digest,
    facts_of,
    oid,
    role,
    signer,
    with_roles,
)

# 1 binding


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (facts_of(environment="nowhere"), ["DST201"]),
        (facts_of(environment="all"), ["DST201"]),
        (facts_of(Verb.REJECT, environment="all"), []),
        (facts_of(trailers=Trailers()), ["DST205"]),
        (facts_of(Verb.REMOVE, trailers=Trailers()), ["DST205"]),
        (facts_of(Verb.HOLD, trailers=Trailers()), []),
        (
            facts_of(trailers=Trailers(prev=PREV, request_class=RequestClass.ROLLBACK)),
            ["DST205"],
        ),
        (
            facts_of(
                Verb.ROLLBACK, trailers=Trailers(prev=PREV, request_class=RequestClass.HOTFIX)
            ),
            ["DST205"],
        ),
    ],
)
def test_binding(facts: GateFacts, expected: list[str]) -> None:
    assert codes(1, facts) == expected


AGREED = Trailers(app="shop", digest=REVISION.digest, config=REVISION.config)


@pytest.mark.parametrize("verb", [Verb.CONSENT, Verb.DETACH])
@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"trailers": AGREED}, []),
        ({"trailers": Trailers()}, ["DST205"]),
        ({"trailers": replace(AGREED, config=digest("9"))}, ["DST205"]),
        ({"trailers": AGREED, "revision": None}, ["DST201"]),
        ({"trailers": AGREED, "questions": {}}, ["DST274"]),
        ({"trailers": replace(AGREED, rendered=GOOD.listed)}, []),
        ({"trailers": replace(AGREED, rendered=digest("9"))}, ["DST275"]),
    ],
)
def test_a_consent_names_the_revision_that_was_accepted(
    verb: Verb, more: dict[str, Any], expected: list[str]
) -> None:
    assert codes(1, facts_of(verb, **more)) == expected


SEEN = Trailers(app="shop", digest=REVISION.digest, config=REVISION.config)


def _standby(view: PolicyView) -> PolicyView:
    """pre stands by for uat."""
    pre = replace(view.environments["pre"], standby_for="uat")
    return replace(view, environments={**view.environments, "pre": pre})


STANDBYS = (_standby(MAIN), _standby(ACCEPTED))
STANDING_BY = {
    "trailers": SEEN, "stands_in": "", "environment": "pre", "app": "shop", "policies": STANDBYS,
}  # fmt: skip
STANDING_IN = {**STANDING_BY, "stands_in": "uat"}


@pytest.mark.parametrize(
    ("verb", "more", "expected"),
    [
        (Verb.FAILOVER, STANDING_BY, []),
        (Verb.FAILOVER, {**STANDING_BY, "trailers": Trailers()}, []),
        (Verb.FAILOVER, STANDING_IN, ["DST280"]),
        (Verb.FAILBACK, STANDING_BY, ["DST280"]),
        (Verb.FAILBACK, STANDING_IN, []),
        (Verb.FAILOVER, {**STANDING_BY, "instance": "all"}, ["DST280"]),
        (Verb.FAILOVER, {**STANDING_BY, "trailers": replace(SEEN, digest=digest("9"))}, ["DST213"]),
        (Verb.FAILOVER, {**STANDING_BY, "trailers": replace(SEEN, config=digest("9"))}, ["DST213"]),
        (Verb.FAILOVER, {**STANDING_BY, "reachable": False}, ["DST211"]),
        (Verb.FAILOVER, {**STANDING_BY, "instance_exists": False}, ["DST222"]),
        (Verb.FAILOVER, {**STANDING_BY, "stands_in": None}, ["DST226"]),
        (Verb.FAILOVER, {**STANDING_BY, "reachable": None}, ["DST226"]),
    ],
)
def test_a_failover_is_of_what_a_standby_runs(
    verb: Verb, more: dict[str, Any], expected: list[str]
) -> None:
    assert codes(3, facts_of(verb, **more)) == expected


def test_only_a_standby_fails_over_and_both_policies_have_to_say_so() -> None:
    main, accepted = STANDBYS
    over, back = facts_of(Verb.FAILOVER, **STANDING_BY), facts_of(Verb.FAILBACK, **STANDING_IN)
    assert codes(1, replace(over, policies=(main, accepted))) == []
    for views in ((MAIN, accepted), (main, ACCEPTED), (MAIN, ACCEPTED)):
        assert set(codes(1, replace(over, policies=views))) == {"DST279"}
    assert codes(1, replace(back, policies=(MAIN, ACCEPTED))) == []


@pytest.mark.parametrize("verb", [Verb.FAILOVER, Verb.FAILBACK])
def test_a_failover_is_stopped_by_a_veto_and_not_by_a_hold(verb: Verb) -> None:
    hold = HoldSet(at=NOW, on=True, by="sre")
    veto = VetoSet(at=NOW, on=True, app="shop", version="1.0.0", by="sre")
    facts = facts_of(verb, **(STANDING_BY if verb is Verb.FAILOVER else STANDING_IN))
    assert codes(4, replace(facts, holds=(hold,))) == []
    assert codes(4, replace(facts, veto=veto)) == ["DST215"]
    assert {gate.number for gate in gates_for(verb)} == {1, 2, 3, 4, 8, 9, 12}


@pytest.mark.parametrize("verb", [Verb.CONSENT, Verb.DETACH])
def test_a_consent_waits_for_the_first_look_at_a_target_but_not_for_long(verb: Verb) -> None:
    unseen = facts_of(verb, trailers=AGREED, questions=None)
    given = answer(1, unseen)
    assert (given.result, given.until) == (GateResult.PENDING, NOW + timedelta(minutes=2))
    assert codes(1, replace(unseen, first_observed=NOW - timedelta(minutes=2))) == ["DST274"]


def test_an_environment_younger_than_the_accepted_policy_is_known_by_main() -> None:
    older = replace(ACCEPTED, environments={"sit": MAIN.environments["sit"]}, pipeline=None)
    assert codes(1, replace(GOOD, policies=(MAIN, older))) == []
    gone = replace(MAIN, environments={"sit": MAIN.environments["sit"]})
    assert codes(1, replace(GOOD, policies=(gone, ACCEPTED))) == ["DST201"]


@pytest.mark.parametrize(
    ("verb", "exists", "expected"),
    [
        (Verb.REMOVE, True, []),
        (Verb.REMOVE, False, ["DST201"]),
        (Verb.ACK, True, []),
        (Verb.PROMOTE, True, ["DST201"]),
        (Verb.ROLLBACK, True, ["DST201"]),
        (Verb.HOLD, True, ["DST201"]),
    ],
)
def test_what_runs_in_an_environment_that_is_gone_can_be_removed(
    verb: Verb,
    exists: bool,
    expected: list[str],
) -> None:
    gone = replace(MAIN, environments={"sit": MAIN.environments["sit"]})
    facts = facts_of(verb, instance_exists=exists, policies=(gone, ACCEPTED))
    assert [code for code in codes(1, facts) if code == "DST201"] == expected


# 2 signature and right


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (facts_of(signed=False), ["DST206"]),
        (facts_of(signed=False, environment="sit"), []),
        (facts_of(Verb.HOLD, signed=False, environment="sit"), []),
        (facts_of(Verb.ACK, signed=False, environment="sit"), ["DST210"]),
        (facts_of(Verb.UNREJECT, signed=False, environment="sit"), ["DST206"]),
        (facts_of(Verb.REJECT, signed=False, environment="all"), ["DST206"]),
        (facts_of(key=STRANGER), ["DST208"]),
        (facts_of(key=STRANGER, environment="sit"), ["DST208"]),
        (facts_of(who=BOB), []),
        (facts_of(who=BOB, environment="prd"), ["DST210"]),
        (facts_of(who=BOB, app="iot"), ["DST210"]),
        (facts_of(who=BOB, app=""), ["DST210"]),
        (facts_of(Verb.HOLD, who=BOB), ["DST210"]),
        (facts_of(Verb.HOLD, instance="all"), []),
        (facts_of(Verb.REJECT, environment="all"), []),
        (facts_of(Verb.REJECT, environment="all", who=BOB), ["DST210"]),
    ],
)
def test_signature(facts: GateFacts, expected: list[str]) -> None:
    assert set(codes(2, facts)) == set(expected)


def _limited(view: PolicyView) -> PolicyView:
    return with_roles(view, *(r for r in ROLES if ADA not in r.principals))


@pytest.mark.parametrize("views", [(_limited(MAIN), ACCEPTED), (MAIN, _limited(ACCEPTED))])
def test_both_policies_must_grant_the_right(views: tuple[PolicyView, ...]) -> None:
    assert codes(2, replace(GOOD, policies=views)) == ["DST210"]


@pytest.mark.parametrize(
    ("views", "whose"),
    [
        ((_limited(MAIN), _limited(ACCEPTED)), "main's policy and the accepted one"),
        ((_limited(MAIN), ACCEPTED), "main's policy"),
        ((MAIN, _limited(ACCEPTED)), "the accepted one"),
    ],
)
def test_a_refusal_is_said_once_with_the_policies_it_comes_from(
    views: tuple[PolicyView, ...], whose: str
) -> None:
    refused = authorise(replace(GOOD, policies=views), NOW)[-1]
    assert refused.message.count("may not do this") == 1
    assert refused.message.endswith(f"(by {whose})")
    assert len(refused.findings) == 1


def test_a_signer_that_main_just_added_does_not_count_yet() -> None:
    eve = "eve@example.org"
    added = replace(
        MAIN.policies,
        signers=(*MAIN.policies.signers, signer(eve, STRANGER)),
        roles=(*ROLES, role(eve, "*")),
    )
    granted = replace(MAIN, policies=added)
    assert codes(2, facts_of(key=STRANGER, policies=(granted,))) == []
    assert codes(2, facts_of(key=STRANGER, policies=(granted, ACCEPTED))) == ["DST208"]


def test_signatures_that_main_just_made_optional_are_still_asked_for() -> None:
    lax = replace(MAIN.environments["uat"], signatures_required=False)
    view = replace(MAIN, environments={**MAIN.environments, "uat": lax})
    lax_roles = with_roles(view, *ROLES, role("anonymous", "promote"))
    assert codes(2, facts_of(signed=False, policies=(lax_roles,))) == []
    assert codes(2, facts_of(signed=False, policies=(lax_roles, ACCEPTED))) == ["DST206"]


def test_a_policy_that_does_not_know_the_environment_asks_for_a_signature() -> None:
    older = replace(ACCEPTED, environments={})
    facts = facts_of(signed=False, environment="sit", policies=(MAIN, older))
    assert codes(2, facts) == ["DST206"]


def test_one_key_for_two_principals_is_refused() -> None:
    other = replace(ACCEPTED.policies, signers=(signer(BOB, None), replace(signer(ADA), principals=(BOB,))))  # fmt: skip
    facts = replace(GOOD, policies=(MAIN, replace(ACCEPTED, policies=other)))
    assert codes(2, facts) == ["DST208"]


def test_a_rollback_needs_a_role_for_that_class() -> None:
    normal = role(ADA, "*", classes=("normal",))
    rollback = role(ADA, "*", classes=("rollback",))
    for allowed, roles in ((False, normal), (True, rollback)):
        views = (with_roles(MAIN, roles), with_roles(ACCEPTED, roles))
        assert (codes(2, facts_of(Verb.ROLLBACK, policies=views)) == []) is allowed


SEAL = PgpSeal(fingerprint="B" * 40, primary="A" * 40)
ARMOUR = b"-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n"
OWN = PgpKey(principal=ADA, data=b"", fingerprints=frozenset({SEAL.primary}))


@pytest.mark.parametrize(
    ("seal", "keys", "result", "expected"),
    [
        (SEAL, (OWN,), GateResult.PASS, []),
        (SEAL, (replace(OWN, principal="eve@example.org"),), GateResult.FAIL, ["DST210"]),
        (SEAL, (), GateResult.FAIL, ["DST208"]),
        (replace(SEAL, revoked=True), (OWN,), GateResult.FAIL, ["DST209"]),
        (replace(SEAL, key_expires=NOW), (OWN,), GateResult.FAIL, ["DST209"]),
        (Finding.of(BadSignature), (OWN,), GateResult.FAIL, ["DST207"]),
        (Finding.of(OpenPgpUnavailable), (OWN,), GateResult.ERROR, ["DST271"]),
        (None, (OWN,), GateResult.ERROR, ["DST271"]),
    ],
)
def test_an_openpgp_signature_is_judged_by_what_gpg_said(
    seal: PgpSeal | Finding | None,
    keys: tuple[PgpKey, ...],
    result: GateResult,
    expected: list[str],
) -> None:
    signed = replace(GOOD.asked, tag=replace(GOOD.asked.tag, signature=ARMOUR))
    views = tuple(replace(v, policies=replace(v.policies, pgp=keys)) for v in GOOD.policies)
    seals = {} if seal is None else {view.commit: seal for view in views}
    facts = replace(GOOD, request=signed, policies=views, seals=seals)
    assert answer(2, facts).result is result
    assert codes(2, facts) == expected


def test_both_policies_must_know_an_openpgp_key() -> None:
    signed = replace(GOOD.asked, tag=replace(GOOD.asked.tag, signature=ARMOUR))
    main, accepted = GOOD.policies
    views = (replace(main, policies=replace(main.policies, pgp=(OWN,))), accepted)
    seals = {main.commit: SEAL, accepted.commit: Finding.of(UnknownSigner)}
    assert codes(2, replace(GOOD, request=signed, policies=views, seals=seals)) == ["DST208"]


# 3 provenance


def first(revision: Revision) -> Verdict:
    """The verdict by which a version came to sit before."""
    return Verdict(
        ref="refs/tags/promote/sit/shop/1.0.0",
        tag=oid("6"),
        verb=Verb.PROMOTE,
        environment="sit",
        instance="shop",
        outcome=VerdictOutcome.ACCEPTED,
        answers=(),
        principal=ADA,
        revision=revision,
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (GOOD, []),
        (replace(GOOD, reachable=False), ["DST211"]),
        (replace(GOOD, instance_exists=False), ["DST222"]),
        (replace(GOOD, revision=None), ["DST212"]),
        (replace(GOOD, revision=replace(REVISION, version="1.0.1")), ["DST212"]),
        (replace(GOOD, revision=replace(REVISION, app="iot")), ["DST205"]),
        (replace(GOOD, revision=replace(REVISION, digest=digest("b"))), ["DST213"]),
        (replace(GOOD, prev=oid("8")), ["DST214"]),
        (replace(GOOD, prev="none"), ["DST214"]),
        (facts_of(trailers=Trailers(digest=REVISION.digest, prev="none"), prev="none"), []),
        (facts_of(trailers=Trailers(prev=PREV)), ["DST205"]),
        (
            facts_of(trailers=Trailers(digest=REVISION.digest, config=digest("d"), prev=PREV)),
            ["DST213"],
        ),
        (
            facts_of(
                trailers=Trailers(digest=REVISION.digest, config=REVISION.config, prev=PREV)
            ),
            [],
        ),
        (replace(GOOD, reachable=False, revision=None, prev="none"), ["DST211", "DST212", "DST214"]),
        (facts_of(Verb.REMOVE, revision=None), []),
        (facts_of(Verb.REMOVE, revision=None, prev="none"), ["DST214"]),
        (facts_of(Verb.ROLLBACK, trailers=Trailers(prev=PREV)), []),
        (replace(GOOD, released=first(REVISION)), []),
        (replace(GOOD, released=first(replace(REVISION, config=digest("d")))), []),
        (replace(GOOD, released=first(replace(REVISION, digest=digest("b")))), ["DST119"]),
    ],
)  # fmt: skip
def test_provenance(facts: GateFacts, expected: list[str]) -> None:
    assert codes(3, facts) == expected


def test_a_changed_version_is_told_with_both_digests_and_where_it_was_accepted() -> None:
    facts = replace(GOOD, released=first(replace(REVISION, digest=digest("b"))))
    (finding,) = answer(3, facts).findings
    assert digest("a") in finding.message
    assert f"sit accepted it as {digest('b')}" in finding.message


# 4 veto and hold

VETO = VetoSet(at=NOW, on=True, app="shop", version="1.0.0", by=BOB, reason="leaks")
ASKED = HoldSet(at=NOW, on=True, by=BOB, reason="audit")
LEFT = HoldSet(at=NOW, on=True, by=BOB, digest=REVISION.digest)
LEFT_OTHER = HoldSet(at=NOW, on=True, by=BOB, digest=digest("b"))


@pytest.mark.parametrize(
    ("verb", "who", "change", "expected"),
    [
        (Verb.PROMOTE, ADA, {}, []),
        (Verb.PROMOTE, ADA, {"veto": VETO}, ["DST215"]),
        (Verb.ROLLBACK, ADA, {"veto": VETO}, ["DST215"]),
        (Verb.REMOVE, ADA, {"veto": VETO}, []),
        (Verb.PROMOTE, ADA, {"holds": (ASKED,)}, ["DST216"]),
        (Verb.PROMOTE, ADA, {"holds": (LEFT,)}, ["DST216"]),
        (Verb.PROMOTE, ADA, {"holds": (LEFT_OTHER,)}, []),
        (Verb.PROMOTE, SERVICE, {"holds": (LEFT_OTHER,)}, ["DST216"]),
        (Verb.PROMOTE, SERVICE, {}, []),
        (Verb.ROLLBACK, ADA, {"holds": (ASKED, LEFT)}, []),
        (Verb.REMOVE, ADA, {"holds": (ASKED, LEFT)}, []),
        (Verb.PROMOTE, ADA, {"holds": (ASKED, LEFT), "veto": VETO}, ["DST215", "DST216", "DST216"]),
    ],
)
def test_veto(verb: Verb, who: str, change: dict[str, Any], expected: list[str]) -> None:
    assert codes(4, facts_of(verb, who=who, **change)) == expected


@pytest.mark.parametrize("verb", [Verb.UNHOLD, Verb.HOLD, Verb.REJECT, Verb.UNREJECT, Verb.ACK])
def test_nothing_stops_the_switches(verb: Verb) -> None:
    facts = facts_of(verb, veto=VETO, holds=(ASKED, LEFT))
    assert all(a.result is GateResult.PASS for a in authorise(facts, NOW))


@pytest.mark.parametrize(
    ("verb", "rollout", "expected"),
    [
        (Verb.PAUSE, "running", []),
        (Verb.RESUME, "running", []),
        (Verb.ABORT, "running", []),
        (Verb.RETRY, "failed", []),
        (Verb.PAUSE, "ended", ["DST242"]),
        (Verb.ABORT, "failed", ["DST242"]),
        (Verb.RETRY, "running", ["DST242"]),
        (Verb.RETRY, "", ["DST242"]),
        (Verb.RETRY, None, ["DST226"]),
    ],
)
def test_a_switch_needs_a_rollout_that_it_is_for(
    verb: Verb, rollout: str | None, expected: list[str]
) -> None:
    assert codes(3, facts_of(verb, rollout=rollout)) == expected


@pytest.mark.parametrize(
    ("verb", "expected"),
    [(Verb.PAUSE, []), (Verb.RESUME, []), (Verb.ABORT, ["DST242"]), (Verb.RETRY, ["DST242"])],
)
def test_only_what_ends_nothing_reaches_all_instances(verb: Verb, expected: list[str]) -> None:
    assert codes(3, facts_of(verb, instance="all", rollout="")) == expected


@pytest.mark.parametrize(
    ("found", "result", "expected"),
    [
        (Retirement(declared=False, instances=("shop",), rolling=()), GateResult.PASS, []),
        (Retirement(declared=True, instances=("shop",), rolling=()), GateResult.FAIL, ["DST273"]),
        (Retirement(declared=False, instances=(), rolling=()), GateResult.FAIL, ["DST273"]),
        (
            Retirement(declared=False, instances=("shop",), rolling=("shop",)),
            GateResult.PENDING,
            [],
        ),
        (None, GateResult.ERROR, ["DST226"]),
    ],
)
def test_a_cluster_goes_once_main_has_let_go_of_it(
    found: Retirement | None, result: GateResult, expected: list[str]
) -> None:
    facts = facts_of(Verb.RETIRE, instance="edge-1", retirement=found)
    assert answer(3, facts).result is result
    assert codes(3, facts) == expected
