"""Claims: one executor of an instance at a time, named in the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from distributor.errors.git import PushRejected
from distributor.errors.rollout import ClaimHeld
from distributor.model.ledger import Claimed, InstanceState, Key, Record
from distributor.services.ledger.book import Entry, LedgerBook
from distributor.services.world import World


def new_claim(world: World, state: InstanceState, now: datetime) -> Claimed:
    """A claim for this process that follows the instance's last one."""
    return Claimed(
        at=now,
        holder=world.holder,
        number=state.claims + 1,
        expires=now + timedelta(seconds=world.claim_seconds),
    )


class Claims:
    """This process' claims. A claim is renewed at half time while its instance is worked on."""

    def __init__(self, world: World, book: LedgerBook) -> None:
        self._world = world
        self.book = book
        self._locks: dict[Key, asyncio.Lock] = {}
        self._met: dict[Key, tuple[Claimed, datetime]] = {}

    async def ensure(self, key: Key) -> None:
        """Hold the claim of an instance, or raise ``ClaimHeld``.

        When the remote cannot be reached, a claim that has not expired is still good.
        """
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            now = self.book.now()
            state = self.book.state.instance(*key)
            claim = state.claim
            left = self._left(key, claim) if claim is not None and not claim.released else 0.0
            mine = claim is not None and claim.holder == self._world.holder
            if mine and left > self._world.claim_seconds / 2:
                return
            if claim is not None and left and not mine:
                raise ClaimHeld(f"({claim.holder}, for {left:.0f} s unless it is renewed)")
            await self._take(key, state, now, still_good=mine and left > 0)

    def _left(self, key: Key, claim: Claimed) -> float:
        """The seconds that a claim still lasts; 0 once it was not renewed for as long as it lasts.

        Counted by this machine's clock alone, from when the claim was met: the holder's clock may be hours
        off, and then its claim would seem to have expired, or never to expire. The ledger's own time stands
        still where somebody before us was ahead of us. A claim of our own is older than when we met it, where
        this process is not the one that took it: it ends by the time written in it too.
        """
        now = self._world.clock.now()
        met, since = self._met.get(key, (claim, now))
        if met != claim or now < since:
            since = now
        self._met[key] = (claim, since)
        left = (claim.expires - claim.at - (now - since)).total_seconds()
        if claim.holder == self._world.holder:
            left = min(left, (claim.expires - self.book.now()).total_seconds())
        return max(left, 0.0)

    async def _take(
        self, key: Key, state: InstanceState, now: datetime, *, still_good: bool
    ) -> None:
        entry = Entry(
            records=[(key, new_claim(self._world, state, now))], message=f"claim {key[0]}/{key[1]}"
        )
        try:
            await self.book.append(entry, epoch=self.book.epoch)
        except PushRejected as error:
            raise ClaimHeld("(the ledger moved while claiming)") from error
        except Exception:
            if not still_good:
                raise

    def held(self, key: Key) -> bool:
        """Whether the claim of an instance is ours now."""
        claim = self.book.state.instance(*key).claim
        return (
            claim is not None
            and claim.holder == self._world.holder
            and not claim.released
            and self._left(key, claim) > 0
        )

    async def record(self, key: Key, records: Sequence[Record], *, release: bool) -> None:
        """Append facts of a rollout; one that ended, or waits, gives its claim back in the same commit."""
        named = [(key, record) for record in records]
        claim = self.book.state.instance(*key).claim
        if release and claim is not None and self.held(key):
            now = self.book.now()
            back = Claimed(
                at=now, holder=claim.holder, number=claim.number, expires=now, released=True
            )
            named.append((key, back))
        if named:
            message = f"progress {key[0]}/{key[1]}"
            await self.book.append(Entry(records=named, message=message, patient=True))
