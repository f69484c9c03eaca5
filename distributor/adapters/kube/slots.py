"""Slots: so many requests to one API server at once, handed out in turn among those who wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """A bounded number of slots; of everybody who waits, each gets one in turn.

    However many requests one waiter has queued, another's next one waits for a single slot to come free.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: dict[object, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, whose: object) -> AsyncIterator[None]:
        """Hold a slot."""
        await self._take(whose)
        try:
            yield
        finally:
            self._give()

    async def _take(self, whose: object) -> None:
        if self._free:  # then nobody waits
            self._free -= 1
            return
        handed = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(whose, deque()).append(handed)
        try:
            await handed
        except asyncio.CancelledError:
            if not handed.cancelled():  # it came in the same moment
                self._give()
            raise

    def _give(self) -> None:
        """Hand the slot to whoever is next, and put that waiter's others behind everybody else's."""
        while self._waiting:
            whose = next(iter(self._waiting))
            queue = self._waiting.pop(whose)
            handed = queue.popleft()
            if queue:
                self._waiting[whose] = queue
            if not handed.done():
                handed.set_result(None)
                return
        self._free += 1
