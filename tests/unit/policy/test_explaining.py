"""Explaining: each step to a signer, each check of the content, by each policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from distributor.model.checks import CheckResult
from distributor.model.findings import Finding
from distributor.model.policy import SignerEntry
from distributor.model.tags import Trailers, Verb
from distributor.policy import verify
from distributor.policy.explaining import content_checks, right_checks, signer_checks
from tests.unit.policy.facts import (
    ACCEPTED,
    ADA,
    BOB,
    GOOD,
    KEYS,
    MAIN,
    NOW,
    POLICIES,
    PREV,
    REVISION,
    STRANGER,
    digest,
    oid,
    request,
    signer,
    tag,
)

DAY = timedelta(days=1)
_, BLOB = KEYS[ADA].public_key.split()


def view(*signers: SignerEntry, revoked: frozenset[str] = frozenset()):
    return replace(MAIN, policies=replace(POLICIES, signers=signers, revoked=revoked))


def told(checks):
    return {c.what: c.code or c.result.value for c in checks}


@pytest.mark.parametrize(
    ("one", "last", "code"),
    [
        (view(signer(ADA)), "principal", "ok"),
        (view(signer(BOB)), "signer", "DST208"),
        (view(replace(signer(ADA), namespaces=("file",))), "signer", "DST208"),
        (view(replace(signer(ADA), valid_before=NOW - DAY)), "validity", "DST209"),
        (view(signer(ADA), revoked=frozenset({BLOB})), "revocation", "DST209"),
        (view(replace(signer(ADA), principals=("*@elsewhere.org",))), "principal", "DST208"),
    ],
)
def test_the_way_to_a_signer_ends_at_the_first_step_that_fails(one, last, code):
    checks = signer_checks(tag(Verb.PROMOTE), (one,), {}, NOW)
    steps = told(checks)
    assert (list(steps)[-1], steps[last]) == (last, code)
    assert set(list(steps.values())[:-1]) <= {"ok"}
    judged = verify(tag(Verb.PROMOTE), one.policies.signers, one.policies.revoked, at=NOW)
    assert (judged.code if isinstance(judged, Finding) else "ok") == code


def test_a_changed_tag_ends_at_its_signature():
    changed = replace(tag(Verb.PROMOTE), signed=b"something else")
    assert told(signer_checks(changed, (MAIN, ACCEPTED), {}, NOW)) == {"signature": "DST207"}


def test_policies_that_differ_are_told_apart_and_those_that_agree_are_not():
    both = signer_checks(tag(Verb.PROMOTE), (MAIN, ACCEPTED), {}, NOW)
    assert [c.text for c in both if c.what == "principal"] == [ADA]
    before = replace(ACCEPTED, policies=replace(POLICIES, signers=(signer(BOB),)))
    apart = signer_checks(tag(Verb.PROMOTE), (MAIN, before), {}, NOW)
    texts = [(c.result, c.text) for c in apart if c.what == "signer"]
    assert len(texts) == 2
    assert {str(v) in text for (_, text), v in zip(texts, (MAIN, before), strict=True)} == {True}


def test_a_right_is_told_and_that_of_nobody_is_not():
    assert told(right_checks(GOOD, NOW)) == {"right": "ok"}
    bob = replace(GOOD, request=request(environment="prd", who=BOB))
    assert told(right_checks(bob, NOW)) == {"right": "DST210"}
    unsigned = replace(GOOD, request=request(signed=False))
    assert told(right_checks(unsigned, NOW)) == {"right": "DST206"}
    stranger = replace(GOOD, request=request(key=STRANGER))
    assert told(right_checks(stranger, NOW)) == {"right": "unknown"}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (GOOD, {}),
        (replace(GOOD, reachable=False), {"commit": "DST211"}),
        (replace(GOOD, prev=oid("4")), {"prev": "DST214"}),
        (replace(GOOD, revision=None), {"version": "DST212"}),
        (replace(GOOD, instance_exists=False), {"instance": "DST222"}),
        (replace(GOOD, revision=replace(REVISION, digest=digest("f"))), {"digest": "DST213"}),
        (replace(GOOD, request=request(trailers=Trailers(app="web", digest=REVISION.digest, prev=PREV))),
         {"trailers": "DST205"}),
    ],
)  # fmt: skip
def test_each_part_of_the_content_has_its_check(facts, expected):
    checks = content_checks(facts, NOW)
    found = {c.what: c.code for c in checks if c.result is CheckResult.FAILED}
    assert found == expected
    rest = {"commit", "instance", "version", "digest", "prev"} - set(expected)
    rest -= set() if facts.revision else {"digest"}  # there is none to agree with
    assert {c.what for c in checks if c.result is CheckResult.OK} == rest


def test_what_was_not_looked_at_is_not_said_to_hold():
    aside = replace(GOOD, reachable=False, instance_exists=None)
    assert told(content_checks(aside, NOW)) == {"commit": "DST211"}
