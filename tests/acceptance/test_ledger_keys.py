"""The service's key changes by a record that the old one signs; what it signed before stays valid."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.adapters.keys import generate
from distributor.errors.git import BadKey, LedgerForged, NothingToDo, NotTheLedgersKey
from distributor.ledger import decode_genesis, encode, encode_genesis
from distributor.model.ledger import KeyChanged
from distributor.services.asking.auditing import fsck
from distributor.services.asking.rekeying import change_key
from distributor.services.asking.telling import history
from tests.acceptance.forging import Draft, forger, verdict_on

SIGNERS = "policies/signers/allowed_signers"
SHOP = "records/sit/shop.jsonl"


def merge(play, files, base=None):
    evil = forger(play)
    evil.branch("main", evil.commit(base or evil.head(), files))


def listed(play, key) -> bytes:
    """main's signers with one more line for the service."""
    line = f'distributor@service namespaces="git" {key.public_key}\n'
    return forger(play).read(SIGNERS, "main") + line.encode()


@pytest.fixture
async def changed(play):
    """A playground where the shop runs in sit, and the ledger is signed with a new key since."""
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
    new = generate(play.place.root / "keys" / "new", "service")
    merge(play, {SIGNERS: listed(play, new)})
    async with play.service() as service:
        head = await change_key(service, new, "yearly")
    assert forger(play).head("ledger") == head
    return play, str(play.place.root / "keys" / "new")


async def test_the_new_key_goes_on_and_old_records_stay_valid(changed):
    play, key = changed
    async with play.service(service_key=key) as service:
        await play.promote(service, "1.4.2", "sit")
        accepted = service.book.state.instance("sit", "shop").accepted
        assert [v.sequence for v in accepted] == [1, 2]
        assert not [f for f in await fsck(service) if f.code.startswith("DST6")]
        (told,) = [t for t in history(service) if t.kind == "key"]
        assert told.text.endswith("yearly")
    fresh = str(play.place.root / "fresh")
    async with play.service(service_key=key, state_dir=fresh) as service:
        await service.look()
        assert service.book.state.instance("sit", "shop").accepted == accepted


async def test_a_service_with_the_old_key_stops_before_it_writes(changed):
    play, _ = changed
    before, head = play.fleet(), forger(play).head("ledger")
    name = forger(play).tag(Draft(instance="website", version="1.0.0"))
    async with play.service() as service:
        with pytest.raises(NotTheLedgersKey):
            await service.sync()
        assert service.trouble is not None
        assert name not in service.book.state.instance("sit", "website").last_verdicts
    assert (play.fleet(), forger(play).head("ledger")) == (before, head)


async def test_a_service_that_ran_through_the_change_believes_the_new_key(play):
    other = str(play.place.root / "other")
    new = generate(play.place.root / "keys" / "new", "service")
    merge(play, {SIGNERS: listed(play, new)})
    key = str(play.place.root / "keys" / "new")
    async with play.service(state_dir=other, service_key=key) as waiting:
        await waiting.look()
        with pytest.raises(NotTheLedgersKey):
            await play.promote(waiting, "1.4.1", "sit")
        async with play.service() as service:
            await change_key(service, new, "yearly")
        await waiting.sync()
        assert verdict_on(waiting, "promote/sit/shop/1.4.1").accepted


@pytest.mark.parametrize("fresh", [False, True])
async def test_what_the_old_key_signs_after_the_change_is_forged(changed, fresh):
    play, key = changed
    evil, before = forger(play), play.fleet()
    old = play.place.key("service")
    evil.branch("ledger", evil.commit(evil.head("ledger"), {SHOP: b""}, key=old))
    state = {"state_dir": str(play.place.root / "fresh")} if fresh else {}
    async with play.service(service_key=key, **state) as service:
        with pytest.raises(LedgerForged):
            await service.sync()
    assert play.fleet() == before


async def test_an_older_head_of_a_revoked_key_is_not_believed_by_a_service_without_memory(changed):
    play, key = changed
    evil, old = forger(play), play.place.key("service")
    revoked = {"policies/signers/revoked_keys": f"{old.public_key}\n".encode()}
    merge(play, revoked)
    fresh = str(play.place.root / "fresh")
    async with play.service(service_key=key, state_dir=fresh) as service:
        await service.look()  # the records that it signed are as good as ever
        assert service.book.state.instance("sit", "shop").desired is not None
    evil.branch("ledger", evil.git("rev-parse", "refs/heads/ledger~2"))
    async with play.service(service_key=key, state_dir=fresh + "-2") as service:
        with pytest.raises(LedgerForged, match="revoke"):
            await service.look()


async def test_a_stranger_cannot_borrow_the_services_name(play):
    """A ledger of one's own that hands over to the real key is nobody's until that key has signed."""
    evil, stranger = forger(play), forger(play).key("stranger")
    genesis = decode_genesis(evil.read("genesis.json"))
    real = play.place.key("service").public_key
    own = evil.commit(
        "",
        {"genesis.json": encode_genesis(replace(genesis, key=stranger.public_key))},
        key=stranger,
    )
    record = encode(KeyChanged(at=genesis.at, key=real))
    evil.branch("ledger", evil.commit(own, {"records/_/keys.jsonl": record}, key=stranger))
    async with play.service(state_dir=str(play.place.root / "fresh")) as service:
        with pytest.raises(LedgerForged):
            await service.look()


async def test_only_a_key_that_may_decide_can_take_over(play):
    head = forger(play).head("ledger")
    async with play.service() as service:
        with pytest.raises(BadKey):
            await change_key(service, generate(play.place.root / "keys" / "new", "x"), "yearly")
        with pytest.raises(NothingToDo):
            await change_key(service, play.place.key("service"), "yearly")
    assert forger(play).head("ledger") == head
