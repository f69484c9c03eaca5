"""A renewed ledger goes on with what is desired and what stands, once an operator has confirmed it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.adapters.keys import generate
from distributor.app import open_service
from distributor.errors.git import (
    BadKey,
    LedgerForged,
    LedgerRenewed,
    LedgerRewound,
    NotThatRoot,
)
from distributor.errors.service import BadArgument
from distributor.ledger import decode_genesis, encode_genesis, soaked
from distributor.model.tags import Verb
from distributor.services.asking.auditing import fsck
from distributor.services.asking.renewing import confirm, renew_ledger
from distributor.services.asking.views import instance_views
from tests.acceptance.forging import Draft, forger, verdict_on


@pytest.fixture
async def running(play):
    """A playground with two versions of the shop behind it, a hold, and a veto."""
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        await play.promote(service, "1.4.2", "sit")
        await play.promote(service, "1.5.0", "sit")
        await play.ask(service, Verb.HOLD, "sit", "website")
        await play.ask(service, Verb.REJECT, "uat", "shop", "1.4.1", key="sre")
        await service.sync()
    return play


def lines(service):
    """What must survive: what runs, since when, and what stands in the way of the next."""
    state = service.book.state
    shop, website = state.instance("sit", "shop"), state.instance("sit", "website")
    revision = shop.desired.revision
    soak = soaked(state, "sit", "shop", revision.digest, service.now().replace(2030))
    vetoes = [v for i in state.instances.values() for v in i.vetoes]
    return shop.desired, shop.progress[shop.desired.sequence], website.holds, vetoes, soak.days


async def works(play, service, before):
    """What ran runs on, undisturbed; and it can be moved on and back."""
    fleet = play.fleet()
    await service.sync()
    assert lines(service) == before
    assert play.fleet() == fleet
    (view,) = await instance_views(service, "sit", "shop")
    assert (view.in_step, view.version) == (view.targets, "1.5.0")
    assert not [f for f in await fsck(service) if f.code.startswith("DST6")]
    await play.ask(service, Verb.ROLLBACK, "sit", "shop", "1.4.2")
    await service.sync()
    state = service.book.state
    shop = state.instance("sit", "shop")
    assert shop.desired.revision.version == "1.4.2"
    assert shop.desired.sequence >= state.genesis.next_sequence
    (view,) = await instance_views(service, "sit", "shop")
    assert view.in_step == view.targets


async def test_a_ledger_that_was_rewound_is_renewed_from_what_was_believed(running):
    play, evil = running, forger(running)
    async with play.service() as service:
        await service.look()
        before, old = lines(service), service.book.state.head
    evil.branch("ledger", evil.git("rev-parse", "refs/heads/ledger~6"))
    async with play.service() as service:
        with pytest.raises(LedgerRewound):
            await service.sync()
        done = await renew_ledger(service, "somebody rewound it")
        assert (done.previous, done.unseen) == (old, ())
    genesis = decode_genesis(evil.read("genesis.json"))
    assert (genesis.previous, genesis.reason) == (old, "somebody rewound it")
    assert evil.git("rev-list", "--count", "ledger") == "1"
    async with play.service() as service:
        await works(play, service, before)


async def test_a_branch_that_is_gone_is_renewed(running):
    play = running
    async with play.service() as service:
        await service.look()
        before = lines(service)
    forger(play).branch("ledger", "")
    async with play.service() as service:
        await renew_ledger(service, "the branch is gone")
        await works(play, service, before)


async def test_a_lost_key_is_no_end(running):
    """Another key that main lists begins anew; the old ledger is read as it was."""
    play, evil = running, forger(running)
    new = generate(play.place.root / "keys" / "new", "service")
    key = str(play.place.root / "keys" / "new")
    async with play.service(service_key=key) as service:
        await service.look()
        with pytest.raises(BadKey):
            await renew_ledger(service, "the key is lost")
        before = lines(service)
    line = f'distributor@service namespaces="git" {new.public_key}\n'.encode()
    signers = "policies/signers/allowed_signers"
    evil.branch("main", evil.commit(evil.head(), {signers: evil.read(signers, "main") + line}))
    async with play.service(service_key=key) as service:
        await renew_ledger(service, "the key is lost")
        await works(play, service, before)


async def test_another_service_stops_until_its_operator_confirms_the_root(running):
    play, other = running, {"state_dir": str(running.place.root / "other")}
    forger(play).tag(Draft(instance="iot-gateway", version="2.0.0"))
    async with play.service(**other) as waiting:
        await waiting.look()
        before = lines(waiting)
        async with play.service() as service:
            done = await renew_ledger(service, "trees were dropped")
        with pytest.raises(LedgerRenewed, match=f"{done.root}.*trees were dropped"):
            await waiting.sync()
        for wrong in ("", done.root[:12], done.previous):
            with pytest.raises(NotThatRoot):
                await confirm(waiting, wrong)
        with pytest.raises(LedgerRenewed):
            await waiting.sync()
        async with open_service(replace(play.settings, **other), writing=False) as operator:
            assert await confirm(operator, done.root) == done.root
        await waiting.sync()
        assert lines(waiting) == before
        assert "promote/sit/iot-gateway/2.0.0" in waiting.book.state.genesis.tags
        assert not waiting.book.state.instance("sit", "iot-gateway").accepted
        again = await play.ask(waiting, Verb.PROMOTE, "sit", "iot-gateway", "2.0.0")
        await waiting.sync()
        assert again.ref.endswith("2.0.0_2")
        assert verdict_on(waiting, again.ref).accepted


async def test_a_strangers_renewal_is_not_even_offered(running):
    play, evil = running, forger(running)
    stranger = evil.key("stranger")
    async with play.service() as service:
        await service.look()
        genesis = replace(
            service.book.state.genesis,
            key=stranger.public_key,
            previous=service.book.state.head,
            reason="trust me",
        )
    root = evil.commit("", {"genesis.json": encode_genesis(genesis)}, key=stranger)
    evil.branch("ledger", root)
    async with play.service() as service:
        with pytest.raises(LedgerRewound):
            await service.sync()
        with pytest.raises(LedgerForged):
            await confirm(service, root)
        with pytest.raises(LedgerRewound):
            await service.sync()


async def test_what_a_renewal_needs(running):
    play = running
    head = forger(play).head("ledger")
    async with play.service() as service:
        with pytest.raises(BadArgument):
            await renew_ledger(service, " ")
    assert forger(play).head("ledger") == head


async def test_the_next_number_is_above_what_an_unreadable_target_may_have(running):
    play = running
    place = play.place.clusters / "sit"
    broken = next(place.glob("*/**/.dst-shop.inventory"))
    broken.write_text("{")
    async with play.service() as service:
        done = await renew_ledger(service, "a test")
    assert done.unseen == (f"sit/shop on {broken.relative_to(place).parts[0]}",)
    assert done.next_sequence > 1000


async def test_a_standing_alarm_stops_the_renewed_ledger_too(running):
    play, evil = running, forger(running)
    evil.point("promote/sit/shop/1.4.1", evil.git("rev-parse", "refs/tags/promote/sit/shop/1.5.0"))
    async with play.service() as service:
        await service.sync()
        (view,) = await instance_views(service, "sit", "shop")
        assert view.stopped
        await renew_ledger(service, "a test")
        await service.sync()
        (view,) = await instance_views(service, "sit", "shop")
        assert "promote/sit/shop/1.4.1" in view.stopped
        prev = evil.git("rev-parse", "refs/tags/promote/sit/shop/1.5.0")
        asked = Draft(version="1.4.2", prev=prev)
        evil.put(f"{asked.name}_2", evil.raw(asked, name=f"{asked.name}_2"))
        await service.sync()
        assert not verdict_on(service, f"{asked.name}_2").accepted
        assert service.book.state.instance("sit", "shop").desired.revision.version == "1.5.0"
