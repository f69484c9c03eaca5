"""Claims of instances that wait for their turn: one renewal takes those along that are due too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

import pytest

from distributor.errors.git import PushRejected
from distributor.errors.rollout import ClaimHeld
from distributor.model.ledger import Claimed, InstanceState, Key
from distributor.services.ledger.claiming import Claims
from distributor.services.world import World
from distributor.testing.clock import START, FakeClock

APPS: tuple[Key, ...] = tuple(("sit", f"app-{number}") for number in range(5))


@dataclass
class Book:
    """A ledger of claims; appends are held up while the gate is shut."""

    clock: FakeClock
    claims: dict[Key, Claimed] = field(default_factory=dict)
    commits: list[tuple[str, ...]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    rejects: bool = False
    epoch: int = 0

    @property
    def state(self) -> Book:
        return self

    def instance(self, environment: str, instance: str) -> InstanceState:
        claim = self.claims.get((environment, instance))
        number = claim.number if claim else 0
        return InstanceState(environment=environment, instance=instance, claim=claim, claims=number)

    def now(self) -> datetime:
        return self.clock.now()

    async def append(self, entry: Any, **_how: object) -> None:
        await self.gate.wait()
        if self.rejects:
            raise PushRejected
        self.commits.append(tuple(key[1] for key, _ in entry.records))
        for key, claim in entry.records:
            assert claim.number == self.instance(*key).claims + 1, "the same number twice"
            self.claims[key] = claim


class Line:
    """One process with five instances claimed side by side, and its clock."""

    def __init__(self) -> None:
        self.clock = FakeClock(START)
        self.book = Book(clock=self.clock)
        self.book.gate.set()
        parts: dict[str, Any] = dict.fromkeys(f.name for f in fields(World))
        own = {"clock": self.clock, "holder": "worker", "claim_seconds": 60.0}
        book: Any = self.book
        self.claims = Claims(World(**{**parts, **own}), book)

    async def claimed(self) -> None:
        for key in APPS:
            await self.claims.ensure(key)
        self.book.commits.clear()

    @contextmanager
    def waiting(self, *keys: Key) -> Iterator[None]:
        with ExitStack() as stack:
            for key in keys:
                stack.enter_context(self.claims.in_line(key))
            yield


async def test_a_renewal_takes_those_along_that_are_in_line_and_due():
    line = Line()
    await line.claimed()
    await line.clock.advance(31)
    with line.waiting(*APPS[1:4]):
        await line.claims.ensure(APPS[0])
        for key in APPS[1:4]:
            await line.claims.ensure(key)
    assert line.book.commits == [("app-0", "app-1", "app-2", "app-3")]


async def test_who_is_not_in_line_any_more_or_is_not_due_is_not_taken_along():
    line = Line()
    await line.claimed()
    with line.waiting(APPS[1]):
        pass
    await line.clock.advance(20)
    with line.waiting(*APPS[2:4]):
        line.book.claims[APPS[3]] = Claimed(
            at=START, holder="worker", number=1, expires=START, released=True
        )
        await line.clock.advance(9)
        await line.claims.ensure(APPS[0])
        assert line.book.commits == [], "it is not due itself"
        await line.clock.advance(2)
        await line.claims.ensure(APPS[0])
    assert line.book.commits == [("app-0", "app-2")]


async def test_a_claim_that_another_process_took_is_left_alone():
    line = Line()
    await line.claimed()
    await line.clock.advance(61)
    now = line.clock.now()
    line.book.claims[APPS[1]] = Claimed(
        at=now, holder="other", number=2, expires=now + timedelta(seconds=60)
    )
    with line.waiting(APPS[1]):
        await line.claims.ensure(APPS[0])
        with pytest.raises(ClaimHeld):
            await line.claims.ensure(APPS[1])
    assert line.book.commits == [("app-0",)]


async def test_who_is_taken_along_waits_for_that_and_renews_nothing_again():
    line = Line()
    await line.claimed()
    await line.clock.advance(31)
    line.book.gate.clear()
    with line.waiting(*APPS):
        asked = [asyncio.create_task(line.claims.ensure(key)) for key in APPS]
        for _ in range(10):
            await asyncio.sleep(0)
        assert not any(task.done() for task in asked)
        line.book.gate.set()
        await asyncio.gather(*asked)
    assert sorted(name for commit in line.book.commits for name in commit) == [k[1] for k in APPS]


@pytest.mark.parametrize("how", ["rejected", "cancelled"])
async def test_who_was_taken_along_in_vain_renews_by_itself(how):
    line = Line()
    await line.claimed()
    await line.clock.advance(31)
    line.book.gate.clear()
    with line.waiting(*APPS[1:]):
        first = asyncio.create_task(line.claims.ensure(APPS[0]))
        await asyncio.sleep(0)
        late = asyncio.create_task(line.claims.ensure(APPS[1]))
        await asyncio.sleep(0)
        line.book.rejects = how == "rejected"
        if how == "cancelled":
            first.cancel()
        line.book.gate.set()
        with pytest.raises(ClaimHeld if how == "rejected" else asyncio.CancelledError):
            await first
        line.book.rejects = False
        await late
    assert line.book.commits == [tuple(key[1] for key in APPS[1:])]
