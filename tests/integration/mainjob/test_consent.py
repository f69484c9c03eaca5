"""A guard stops a revision; a person's recorded consent lets it through, for that revision alone."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from typing import Any

import pytest

from distributor.catalog.digests import find
from distributor.cli.playground import PEOPLE
from distributor.errors import Where
from distributor.ledger import list_folder, read_shard
from distributor.model.consents import Deed, Question
from distributor.model.ledger import Consented
from distributor.model.promotion import VerdictOutcome
from distributor.model.refs import Digest
from distributor.model.tags import Verb
from distributor.services.asking.auditing import fsck
from distributor.services.asking.renewing import renew_ledger
from distributor.services.asking.telling import history, why
from distributor.services.asking.views import InstanceStage
from distributor.services.promotion.requesting import Ask, make_request
from tests.integration.mainjob import test_edges
from tests.integration.mainjob.conftest import LONG, until, view
from tests.integration.mainjob.smallapps import settings, web, write_app

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]
fleet = test_edges.fleet
CENTRAL = test_edges.CENTRAL
NONE = Digest("")
MAPS = "/api/v1/namespaces/edge-consent/configmaps"


async def command(pushed, *words: str) -> Any:
    """What the command line says, beside the service; its errors as text."""
    line = ["-m", "distributor", words[0], "sit", "edge-consent", *words[1:], "-o", "json"]
    made = await asyncio.create_subprocess_exec(
        sys.executable, *line, cwd=pushed.place.root, stdout=PIPE, stderr=PIPE
    )
    out, err = await asyncio.wait_for(made.communicate(), LONG)
    return json.loads(out) if made.returncode == 0 else err.decode()


async def agree(
    pushed, service, verb: Verb, who: str, rendered: Digest = NONE, app: str = "edge-consent"
) -> VerdictOutcome:
    """Ask as the command does, and let the service decide."""
    snapshot = await service.look()
    ask = Ask(
        verb=verb,
        environment="sit",
        instance=app,
        reason="as planned",
        rendered=rendered,
    )
    signer = pushed.place.key(who) if who else None
    asked = await make_request(
        service.world, snapshot, ask, tagger=PEOPLE[who or "sre"], signer=signer
    )
    await asyncio.wait_for(service.sync(), LONG)
    state = service.book.state.instance("sit", app)
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
        chain = await why(service, "sit", "edge-consent")
        assert any("DST409" in link.text for link in chain if not link.ok), chain

        shown = await shown_by_commands(pushed, chain)
        for verb, who, digest in (
            (Verb.CONSENT, "", ""),
            (Verb.DETACH, "sre", ""),
            (Verb.CONSENT, "sre", f"sha256:{'0' * 64}"),
        ):
            refused = await agree(pushed, service, verb, who, Digest(digest))
            assert refused is VerdictOutcome.REFUSED, (verb, who, digest)
        assert len((await pushed.get(CENTRAL, MAPS))["items"]) >= 9
        given = await agree(pushed, service, Verb.CONSENT, "sre", Digest(shown))
        assert given is VerdictOutcome.ACCEPTED
        await check_recorded(service, shown)
        await until("they are gone", lambda: gone(pushed, service))

        seen = await pushed.promote(service, "sit", "edge-consent", "1.1.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        seen = await pushed.promote(service, "sit", "edge-consent", "1.2.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        assert service.book.state.instance("sit", "edge-consent").consents == ()
        assert (await view(service, "sit", "edge-consent")).health == "Current"


async def test_a_renewed_ledger_knows_what_was_agreed_to(fleet):
    pushed = fleet()
    work_tree = pushed.place.catalog
    many = [settings(f"c{n}", number=str(n)) for n in range(8)]
    write_app(work_tree, "edge-renewed", "1.0.0", *many, *web())
    write_app(work_tree, "edge-renewed", "1.1.0", *web())
    await pushed.found()
    async with pushed.service() as service:
        for version in ("1.0.0", "1.1.0"):
            await pushed.promote(service, "sit", "edge-renewed", version)
        assert (
            await agree(pushed, service, Verb.CONSENT, "sre", app="edge-renewed")
            is VerdictOutcome.ACCEPTED
        )
        (before,) = service.book.state.instance("sit", "edge-renewed").consents
        agreed = listed(service, before)
        await renew_ledger(service, "to see what goes over")
        state = await service.book.read()
        assert state.instance("sit", "edge-renewed").consents == (before,)
        assert listed(service, before) == agreed
        assert not [found for found in await fsck(service) if found.code.startswith("DST6")]


async def shown_by_commands(pushed, chain) -> str:
    """The hash of the list that the commands print before anybody agrees to it."""
    shown = await command(pushed, "consent", "--dry-run")
    assert [line.partition(" (uid")[0] for line in shown["asked"]] == [
        f"delete ConfigMap/edge-consent/c{n}" for n in range(8)
    ]
    assert all(line.endswith(f" on {CENTRAL}") for line in shown["asked"])
    for line in shown["asked"]:
        assert any(line.partition(" on ")[0] in link.text for link in chain), line
    assert "DST275" in await command(pushed, "consent", "--list", f"sha256:{'0' * 64}")
    assert "DST274" in await command(pushed, "detach")
    return shown["list"]


async def check_recorded(service, shown: str) -> None:
    """The ledger, the history and `fsck` know exactly what was agreed to."""
    (consent,) = service.book.state.instance("sit", "edge-consent").consents
    assert isinstance(consent, Consented)
    assert (consent.verb, consent.by) == (Verb.CONSENT, "sre@distributor.example")
    assert (consent.digest, consent.count) == (shown, 8)
    agreed = listed(service, consent)
    assert {q.ref.name for q in agreed} == {f"c{n}" for n in range(8)}
    assert all(q.deed is Deed.DELETE and q.uid for q in agreed)
    (told,) = [t for t in history(service, "sit", "edge-consent") if t.kind == "consent"]
    assert "delete ConfigMap/edge-consent/c0 (uid " in told.text
    assert told.text.endswith(" and 5 more")
    assert await fsck(service) == ()


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
