"""Explaining: who signed a tag, and what it is about, one check after the other; for people, decides nothing.

The checks come from what gates 2 and 3 ask, so that both say the same.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from distributor.errors.policy import (
    BadTrailers,
    DigestMismatch,
    NoSuchInstance,
    NotAllowed,
    NotOnMain,
    OpenPgpUnavailable,
    StaleRequest,
    Unsigned,
    VersionMissing,
)
from distributor.model.checks import TagCheck
from distributor.model.findings import Finding
from distributor.model.openpgp import PgpSeal
from distributor.model.promotion import GateAnswer, GateResult
from distributor.model.refs import ObjectId
from distributor.model.tags import TagObject, Verb
from distributor.policy.facts import GateFacts, PolicyView
from distributor.policy.gates import provenance, signature
from distributor.policy.openpgp import is_openpgp, owner
from distributor.policy.signatures import address, steps_of

_DEPLOYS = (Verb.PROMOTE, Verb.ROLLBACK)
_CHAINED = (*_DEPLOYS, Verb.REMOVE)
_ABOUT = {
    NotOnMain.code: "commit",
    NoSuchInstance.code: "instance",
    VersionMissing.code: "version",
    DigestMismatch.code: "digest",
    StaleRequest.code: "prev",
    BadTrailers.code: "trailers",
}
"""Which check a finding of gate 3 belongs to; any other is about the content."""
_RIGHTS = (NotAllowed.code, Unsigned.code)
Seals = Mapping[ObjectId, PgpSeal | Finding]


def signer_checks(
    tag: TagObject, views: Sequence[PolicyView], seals: Seals, at: datetime
) -> tuple[TagCheck, ...]:
    """Whose signature it is, by each policy that would judge it; ``at`` is when the ledger first saw it."""
    if not tag.signature:
        return (TagCheck.ok("signature", "unsigned: whoever asks is anonymous"),)
    told = [(view, check) for view in views for check in _by(tag, view, seals, at)]
    return _merged(told, len(views))


def right_checks(facts: GateFacts, now: datetime) -> tuple[TagCheck, ...]:
    """Whether who signed may ask for this here, by each policy that judges it."""
    told = [(view, _right(signature.evaluate(facts, view, {}, now))) for view in facts.policies]
    return _merged(told, len(facts.policies))


def _right(answer: GateAnswer) -> TagCheck:
    """Who asks is told by other checks; where that is not known, no right is."""
    if answer.result is GateResult.FAIL and answer.findings[0].code not in _RIGHTS:
        return TagCheck.unknown("right", "who asks is not known")
    return _answered("right", answer)


def content_checks(facts: GateFacts, now: datetime) -> tuple[TagCheck, ...]:
    """Whether the tagged commit holds what the tag says, and what the tag builds on."""
    answer = provenance.evaluate(facts, facts.policies[0], {}, now)
    verb = facts.verb
    if verb is Verb.APPROVE:
        return (_answered("request", answer),)
    if verb not in _CHAINED:
        return (_answered("applies", answer),)
    if answer.result is GateResult.ERROR:
        return (_answered("content", answer),)
    found: dict[str, list[TagCheck]] = {}
    for finding in answer.findings:
        what = _ABOUT.get(finding.code, "content")
        found.setdefault(what, []).append(TagCheck.failed(what, finding))
    fine = {} if answer.findings and facts.instance_exists is None else _fine(facts)
    checks = [c for what, text in fine.items() for c in found.pop(what, [TagCheck.ok(what, text)])]
    return (*checks, *(check for several in found.values() for check in several))


def _fine(facts: GateFacts) -> dict[str, str]:
    """What to say of each check of gate 3 that holds."""
    name, revision, said = facts.name, facts.revision, facts.asked.trailers
    told = {
        "commit": f"{facts.asked.tag.target[:12]} is on main",
        "instance": f"{name.environment} has {name.instance}",
    }
    if name.verb in _DEPLOYS:
        told["version"] = f"the commit holds {facts.app} {name.version}"
        if revision is not None:
            agrees = "as the tag says" if said.digest else "the tag names none"
            told["digest"] = f"{revision.digest} in the tree, {agrees}"
    told["prev"] = f"it builds on {_shown(facts.prev)}, which is the request accepted before"
    return told


def _shown(prev: str) -> str:
    return prev[:12] if prev != "none" else "nothing"


def _by(tag: TagObject, view: PolicyView, seals: Seals, at: datetime) -> Iterator[TagCheck]:
    claimed = address(tag.tagger)
    if is_openpgp(tag.signature):
        yield from _openpgp(view, seals.get(view.commit), at, claimed)
        return
    policies = view.policies
    for step in steps_of(
        tag.signed, tag.signature, policies.signers, policies.revoked, at=at, claimed=claimed
    ):
        if isinstance(step.result, Finding):
            yield TagCheck.failed(step.what, step.result)
        else:
            good = f"good, made for git by the key {_fingerprint(step.result)}"
            yield TagCheck.ok(step.what, good if step.what == "signature" else step.result)


def _openpgp(
    view: PolicyView, seal: PgpSeal | Finding | None, at: datetime, claimed: str
) -> Iterator[TagCheck]:
    if seal is None or isinstance(seal, Finding):
        found = seal or Finding.of(OpenPgpUnavailable, "(nobody looked at it)")
        if found.code == OpenPgpUnavailable.code:
            yield TagCheck.unknown("signature", found.message, found.remedy)
        else:
            yield TagCheck.failed("signature", found)
        return
    yield TagCheck.ok("signature", f"good, made by the OpenPGP key {seal.fingerprint}")
    who = owner(seal, view.policies, at=at, claimed=claimed)
    if isinstance(who, Finding):
        yield TagCheck.failed("signer", who)
    else:
        yield TagCheck.ok("principal", who)


def _fingerprint(key: str) -> str:
    """As ``ssh-keygen -l`` has it, with the key's type."""
    kind, _, blob = key.partition(" ")
    try:
        digest = hashlib.sha256(base64.b64decode(blob)).digest()
    except binascii.Error:
        return key[:60]
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')} ({kind})"


def _answered(what: str, answer: GateAnswer) -> TagCheck:
    if answer.result is GateResult.FAIL and answer.findings:
        return TagCheck.failed(what, answer.findings[0])
    if answer.result in (GateResult.PASS, GateResult.WARN):
        return TagCheck.ok(what, answer.message)
    remedy = answer.findings[0].remedy if answer.findings else ""
    return TagCheck.unknown(what, answer.message, remedy)


def _merged(told: Iterable[tuple[PolicyView, TagCheck]], views: int) -> tuple[TagCheck, ...]:
    """Each check once, with the policies that say so where not all do."""
    by: dict[TagCheck, list[str]] = {}
    for view, check in told:
        by.setdefault(check, []).append(str(view))
    return tuple(
        check if len(whose) == views else _whose(check, " and ".join(whose))
        for check, whose in by.items()
    )


def _whose(check: TagCheck, whose: str) -> TagCheck:
    return TagCheck(
        what=check.what,
        result=check.result,
        text=f"{check.text} (by {whose})",
        code=check.code,
        remedy=check.remedy,
    )
