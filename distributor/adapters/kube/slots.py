"""Slots: how many requests one API server is asked at once, in turn among those who wait; a slow one lends its slot."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """``quick`` requests at once, and more only while earlier ones had no answer for ``patience`` seconds.

    An admission webhook that hangs holds a request for up to 30 s, and is no reason to ask nothing else.
    With those that take long, ``most`` are under way.

    Of everybody who waits, each gets a slot in turn: however many requests one has queued, another's next
    one waits for a single slot to come free.
    """

    def __init__(self, *, quick: int, most: int, patience: float) -> None:
        self._quick = quick
        self._all = most
        self._patience = patience
        self._waiting: dict[object, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, whose: object) -> AsyncIterator[None]:
        """Hold a slot, for as long as patience lasts, while a request is under way."""
        await self._take(whose)
        lent = False

        def lend() -> None:
            nonlocal lent
            lent = True
            self._give(quick=1)

        late = asyncio.get_running_loop().call_later(self._patience, lend)
        try:
            yield
        finally:
            late.cancel()
            self._give(quick=0 if lent else 1, whole=1)

    async def _take(self, whose: object) -> None:
        handed = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(whose, deque()).append(handed)
        self._hand_out()
        try:
            await handed
        except asyncio.CancelledError:
            if not handed.cancelled():  # it came in the same moment
                self._give(quick=1, whole=1)
            raise

    def _give(self, *, quick: int, whole: int = 0) -> None:
        self._quick += quick
        self._all += whole
        self._hand_out()

    def _hand_out(self) -> None:
        """Hand free slots to whoever is next, and put that waiter's others behind everybody else's."""
        while self._waiting and self._quick and self._all:
            whose = next(iter(self._waiting))
            queue = self._waiting.pop(whose)
            handed = queue.popleft()
            if queue:
                self._waiting[whose] = queue
            if not handed.done():
                self._quick -= 1
                self._all -= 1
                handed.set_result(None)
