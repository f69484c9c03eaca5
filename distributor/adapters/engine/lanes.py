"""Who renders next: a turn for each package, and a slow lane for renders that take long."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Ticket:
    """The right to render, held by one render of one package."""

    def __init__(self, package: str, since: float) -> None:
        self.package = package
        self.since = since
        self.slow = False
        self._on_slow: Callable[[], None] | None = None

    def on_slow(self, call: Callable[[], None]) -> None:
        """Have this called when the render is moved to the slow lane; at once if it was."""
        self._on_slow = call
        if self.slow:
            call()

    def slow_down(self) -> None:
        """Go on in the slow lane."""
        self.slow = True
        if self._on_slow is not None:
            self._on_slow()


class Lanes:
    """Admits renders so that one package never delays another for long.

    Of the packages that wait, the one with the fewest renders under way goes first, then the one whose turn
    is the longest ago. Where a package waits and every place is taken, a render older than ``patience``
    seconds moves to the slow lane, which frees its place: nothing is lost, it only goes on at a low
    priority. The slow lane has as many places as the fast one, and one package gets all but one of them;
    packages with a render in it get all but one place of the fast lane between them, so that as many bad
    packages as there are places leave one to the rest.
    """

    def __init__(self, places: int, patience: float) -> None:
        self._places = places
        self._patience = patience
        self._running: list[Ticket] = []  # in the order in which they began
        self._waiting: OrderedDict[str, deque[asyncio.Future[Ticket]]] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def place(self, package: str) -> AsyncIterator[Ticket]:
        """Wait for a place, and give it back at the end."""
        ticket = await self._wait(package)
        try:
            yield ticket
        finally:
            self._leave(ticket)

    async def _wait(self, package: str) -> Ticket:
        turn: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(package, deque()).append(turn)
        self._admit()
        self._press()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(turn.result())
            raise

    def _leave(self, ticket: Ticket) -> None:
        self._running.remove(ticket)
        self._admit()

    def _admit(self) -> None:
        """Give free places to those whose turn it is."""
        while (package := self._next()) is not None:
            turns = self._waiting[package]
            turn = turns.popleft()
            self._waiting.move_to_end(package)
            ticket = Ticket(package, asyncio.get_running_loop().time())
            self._running.append(ticket)
            turn.set_result(ticket)

    def _next(self) -> str | None:
        for package, turns in list(self._waiting.items()):
            while turns and turns[0].done():
                del turns[0]  # its caller gave up
            if not turns:
                del self._waiting[package]
        count = Counter(ticket.package for ticket in self._running)
        fitting = [package for package in self._waiting if self._fits(package)]
        return min(fitting, key=lambda package: count[package], default=None)

    def _fits(self, package: str) -> bool:
        fast = [ticket.package for ticket in self._running if not ticket.slow]
        if len(fast) >= self._places:
            return False
        slow = {ticket.package for ticket in self._running if ticket.slow}
        return package not in slow or sum(p in slow for p in fast) < self._places - 1

    def _press(self) -> None:
        """Move renders that took long out of the way of packages that wait; look again in time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        for ticket in [ticket for ticket in self._running if not ticket.slow]:
            old = loop.time() - ticket.since >= self._patience
            if old and self._hinders(ticket) and self._has_slow_place(ticket.package):
                ticket.slow_down()
                self._admit()
        if self._waiting:
            self._timer = loop.call_later(self._patience / 2, self._press)

    def _hinders(self, ticket: Ticket) -> bool:
        return any(package != ticket.package for package in self._waiting)

    def _has_slow_place(self, package: str) -> bool:
        slow = [ticket.package for ticket in self._running if ticket.slow]
        return len(slow) < self._places and slow.count(package) < max(1, self._places - 1)
