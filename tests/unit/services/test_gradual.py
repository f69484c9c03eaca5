"""Gradual work: it widens, stops at what costs too much, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from distributor.services.rendering.gradual import gradually


class Work:
    """Pieces that end when they are told to; ``most`` is how many were under way at once."""

    def __init__(self, count: int, fails: frozenset[int] = frozenset()) -> None:
        self.pieces = {number: partial(self._piece, number) for number in range(count)}
        self._fails = fails
        self.began: list[int] = []
        self.running = 0
        self.cancelled = 0
        self.gate: asyncio.Event | None = None

    async def _piece(self, number: int) -> str:
        self.began.append(number)
        self.running += 1
        try:
            await (self.gate.wait() if self.gate else asyncio.sleep(0))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if number in self._fails:
            raise ValueError(number)
        return f"done {number}"


def never(_error: BaseException) -> None:
    return None


async def test_it_widens_with_what_succeeds_up_to_a_bound():
    work = Work(40)
    seen: list[int] = []
    results = await gradually(
        work.pieces, stops=never, told=lambda _: seen.append(work.running), widest=8
    )
    assert results == {number: f"done {number}" for number in range(40)}
    assert work.began == list(range(40))
    assert seen[0] == 0, "the first was alone"
    assert max(seen) < 8


async def test_failures_are_results():
    results = await gradually(Work(5, frozenset({1, 3})).pieces, stops=never)
    assert [isinstance(results[n], ValueError) for n in range(5)] == [
        False,
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(("bad", "tried"), [(0, 1), (1, 3), (2, 3), (3, 7)])
async def test_what_costs_too_much_is_the_last_thing_that_is_begun(bad, tried):
    work, told = Work(30, frozenset({bad})), []
    stop = KeyError("costly")
    results = await gradually(work.pieces, stops=lambda _error: stop, told=told.append)
    assert len(work.began) == tried
    assert isinstance(results[bad], ValueError)
    assert [n for n, result in results.items() if result is stop] == list(range(tried, 30))
    assert told[-1] == 30


async def test_cancelled_it_leaves_nothing_running():
    work = Work(1)
    work.gate = asyncio.Event()
    task = asyncio.create_task(gradually(work.pieces, stops=never))
    while not work.running:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert (work.running, work.cancelled) == (0, 1)


async def test_nothing_is_nothing():
    assert await gradually({}, stops=never) == {}
