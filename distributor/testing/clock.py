"""A clock that moves only when it is told to: waiting takes no time in tests."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """Implements ``ports.Clock``; sleepers wake in the order of their times as ``advance`` passes them."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    @property
    def sleepers(self) -> int:
        """How many callers wait."""
        return sum(not waiting.done() for _, _, waiting in self._sleepers)

    def now(self) -> datetime:
        """The time that the clock was brought to."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until ``advance`` has passed so much time; zero and less only lets others run."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        wake = self._now + timedelta(seconds=seconds)
        heapq.heappush(self._sleepers, (wake, next(self._order), waiting))
        await waiting

    async def advance(self, seconds: float) -> None:
        """Move on, stopping at each sleeper's time so that what it does next sees that time."""
        end = self._now + timedelta(seconds=seconds)
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._now, _, waiting = heapq.heappop(self._sleepers)
            if not waiting.done():
                waiting.set_result(None)
            await _settle()
        self._now = end


async def _settle() -> None:
    """Let everything that is ready run; chains of a few awaits included."""
    for _ in range(10):
        await asyncio.sleep(0)
