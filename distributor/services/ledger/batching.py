"""Batching: entries that are handed in while one is being pushed go into the next commit together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from distributor.errors import DistributorError
from distributor.errors.git import PushRejected, RemoteUnreachable
from distributor.model.ledger import Key, LedgerState, Record
from distributor.ports import TreeChange

_TRIES = 8
_NAMED = 100
"""Entries that a commit's message names at most."""
_MANY = 4
"""Entries of one commit after which more of them are to be expected."""
PAUSE = 1.0
"""Seconds between two commits of entries that nobody waits for, while there are many."""
_SHARE = 4
"""Of the time, such commits take one part in so many: where a push takes long, there are fewer."""
_LONGEST = 5.0
"""Seconds after a push that patient entries are kept waiting at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one append adds: records by file, pinned trees by path, and a line for ``git log``.

    Nobody waits for a ``patient`` one: where many are under way, it may share a later commit.
    """

    records: Sequence[tuple[Key, Record]]
    message: str
    pins: Mapping[str, TreeChange] = field(default_factory=dict)
    patient: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    entry: Entry
    epoch: int | None
    done: asyncio.Future[LedgerState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What batches need of a ledger: one push, a look at what others pushed, and how often they did."""

    push: Callable[[Entry], Awaitable[LedgerState]]
    catch_up: Callable[[], Awaitable[object]]
    epoch: Callable[[], int]


class Batches:
    """Appends entries in the order in which they were handed in; each hears of its own success or failure.

    A commit holds one entry where nobody else waits. Who stops waiting takes the entry back, unless it
    is on its way already. After a commit of many, patient ones gather for ``pause`` seconds, unless one
    comes that is not.
    """

    def __init__(self, door: Door, lock: asyncio.Lock, *, pause: float = PAUSE) -> None:
        self._door = door
        self._lock = lock
        self._pause = pause
        self._next = 0.0  # the loop's time before which patient entries alone are not pushed
        self._hurry = asyncio.Event()
        self._waiting: list[_Waiting] = []
        self._at_work: asyncio.Task[None] | None = None

    async def add(self, entry: Entry, epoch: int | None) -> LedgerState:
        """Wait until an entry is in the shared ledger; with ``epoch`` only if nobody else moved it since."""
        waiting = _Waiting(entry, epoch, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if not entry.patient:
            self._hurry.set()
        if self._at_work is None or self._at_work.done():
            self._at_work = asyncio.create_task(self._work())
        return await waiting.done

    async def settle(self) -> None:
        """Wait for what is on its way."""
        self._hurry.set()
        if self._at_work is not None:
            await self._at_work

    async def _work(self) -> None:
        while self._waiting:
            await self._gathered()
            async with self._lock:
                batch, self._waiting = self._waiting, []
                began = asyncio.get_running_loop().time()
                await self._carried(batch)
                if len(batch) > _MANY:
                    took = asyncio.get_running_loop().time() - began
                    self._next = began + between(took, self._pause)

    async def _gathered(self) -> None:
        """Wait for others to go along, where all that wait have the time for it."""
        left = self._next - asyncio.get_running_loop().time()
        if left > 0 and all(waiting.entry.patient for waiting in self._waiting):
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), left)

    async def _carried(self, batch: Sequence[_Waiting]) -> None:
        """Append some entries in one commit; a failure that is not the remote's is told to its entry alone."""
        try:
            await self._tried(batch)
        except (PushRejected, RemoteUnreachable) as error:
            _fail(batch, error)
        except DistributorError as error:
            if len(batch) == 1:
                _fail(batch, error)
            else:
                for each in batch:
                    await self._carried([each])
        except (
            Exception
        ) as error:  # a fault of ours: nobody is left waiting for this task, which ends with it
            _fail([*batch, *self._waiting], error)
            self._waiting.clear()
            raise
        except BaseException:
            for each in batch:
                each.done.cancel()
            raise

    async def _tried(self, batch: Sequence[_Waiting]) -> None:
        """Push until nobody was faster; an entry that was decided on what was there before then fails."""
        for attempt in range(_TRIES):
            now = self._door.epoch()
            stale = [w for w in batch if w.epoch not in {None, now}]
            _fail(stale, PushRejected("(the ledger moved on)"))
            rest = [w for w in batch if not w.done.done()]
            if not rest:
                return
            try:
                state = await self._door.push(_joined([w.entry for w in rest]))
            except PushRejected as error:
                if not await self._caught_up(rest):
                    return
                _fail([w for w in rest if w.epoch is not None], error)
                if attempt == _TRIES - 1:
                    raise
            else:
                for each in rest:
                    if not each.done.done():
                        each.done.set_result(state)
                return

    async def _caught_up(self, batch: Sequence[_Waiting]) -> bool:
        """Whether the ledger can be gone on with; if not, that is so for all."""
        try:
            await self._door.catch_up()
        except DistributorError as error:
            _fail(batch, error)
            return False
        return True


def between(took: float, pause: float) -> float:
    """Seconds from the beginning of one commit of many to that of the next, by what its push took."""
    return max(pause, min(took * _SHARE, took + _LONGEST))


def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
    for each in batch:
        if not each.done.done():
            each.done.set_exception(error)


def _joined(entries: Sequence[Entry]) -> Entry:
    """One entry with everything in it, each file's records in order."""
    first, *others = entries
    if not others:
        return first
    lines = [entry.message for entry in entries[:_NAMED]]
    subject = f"{first.message} and {len(others)} more"
    pins: dict[str, TreeChange] = {}
    for entry in entries:
        pins |= entry.pins
    return Entry(
        records=[record for entry in entries for record in entry.records],
        message="\n".join((subject, "", *lines)),
        pins=pins,
    )
