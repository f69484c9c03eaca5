"""Verdicts as in-toto verification summaries in DSSE envelopes."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from distributor.ledger.summaries import (
    DETAILS,
    Origin,
    envelope,
    fingerprint,
    preimage,
    statement,
    summarised,
)
from distributor.model.promotion import GateAnswer, GateResult, VerdictOutcome
from distributor.model.tags import Verb
from tests.unit.ledger.story import at, digest, oid, verdict

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"
ORIGIN = Origin(
    catalog="https://forge.example/catalog.git", ledger="https://forge.example/ledger.git",
    head=oid(99), key=KEY, version="1.0",
)  # fmt: skip


def gate(number: int, name: str, result: GateResult, **more: object) -> GateAnswer:
    return GateAnswer(number=number, gate=name, result=result, **more)


ACCEPTED = replace(
    verdict(7, "a", environment="prd"),
    commit=oid(5), rendered=digest("d"), targets=("c1", "c2"), reason="a fix",
    answers=(
        gate(2, "signature", GateResult.PASS),
        gate(6, "soak", GateResult.WARN, message="too early"),
        gate(13, "blast-radius", GateResult.PASS, evidence={"override": "used"}),
    ),
)  # fmt: skip


def read(given=ACCEPTED, origin=ORIGIN):
    return json.loads(statement(given, at(3), origin))


def test_an_accepted_verdict_passed_with_its_subject_policy_and_evidence() -> None:
    said = read()
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://slsa.dev/verification_summary/v1"
    (subject,) = said["subject"]
    assert subject == {"name": "shop@1.0.97", "digest": {"sha256": "a" * 64}}
    predicate = said["predicate"]
    assert predicate["verificationResult"] == "PASSED"
    assert predicate["timeVerified"] == "2026-01-01T00:03:00Z"
    assert predicate["verifier"]["id"] == f"urn:distributor:service:{fingerprint(KEY)}"
    assert predicate["policy"]["digest"] == {"gitCommit": oid(1007)}
    assert predicate["resourceUri"].endswith(f"@{oid(5)}#catalog/shop/1.0.97")
    tag, head = predicate["inputAttestations"]
    assert tag["digest"] == {"gitTag": ACCEPTED.tag}
    assert head["digest"] == {"gitCommit": oid(99)}
    details = predicate[DETAILS]
    assert (details["sequence"], details["targets"]) == (7, ["c1", "c2"])
    assert [g["result"] for g in details["gates"]] == ["pass", "warn", "pass"]
    assert details["localLedger"] is False


def test_no_level_is_claimed_and_only_gates_that_really_passed_are_named() -> None:
    assert read()["predicate"]["verifiedLevels"] == [
        "SLSA_BUILD_LEVEL_UNEVALUATED",
        "GATE_PRD_SIGNATURE",
    ]


def test_a_refusal_failed() -> None:
    refused = replace(ACCEPTED, outcome=VerdictOutcome.REFUSED, sequence=0)
    predicate = read(refused)["predicate"]
    assert (predicate["verificationResult"], predicate["verifiedLevels"]) == ("FAILED", ["FAILED"])


def test_a_local_ledger_is_labelled() -> None:
    assert read(origin=replace(ORIGIN, local=True))["predicate"][DETAILS]["localLedger"] is True


@pytest.mark.parametrize(
    "changes",
    [{"outcome": VerdictOutcome.PENDING}, {"revision": None}, {"verb": Verb.HOLD}, {"verb": Verb.REMOVE}],
)  # fmt: skip
def test_what_is_not_decided_or_about_no_package_has_no_summary(changes) -> None:
    given = replace(ACCEPTED, **changes)
    assert not summarised(given)
    with pytest.raises(ValueError, match="not about a package, or not decided"):
        statement(given, at(1), ORIGIN)


def test_the_envelope_is_dsse() -> None:
    """The encoding is that of the specification's own example, with our type."""
    payload = b"hello world"
    assert preimage(payload) == b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"
    made = envelope(payload, b"\1\2", KEY)
    assert base64.b64decode(made["payload"]) == payload
    assert made["payloadType"] == "application/vnd.in-toto+json"
    assert made["signatures"] == [{"keyid": fingerprint(KEY), "sig": "AQI="}]


def test_the_same_verdict_is_the_same_statement() -> None:
    assert statement(ACCEPTED, at(3), ORIGIN) == statement(replace(ACCEPTED), at(3), ORIGIN)
