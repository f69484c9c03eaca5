"""Approvals through the service: bound to a result, by people who neither asked nor wrote it."""

from __future__ import annotations

import pytest
import yaml

from distributor.cli.playground import PEOPLE
from distributor.errors.policy import NothingToApprove, RenderedDiffers, Unsigned
from distributor.model.promotion import VerdictOutcome
from distributor.model.refs import Digest
from distributor.model.tags import Verb
from distributor.services.asking.approving import make_approval
from distributor.services.promotion.requesting import Ask
from tests.acceptance.forging import verdict_on

GATE = {
    "apiVersion": "distributor.dev/v1alpha1",
    "kind": "Gate",
    "metadata": {"name": "approvals"},
    "spec": {"gate": "approvals", "environments": ["uat"], "params": {"required": 1}},
}


def ask_for(people: int, play, service) -> None:
    """Main's policy asks for approvals in uat; the sample's roles let two people give them."""
    policies = play.place.catalog / "policies"
    gate = {**GATE, "spec": {**GATE["spec"], "params": {"required": people}}}
    (policies / "gates" / "approvals.yaml").write_text(yaml.safe_dump(gate), "utf-8")
    play.place.commit("Ask for approvals in uat", service.now())


async def approve(play, service, version: str, who: str = "sre", **more):
    snapshot = await service.look()
    ask = Ask(verb=Verb.APPROVE, environment="uat", instance="shop", version=version, **more)
    key = play.place.key(who) if who else None
    return await make_approval(
        service, snapshot, ask, tagger=PEOPLE.get(who, PEOPLE["sre"]), signer=key
    )


@pytest.fixture
async def waiting(play):
    """A service and a request in uat that waits for one approval."""
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        ask_for(1, play, service)
        asked = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.1")
        await service.sync()
        yield service, asked


def answer(verdict):
    return next(a for a in verdict.answers if a.number == 14)


async def test_a_request_waits_until_somebody_else_approved_its_result(play, waiting):
    service, asked = waiting
    verdict = verdict_on(service, asked.ref)
    assert verdict.outcome is VerdictOutcome.PENDING
    assert f"0 of 1 approvals of {verdict.rendered}" in verdict.reasons()[0]
    given = await approve(play, service, "1.4.1", rendered=verdict.rendered)
    assert given.ref == "approve/uat/shop/1.4.1/sre@distributor.example"
    await service.sync()
    assert verdict_on(service, given.ref).accepted
    after = verdict_on(service, asked.ref)
    assert after.accepted, after.reasons()
    assert answer(after).evidence["approved by"] == "sre@distributor.example"


async def test_whoever_asked_or_wrote_it_does_not_count(play, waiting):
    service, asked = waiting
    own = await approve(play, service, "1.4.1", "release-manager")
    await service.sync()
    assert verdict_on(service, own.ref).accepted, "it is a good approval; it does not count here"
    verdict = verdict_on(service, asked.ref)
    assert verdict.outcome is VerdictOutcome.PENDING
    assert "nobody approves their own request" in verdict.reasons()[0]


async def test_who_wrote_the_version_is_known_from_the_history(play):
    async with play.service() as service:
        ask_for(1, play, service)
        page = play.place.catalog / "catalog" / "shop" / "1.4.1" / "package.yaml"
        text = page.read_text("utf-8")
        page.write_text(text.replace("version: 1.4.1", "version: 1.4.3"), "utf-8")
        page.parent.rename(page.parent.parent / "1.4.3")
        play.git("add", "-A")
        play.git("-c", "user.name=S", "-c", "user.email=SRE@distributor.example", "commit",
                 "--author=S <SRE@distributor.example>", "-qm", "A new version")  # fmt: skip
        play.git("push", "-q", "origin", "HEAD:main")
        await play.promote(service, "1.4.3", "sit")
        asked = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.3")
        await service.sync()
        await approve(play, service, "1.4.3")
        await service.sync()
        (reason,) = verdict_on(service, asked.ref).reasons()
        assert "they wrote part of what is asked for" in reason


async def test_an_approval_is_bound_to_its_result_and_its_request(play):
    """One of two has approved: it is bound to that result and that request, and counts for no other."""
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        ask_for(2, play, service)
        asked = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.1")
        await service.sync()
        await approve(play, service, "1.4.1")
        await service.sync()
        assert "1 of 2" in verdict_on(service, asked.ref).reasons()[0]
        with pytest.raises(RenderedDiffers):
            await approve(play, service, "1.4.1", rendered=Digest("sha256:" + "0" * 64))
        again = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.1")
        await service.sync()
        assert "0 of 2" in verdict_on(service, again.ref).reasons()[0], "each request has its own"


async def test_what_cannot_be_approved_is_said_before_a_tag_is_made(play, waiting):
    service, _ = waiting
    before = set(service.snapshot.tags)
    with pytest.raises(NothingToApprove):
        await approve(play, service, "9.9.9")
    with pytest.raises(Unsigned):
        await approve(play, service, "1.4.1", who="")
    assert set((await service.look()).tags) == before


async def test_a_request_and_its_approval_pushed_together_are_decided_in_one_pass(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        ask_for(1, play, service)
        asked = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.1")
        await approve(play, service, "1.4.1")
        await service.once()
        assert verdict_on(service, asked.ref).accepted
