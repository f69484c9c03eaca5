"""Consenting: what targets ask when a consent is decided; that, and nothing else, is what it is about."""

from __future__ import annotations

from dataclasses import dataclass, replace

from distributor.errors.git import NothingToDo
from distributor.errors.policy import NothingAsked, OtherQuestions
from distributor.ledger import list_digest
from distributor.model.consents import answered_by
from distributor.model.findings import Finding
from distributor.model.refs import Digest
from distributor.model.tags import CONSENTS
from distributor.services.ledger.agreeing import asked_now, told
from distributor.services.promotion.case import Case
from distributor.services.promotion.requesting import Ask
from distributor.services.state.looking import Snapshot
from distributor.services.world import World


async def with_questions(world: World, case: Case) -> Case:
    """The case with what targets ask that its verb answers; any other one as it is."""
    request = case.facts.request
    if isinstance(request, Finding) or request.name.verb not in CONSENTS:
        return case
    asked = await asked_now(world, case.verdict_before)
    found = None if asked is None else answered_by(request.name.verb, asked)
    facts = replace(case.facts, questions=found, listed=list_digest(found or {}))
    return replace(case, facts=facts, questions=found or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a consent would be about, as far as this process knows; no digest where it knows nothing."""

    lines: tuple[str, ...] = ()
    digest: Digest = Digest("")


async def shown_before(world: World, snapshot: Snapshot, ask: Ask) -> Shown:
    """What targets ask now that a person is about to agree to.

    Raises ``NothingToDo`` where nothing was accepted, ``NothingAsked`` where nobody asks, and
    ``OtherQuestions`` where it is not the list that the person names.
    """
    desired = snapshot.ledger.instance(ask.environment, ask.instance).desired
    if desired is None:
        raise NothingToDo(f"(nothing was accepted for {ask.instance} in {ask.environment})")
    asked = await asked_now(world, desired)
    if asked is None:
        return Shown()
    found = answered_by(ask.verb, asked)
    if not found:
        raise NothingAsked(f"({ask.instance} in {ask.environment})")
    digest = list_digest(found)
    if ask.rendered and ask.rendered != digest:
        raise OtherQuestions(f"({digest} is asked, not {ask.rendered})")
    return Shown(lines=tuple(told(found)), digest=digest)
