"""Claims of machines whose clocks are hours apart: each one counts by its own clock alone."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from distributor.errors.rollout import ClaimHeld
from distributor.model.ledger import Claimed, InstanceState
from distributor.services.ledger.claiming import Claims
from distributor.services.world import World
from distributor.testing.clock import START, FakeClock

KEY = ("sit", "shop")


@dataclass
class Shared:
    """The one claim that a ledger knows, whose time never goes back."""

    claim: Claimed | None = None
    last: datetime = START - timedelta(days=1)
    written: list[Claimed] = field(default_factory=list)


@dataclass
class Book:
    """The ledger as one machine sees it."""

    shared: Shared
    clock: FakeClock
    epoch: int = 0

    @property
    def state(self) -> Book:
        return self

    def instance(self, _environment: str, _instance: str) -> InstanceState:
        number = self.shared.claim.number if self.shared.claim else 0
        return InstanceState(
            environment=KEY[0], instance=KEY[1], claim=self.shared.claim, claims=number
        )

    def now(self) -> datetime:
        return max(self.clock.now(), self.shared.last)

    async def append(self, entry: Any, **_how: object) -> None:
        ((_, claim),) = entry.records
        self.shared.claim, self.shared.last = claim, claim.at
        self.shared.written.append(claim)


def machine(shared: Shared, name: str, skew: timedelta) -> tuple[Claims, FakeClock]:
    clock = FakeClock(START + skew)
    parts: dict[str, Any] = dict.fromkeys(f.name for f in fields(World))
    world = World(**{**parts, "clock": clock, "holder": name, "claim_seconds": 60.0})
    book: Any = Book(shared=shared, clock=clock)
    return Claims(world, book), clock


@pytest.mark.parametrize("hours", [-5, 0, 5])
async def test_a_dead_holders_claim_ends_after_its_time_whatever_its_clock_said(hours):
    shared = Shared()
    gone, _ = machine(shared, "gone", timedelta(hours=hours))
    await gone.ensure(KEY)
    heir, clock = machine(shared, "heir", timedelta())
    for _ in range(6):
        with pytest.raises(ClaimHeld):
            await heir.ensure(KEY)
        await clock.advance(9.9)
    await clock.advance(1)
    await heir.ensure(KEY)
    assert shared.claim.holder == "heir"


@pytest.mark.parametrize("hours", [-5, 0, 5])
@pytest.mark.parametrize("ledger", [-24, 5])
async def test_a_living_holder_keeps_its_claim_beside_a_clock_that_is_off(hours, ledger):
    """The ledger's time may be one of somebody ahead of us: then it stands still, and our claim runs on."""
    shared = Shared(last=START + timedelta(hours=ledger))
    worker, clock = machine(shared, "worker", timedelta())
    other, others_clock = machine(shared, "other", timedelta(hours=hours))
    for _ in range(50):
        await worker.ensure(KEY)
        with pytest.raises(ClaimHeld):
            await other.ensure(KEY)
        await clock.advance(10)
        await others_clock.advance(10)
    assert {claim.holder for claim in shared.written} == {"worker"}
    assert 12 <= len(shared.written) <= 26, "renewed at half time, and not at every look"


async def test_a_clock_that_is_set_back_begins_to_count_anew():
    shared = Shared()
    gone, _ = machine(shared, "gone", timedelta())
    await gone.ensure(KEY)
    heir, _ = machine(shared, "heir", timedelta(hours=5))
    with pytest.raises(ClaimHeld):
        await heir.ensure(KEY)
    back = FakeClock(START)
    heir._world = replace(heir._world, clock=back)
    with pytest.raises(ClaimHeld):
        await heir.ensure(KEY)
    await back.advance(61)
    await heir.ensure(KEY)
    assert shared.claim.holder == "heir"
