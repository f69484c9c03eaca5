"""Consenting: what targets ask when a consent is decided; that, and nothing else, is what it is about."""

from __future__ import annotations

from dataclasses import replace

from distributor.ledger import list_digest
from distributor.model.consents import answered_by
from distributor.model.findings import Finding
from distributor.model.tags import CONSENTS
from distributor.services.ledger.agreeing import asked_now
from distributor.services.promotion.case import Case
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
