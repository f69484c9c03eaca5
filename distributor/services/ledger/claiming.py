"""Claims: one executor of an instance at a time, named in the ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice

from distributor.errors.git import PushRejected
from distributor.errors.rollout import ClaimHeld
from distributor.model.ledger import Claimed, InstanceState, Key, Record
from distributor.services.ledger.book import Entry, LedgerBook
from distributor.services.world import World

_ALONG = 63
"""Claims that one renewal takes along at most: enough that few commits renew many, and few that are not needed soon."""


def new_claim(world: World, state: InstanceState, now: datetime) -> Claimed:
    """A claim for this process that follows the instance's last one."""
    return Claimed(
        at=now,
        holder=world.holder,
        number=state.claims + 1,
        expires=now + timedelta(seconds=world.claim_seconds),
    )


class Claims:
    """This process' claims. A claim is renewed at half time while its instance is worked on.

    A renewal takes those along that are due too and in line to be worked on: else each of many that wait for
    their turn would wait for a commit of its own.
    """

    def __init__(self, world: World, book: LedgerBook) -> None:
        self._world = world
        self.book = book
        self._locks: dict[Key, asyncio.Lock] = {}
        self._met: dict[Key, tuple[Claimed, datetime]] = {}
        self._line: Counter[Key] = Counter()  # in the order in which they came
        self._along: dict[Key, asyncio.Future[None]] = {}  # what is renewed with another one now

    @contextmanager
    def in_line(self, key: Key) -> Iterator[None]:
        """Say that an instance is worked on, or will be when its turn comes."""
        self._line[key] += 1
        try:
            yield
        finally:
            self._line[key] -= 1
            if not self._line[key]:
                del self._line[key]

    async def ensure(self, key: Key) -> None:
        """Hold the claim of an instance, or raise ``ClaimHeld``.

        When the remote cannot be reached, a claim that has not expired is still good.
        """
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            if key in self._along:
                await asyncio.wait([self._along[key]])
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
        others = list(islice(self._due(key), _ALONG))
        done = asyncio.get_running_loop().create_future()
        self._along.update(dict.fromkeys(others, done))
        claims = [(key, new_claim(self._world, state, now))]
        claims += [(k, new_claim(self._world, self.book.state.instance(*k), now)) for k in others]
        more = f" and {len(others)} more" if others else ""
        entry = Entry(records=claims, message=f"claim {key[0]}/{key[1]}{more}")
        try:
            await self.book.append(entry, epoch=self.book.epoch)
        except PushRejected as error:
            raise ClaimHeld("(the ledger moved while claiming)") from error
        except Exception:
            if not still_good:
                raise
        finally:
            for other in others:
                del self._along[other]
            done.set_result(None)

    def _due(self, key: Key) -> Iterator[Key]:
        """Others in line whose claims are ours and past half time, and that nobody renews at this moment."""
        for other in self._line:
            lock = self._locks.get(other)
            busy = other in self._along or (lock is not None and lock.locked())
            claim = self.book.state.instance(*other).claim
            if other == key or busy or claim is None or claim.released:
                continue
            mine = claim.holder == self._world.holder
            if mine and self._left(other, claim) <= self._world.claim_seconds / 2:
                yield other

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
