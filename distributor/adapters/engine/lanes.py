"""Who renders next: a turn for each package, and a slow lane for renders that take long."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

Answer = TypeVar("Answer")

_STOPPED_AFTER = 2  # times the patience: a render that is stopped has to begin again


class Ticket:
    """The right to render, held by one render of one package."""

    def __init__(self, package: str, since: float, *, slow: bool = False) -> None:
        self.package = package
        self.since = since
        self.slow = slow
        self.stopping = False
        self._on_slow: Callable[[], None] | None = None
        self._scope = asyncio.timeout(None)
        self._entered = False

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

    def stop(self) -> None:
        """End the render without an answer, as by a cancellation; nothing happens before it began."""
        if self._entered and not self.stopping:
            self.stopping = True
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def hold(self, render: Callable[[Ticket], Awaitable[Answer]]) -> Answer:
        """Render; raises ``StoppedError`` where it was stopped before the answer."""
        try:
            async with self._scope:
                self._entered = True
                return await render(self)
        except TimeoutError:
            if not self._scope.expired():
                raise
            raise StoppedError from None


class StoppedError(Exception):
    """The render had to make room and is to begin again; never leaves ``Lanes``."""


class Queue:
    """Turns that are waited for, by package; packages in the order of their last turn."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, deque[asyncio.Future[Ticket]]] = OrderedDict()

    def join(self, package: str) -> asyncio.Future[Ticket]:
        """Wait in line."""
        turn: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        self._turns.setdefault(package, deque()).append(turn)
        return turn

    def packages(self) -> Iterator[str]:
        """Whose turns are waited for, the one whose last turn is the longest ago first."""
        for package in list(self._turns):
            turns = self._turns[package]
            while turns and turns[0].done():
                del turns[0]  # its caller gave up
            if turns:
                yield package
            else:
                del self._turns[package]

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return any(True for _ in self.packages())

    def serve(self, ticket: Ticket) -> None:
        """Give the first of a package that ``packages`` named its ticket."""
        self._turns[ticket.package].popleft().set_result(ticket)
        self._turns.move_to_end(ticket.package)


class Lanes:
    """Admits renders so that one package never delays another for long.

    Of the packages that wait, the one with the fewest renders under way goes first, then the one whose turn
    is the longest ago. Where a package waits and every place is taken, a render older than ``patience``
    seconds moves to the slow lane, which frees its place: nothing is lost, it only goes on at a low
    priority. The slow lane has as many places as the fast one, and one package gets all but one of them;
    packages with a render in it get all but one place of the fast lane between them, so that as many bad
    packages as there are places leave one to the rest.

    Where the slow lane is full too and a package waits that has no render under way, the oldest render of
    the fast lane is stopped. It begins again, with all its time, when a place of the slow lane is free, and
    is not stopped there: so each render is stopped once at most, and ends as it would have ended alone.
    """

    def __init__(self, places: int, patience: float) -> None:
        self._places = places
        self._patience = patience
        self._running: list[Ticket] = []  # in the order in which they began
        self._waiting = Queue()
        self._stopped = Queue()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, package: str, render: Callable[[Ticket], Awaitable[Answer]]) -> Answer:
        """Wait for a place, render, and give the place back; ``render`` may be begun a second time."""
        return await self._run(self._waiting.join(package), render)

    async def _run(
        self, turn: asyncio.Future[Ticket], render: Callable[[Ticket], Awaitable[Answer]]
    ) -> Answer:
        self._admit()
        self._press()
        try:
            ticket = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(turn.result())
            raise
        try:
            return await ticket.hold(render)
        except StoppedError:
            turn = self._stopped.join(ticket.package)  # before others take what it leaves
        finally:
            self._leave(ticket)
        return await self._run(turn, render)

    def _leave(self, ticket: Ticket) -> None:
        self._running.remove(ticket)
        self._admit()

    def _admit(self) -> None:
        """Give free places to those whose turn it is."""
        while (ticket := self._next_slow()) is not None:
            self._running.append(ticket)
            self._stopped.serve(ticket)
        while (ticket := self._next_fast()) is not None:
            self._running.append(ticket)
            self._waiting.serve(ticket)

    def _next_fast(self) -> Ticket | None:
        package = self._least_served(self._waiting, self._fitting())
        return None if package is None else Ticket(package, asyncio.get_running_loop().time())

    def _next_slow(self) -> Ticket | None:
        package = self._least_served(self._stopped, self._has_slow_place)
        now = asyncio.get_running_loop().time()
        return None if package is None else Ticket(package, now, slow=True)

    def _least_served(self, queue: Queue, fits: Callable[[str], bool] | None) -> str | None:
        """Of the packages that wait and fit, the first of those with the fewest renders under way."""
        if fits is None:
            return None
        count, best = self._under_way(), None
        for package in queue.packages():
            if (best is None or count[package] < count[best]) and fits(package):
                best = package
                if not count[best]:
                    break
        return best

    def _under_way(self) -> Counter[str]:
        return Counter(ticket.package for ticket in self._running)

    def _fitting(self, without: Ticket | None = None) -> Callable[[str], bool] | None:
        """Which packages the fast lane has a place for, were it ``without`` a render; ``None``: for none."""
        fast = [ticket.package for ticket in self._fast() if ticket is not without]
        if len(fast) >= self._places:
            return None
        slow = {ticket.package for ticket in self._running if ticket.slow}
        slow.update(self._stopped.packages())
        room = sum(p in slow for p in fast) < self._places - 1
        return lambda package: room or package not in slow

    def _fast(self) -> Iterator[Ticket]:
        return (ticket for ticket in self._running if not ticket.slow)

    def _press(self) -> None:
        """Move renders that took long out of the way of packages that wait; look again in time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for ticket in list(self._fast()):
            old = self._age(ticket) >= self._patience
            if old and self._hinders(ticket) and self._has_slow_place(ticket.package):
                ticket.slow_down()
                self._admit()
        self._make_room()
        if self._waiting:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._patience / 2, self._press)

    def _make_room(self) -> None:
        """Stop one render where both lanes are full; its place is free once its worker is gone."""
        slow = sum(ticket.slow for ticket in self._running)
        if slow < self._places or any(ticket.stopping for ticket in self._running):
            return
        for ticket in self._fast():
            if self._age(ticket) >= _STOPPED_AFTER * self._patience and self._starves(ticket):
                ticket.stop()
                return

    def _age(self, ticket: Ticket) -> float:
        return asyncio.get_running_loop().time() - ticket.since

    def _hinders(self, ticket: Ticket) -> bool:
        return any(package != ticket.package for package in self._waiting.packages())

    def _starves(self, ticket: Ticket) -> bool:
        """Whether a package that has no render under way would have the place of this one."""
        count, fits = self._under_way(), self._fitting(without=ticket)
        return fits is not None and any(not count[p] and fits(p) for p in self._waiting.packages())

    def _has_slow_place(self, package: str) -> bool:
        slow = [ticket.package for ticket in self._running if ticket.slow]
        return len(slow) < self._places and slow.count(package) < max(1, self._places - 1)
