"""A guard stops a revision; a person's recorded consent lets it through, for that revision alone."""

from __future__ import annotations

import asyncio

import pytest

from distributor.catalog.digests import find
from distributor.cli.playground import PEOPLE
from distributor.errors import Where
from distributor.ledger import list_folder, read_shard
from distributor.model.consents import Deed, Question
from distributor.model.ledger import Consented
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.auditing import fsck
from distributor.services.asking.telling import history, why
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
        for verb in (Verb.CONSENT, Verb.DETACH):
            refused = await agree(pushed, service, verb, "sre")
            assert refused is VerdictOutcome.REFUSED, "nothing is agreed to beforehand"
        seen = await pushed.promote(service, "sit", "edge-consent", "1.1.0")
        assert seen.stage is InstanceStage.FAILED, seen
        assert await agree(pushed, service, Verb.DETACH, "sre") is VerdictOutcome.REFUSED
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
        agreed = {q.ref.name for q in listed(service, consent)}
        assert (agreed, consent.count) == ({f"c{n}" for n in range(8)}, 8)
        assert all(q.deed is Deed.DELETE and q.uid for q in listed(service, consent))
        (told,) = [t for t in history(service, "sit", "edge-consent") if t.kind == "consent"]
        assert "delete ConfigMap/edge-consent/c0 (uid " in told.text
        assert told.text.endswith(" and 5 more")
        assert await fsck(service) == ()
        await until("they are gone", lambda: gone(pushed, service))

        seen = await pushed.promote(service, "sit", "edge-consent", "1.1.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        seen = await pushed.promote(service, "sit", "edge-consent", "1.2.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        assert service.book.state.instance("sit", "edge-consent").consents == ()
        assert (await view(service, "sit", "edge-consent")).health == "Current"


def listed(service, consent: Consented) -> list[Question]:
    """What the ledger says exactly, at its head, for the one cluster that asked."""
    root = service.world.objects.tree_of(service.book.state.head)
    folder = find(service.world.objects, root, list_folder(consent.digest))
    (shard,) = service.world.objects.entries(folder.id)
    return list(read_shard(service.world.objects.blob(shard.id), Where(file=shard.name)))


async def gone(pushed, service) -> bool:
    await asyncio.wait_for(service.sync(), LONG)
    found = await pushed.get(CENTRAL, MAPS)
    return {m["metadata"]["name"] for m in found["items"]} <= {"web", "kube-root-ca.crt"}
