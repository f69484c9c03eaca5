"""Summaries: a verdict as an in-toto statement with a SLSA verification summary, and its DSSE envelope.

The formats are in-toto's Statement v1, SLSA's ``verification_summary/v1`` and DSSE 1.0 with its
pre-authentication encoding. A summary says which gates a package passed, never which SLSA level it has.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from distributor.model.promotion import GateAnswer, GateResult, Verdict, VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.tags import Verb

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
SUMMARY = "https://slsa.dev/verification_summary/v1"
DETAILS = "https://distributor.dev/verdict/v1"
"""The member of the predicate that is ours: what a summary has no field for."""
_UNEVALUATED = "SLSA_BUILD_LEVEL_UNEVALUATED"
_SUMMARISED = frozenset({Verb.PROMOTE, Verb.ROLLBACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where verdicts come from: the catalog, the ledger and its head, and the key that vouches for them."""

    catalog: str
    ledger: str
    head: ObjectId
    key: str
    version: str
    local: bool = False


def summarised(verdict: Verdict) -> bool:
    """Whether a verdict is about a package that should run, and is final."""
    final = verdict.outcome is not VerdictOutcome.PENDING
    return final and verdict.verb in _SUMMARISED and verdict.revision is not None


def fingerprint(key: str) -> str:
    """A public key's fingerprint, in OpenSSH's form."""
    blob = base64.b64decode(key.split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def statement(verdict: Verdict, at: datetime, origin: Origin) -> bytes:
    """The statement about one verdict, as canonical as JSON can be: sorted members, no spaces.

    Raises ``ValueError`` for a verdict that is not ``summarised``.
    """
    revision = verdict.revision
    if revision is None or not summarised(verdict):
        msg = f"{verdict.ref} is not about a package, or not decided"
        raise ValueError(msg)
    path = f"catalog/{revision.app}/{revision.version}"
    subject = {
        "name": f"{revision.app}@{revision.version}",
        "digest": {"sha256": revision.digest.removeprefix("sha256:")},
    }
    policy = verdict.policy_commit
    predicate: dict[str, Any] = {
        "verifier": {
            "id": f"urn:distributor:service:{fingerprint(origin.key)}",
            "version": {"distributor": origin.version},
        },
        "timeVerified": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "resourceUri": f"git+{origin.catalog}@{verdict.commit}#{path}",
        "policy": {
            "uri": f"git+{origin.catalog}@{policy}#policies",
            "digest": {"gitCommit": policy},
        },
        "inputAttestations": [
            {
                "uri": f"git+{origin.catalog}#refs/tags/{verdict.ref}",
                "digest": {"gitTag": verdict.tag},
            },
            {
                "uri": f"git+{origin.ledger}@{origin.head}#records/{verdict.environment}/{verdict.instance}",
                "digest": {"gitCommit": origin.head},
            },
        ],
        "verificationResult": "PASSED" if verdict.accepted else "FAILED",
        "verifiedLevels": [_UNEVALUATED, *_passed(verdict)] if verdict.accepted else ["FAILED"],
        DETAILS: _details(verdict, origin),
    }
    whole = {
        "_type": STATEMENT,
        "subject": [subject],
        "predicateType": SUMMARY,
        "predicate": predicate,
    }
    return orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)


def _passed(verdict: Verdict) -> list[str]:
    """A property for each gate that passed; one that was overridden or only warned is none."""
    overridden = set(verdict.overridden)
    gates = (a.gate for a in verdict.answers if a.result is GateResult.PASS)
    return sorted({_property(g, verdict.environment) for g in gates if g not in overridden})


def _property(gate: str, environment: str) -> str:
    words = f"GATE_{environment}_{gate}".upper()
    return "".join(c if c.isalnum() else "_" for c in words)


def _details(verdict: Verdict, origin: Origin) -> Mapping[str, Any]:
    revision = verdict.revision
    return {
        "environment": verdict.environment,
        "instance": verdict.instance,
        "request": verdict.ref,
        "verb": verdict.verb.value,
        "class": verdict.request_class.value,
        "principal": verdict.principal,
        "sequence": verdict.sequence,
        "config": revision.config if revision else "",
        "rendered": verdict.rendered,
        "targets": list(verdict.targets),
        "reason": verdict.reason,
        "gates": [_answer(a) for a in verdict.answers],
        "overridden": list(verdict.overridden),
        "localLedger": origin.local,
    }


def _answer(answer: GateAnswer) -> Mapping[str, Any]:
    return {
        "number": answer.number,
        "gate": answer.gate,
        "result": answer.result.value,
        "message": answer.message,
    }


def preimage(payload: bytes) -> bytes:
    """What a DSSE signature is made over: the type and the payload, each with its length."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def envelope(payload: bytes, signature: bytes, key: str) -> dict[str, Any]:
    """The DSSE envelope of a payload, with one signature over its ``preimage``."""
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [
            {"keyid": fingerprint(key), "sig": base64.b64encode(signature).decode()},
        ],
    }
