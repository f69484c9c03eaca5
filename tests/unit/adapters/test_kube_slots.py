"""Slots: a bounded number of requests at once, and a slow one that is in nobody's way for ever."""

from __future__ import annotations

import asyncio
import contextlib

from distributor.adapters.kube.slots import Slots
from distributor.adapters.kube.together import together


class Requests:
    """Requests that are answered when the test says so; who is under way."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.under_way: set[str] = set()
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.answers: dict[str, asyncio.Event] = {}

    def ask(self, *names: str) -> None:
        for name in names:
            self.answers[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._ask(name))

    async def _ask(self, name: str) -> None:
        async with self.slots.turn(name):
            self.under_way.add(name)
            try:
                await self.answers[name].wait()
            finally:
                self.under_way.remove(name)

    async def answer(self, *names: str) -> None:
        for name in names:
            self.answers[name].set()
            await self.tasks[name]

    async def are(self, *names: str) -> None:
        async with asyncio.timeout(30):
            while self.under_way != set(names):
                await asyncio.sleep(0.001)

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


async def test_no_more_than_the_quick_ones_begin():
    requests = Requests(Slots(quick=2, most=4, patience=3600))
    requests.ask("a", "b", "c")
    await requests.settle()
    assert requests.under_way == {"a", "b"}
    await requests.answer("a")
    await requests.are("b", "c")
    await requests.answer("b", "c")


async def test_slow_ones_give_way_as_far_as_most():
    requests = Requests(Slots(quick=1, most=3, patience=0.001))
    requests.ask("a", "b", "c", "d")
    await requests.are("a", "b", "c")
    await asyncio.sleep(0.02)
    assert requests.under_way == {"a", "b", "c"}
    await requests.answer("a")
    await requests.are("b", "c", "d")
    await requests.answer("b", "c", "d")


async def test_a_slot_comes_back_once_whether_it_was_lent_or_not():
    slots = Slots(quick=1, most=9, patience=0.001)
    requests = Requests(slots)
    for name in ("a", "b", "c"):
        requests.ask(name)
        await requests.are(name)
        await asyncio.sleep(0.01)  # lent
        await requests.answer(name)
    slots._patience = 3600
    requests.ask("x", "y")
    await requests.settle()
    assert requests.under_way == {"x"}, "the slots that were lent came back once each"
    await requests.answer("x", "y")


async def test_one_that_is_given_up_leaves_its_slot():
    requests = Requests(Slots(quick=1, most=2, patience=3600))
    requests.ask("a", "b")
    await requests.are("a")
    for name in ("b", "a"):
        requests.tasks[name].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await requests.tasks[name]
    requests.ask("c")
    await requests.are("c")
    await requests.answer("c")


async def test_together_runs_so_many_and_closes_what_never_began():
    running, most = 0, 0

    async def work(n: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(0)
        finally:
            running -= 1
        return n

    assert await together((work(n) for n in range(9)), at_once=3) == list(range(9))
    assert most == 3

    async def fail() -> int:
        raise ValueError

    with contextlib.suppress(ValueError):
        await together((fail(), work(1), work(2)), at_once=1)
        raise AssertionError
    assert running == 0
