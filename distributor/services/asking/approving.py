"""Approving: the tag by which a person says that they have seen what a request renders to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from distributor.catalog.tags import format_name, parse_name
from distributor.catalog.trailers import format_message
from distributor.errors.git import TagRefused
from distributor.errors.policy import NothingToApprove, RenderedDiffers, Unsigned
from distributor.model.findings import Finding, Invalid
from distributor.model.promotion import VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.tags import Request, TagName, Trailers, Verb, ledger_name
from distributor.policy import verify_bytes
from distributor.policy.signatures import address
from distributor.ports import Signer
from distributor.services.promotion.requesting import Ask, Asked, push_tag, write_tag
from distributor.services.promotion.sets import whole
from distributor.services.service import Service
from distributor.services.state.looking import Snapshot


async def make_approval(
    service: Service, snapshot: Snapshot, ask: Ask, *, tagger: str, signer: Signer | None
) -> Asked:
    """Render the open request for a version, and push a signed tag that approves just that result.

    ``ask.rendered``, where given, is what the approver has looked at. Raises ``NothingToApprove``,
    ``RenderedDiffers``, ``Unsigned``, ``Invalid`` where the key is nobody's, ``TagRefused``.
    """
    if signer is None:
        raise Unsigned("(an approval is nothing but a signature)")
    name, request = open_promotion(snapshot, ask)
    case = service.gatherer.case(snapshot, service.gatherer.observe(format_name(name), request))
    asked = case.facts.request
    if not isinstance(asked, Request) or not all(c.subject for c in case.members or (case,)):
        raise NothingToApprove(f"({format_name(name)} will be refused: `distributor why` says why)")
    rendered = whole(await service.gatherer.rendered(case))
    if ask.rendered and ask.rendered != rendered:
        raise RenderedDiffers(f"(you approve {ask.rendered}, the request gives {rendered})")
    who = principal_of(snapshot, signer, tagger, service.now())
    written = _free_name(snapshot, replace(name, verb=Verb.APPROVE, principal=who))
    trailers = Trailers(
        app=case.facts.app,
        version=name.version,
        environment=ask.environment,
        rendered=rendered,
        request_class=asked.trailers.request_class,
        reason=ask.reason,
    )
    about = f"@{name.set_id}" if name.set_id else f"{ask.instance} {ask.version}"
    subject = f"approve {about} in {ask.environment}"
    message = format_message(subject, trailers)
    tag = write_tag(service.world, written, request, message=message, tagger=tagger, signer=signer)
    await push_tag(service.world, written, tag)
    return Asked(ref=written, tag=tag, version=ask.version)


def open_promotion(snapshot: Snapshot, ask: Ask) -> tuple[TagName, ObjectId]:
    """The newest request for a version, or for a set, that is not decided for good; or ``NothingToApprove``.

    A set's name begins with ``@``; its ``version`` is the number of one request, or empty.
    """
    state = snapshot.ledger.instance(ask.environment, ask.instance)
    final = (VerdictOutcome.ACCEPTED, VerdictOutcome.REFUSED)
    found: list[tuple[TagName, ObjectId]] = []
    for ref, oid in snapshot.tags.items():
        name = parse_name(ref)
        if isinstance(name, Finding) or state.outcomes.get(oid) in final:
            continue
        if _meant(name, ask):
            found.append((name, oid))
    if not found:
        raise NothingToApprove(f"({ask.instance} {ask.version} in {ask.environment})")
    return max(found, key=lambda item: (item[0].attempt, _number(item[0])))


def _meant(name: TagName, ask: Ask) -> bool:
    if (name.verb, name.environment) != (Verb.PROMOTE, ask.environment):
        return False
    if not name.set_id:
        return (name.instance, name.version) == (ask.instance, ask.version)
    return ledger_name(name) == ask.instance and ask.version in ("", name.set_id.partition("/")[2])


def _number(name: TagName) -> tuple[int, str]:
    """Requests for a set are numbered by ``promote-set``; others may call them as they like."""
    number = name.set_id.partition("/")[2]
    return (int(number) if number.isdigit() else 0, number)


def principal_of(snapshot: Snapshot, signer: Signer, tagger: str, now: datetime) -> str:
    """Whom main's policy knows the key as; raises the finding where it knows nobody."""
    data = b"who am I\n"
    found = verify_bytes(
        data,
        signer.sign(data, "git"),
        snapshot.policies.signers,
        snapshot.policies.revoked,
        at=now,
        claimed=address(tagger),
    )
    if isinstance(found, Finding):
        raise Invalid([found])
    return found


def _free_name(snapshot: Snapshot, name: TagName) -> str:
    taken = {
        *snapshot.tags,
        *snapshot.ledger.instance(name.environment, ledger_name(name)).observed,
    }
    for attempt in range(1, 1000):
        written = format_name(replace(name, principal_attempt=attempt))
        if written not in taken:
            return written
    raise TagRefused("(all attempts are taken)")
