"""A guard stops a revision; a person's recorded consent lets it through, for that revision alone."""

from __future__ import annotations

import asyncio

import pytest

from distributor.cli.playground import PEOPLE
from distributor.model.ledger import Consented
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.telling import why
from distributor.services.asking.views import InstanceStage
from distributor.services.promotion.requesting import Ask, make_request
from tests.integration.mainjob import test_edges
from tests.integration.mainjob.conftest import LONG, until, view
from tests.integration.mainjob.smallapps import settings, web, write_app

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]
fleet = test_edges.fleet
CENTRAL = test_edges.CENTRAL
MAPS = "/api/v1/namespaces/edge-consent/configmaps"


async def agree(pushed, service, verb: Verb, who: str) -> VerdictOutcome:
    """Ask as the command does, and let the service decide."""
    snapshot = await service.look()
    ask = Ask(verb=verb, environment="sit", instance="edge-consent", reason="as planned")
    signer = pushed.place.key(who) if who else None
    asked = await make_request(
        service.world, snapshot, ask, tagger=PEOPLE[who or "sre"], signer=signer
    )
    await asyncio.wait_for(service.sync(), LONG)
    state = service.book.state.instance("sit", "edge-consent")
    return state.last_verdicts[asked.ref].outcome


async def test_a_guarded_revision_goes_on_by_consent(fleet):
    pushed = fleet()
    work_tree = pushed.place.catalog
    many = [settings(f"c{n}", number=str(n)) for n in range(8)]
    write_app(work_tree, "edge-consent", "1.0.0", *many, *web())
    write_app(work_tree, "edge-consent", "1.1.0", *web())
    write_app(work_tree, "edge-consent", "1.2.0", *web(text="later"))
    await pushed.found()
    async with pushed.service() as service:
        seen = await pushed.promote(service, "sit", "edge-consent", "1.0.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        seen = await pushed.promote(service, "sit", "edge-consent", "1.1.0")
        assert seen.stage is InstanceStage.FAILED, seen
        chain = await why(service, "sit", "edge-consent")
        assert any("DST409" in link.text for link in chain if not link.ok), chain
        assert len((await pushed.get(CENTRAL, MAPS))["items"]) >= 9

        assert await agree(pushed, service, Verb.CONSENT, "") is VerdictOutcome.REFUSED
        assert len((await pushed.get(CENTRAL, MAPS))["items"]) >= 9
        assert await agree(pushed, service, Verb.CONSENT, "sre") is VerdictOutcome.ACCEPTED
        state = service.book.state.instance("sit", "edge-consent")
        (consent,) = state.consents
        assert isinstance(consent, Consented)
        assert (consent.verb, consent.by) == (Verb.CONSENT, "sre@distributor.example")
        await until("they are gone", lambda: gone(pushed, service))

        seen = await pushed.promote(service, "sit", "edge-consent", "1.1.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        seen = await pushed.promote(service, "sit", "edge-consent", "1.2.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        assert service.book.state.instance("sit", "edge-consent").consents == ()
        assert (await view(service, "sit", "edge-consent")).health == "Current"


async def gone(pushed, service) -> bool:
    await asyncio.wait_for(service.sync(), LONG)
    found = await pushed.get(CENTRAL, MAPS)
    return {m["metadata"]["name"] for m in found["items"]} <= {"web", "kube-root-ca.crt"}
