"""Slots: never more than there are, each waiter in turn, and none lost to whoever gives up waiting."""

from __future__ import annotations

import asyncio
import random

from distributor.adapters.kube.slots import Slots
from tests.seeds import seed


class Work:
    """Holders of slots, that let go when told to."""

    def __init__(self, count: int) -> None:
        self.slots = Slots(count)
        self.order: list[str] = []
        self.running = self.most = 0
        self.let_go = asyncio.Event()

    async def hold(self, whose: str) -> None:
        async with self.slots.turn(whose):
            self.running += 1
            self.most = max(self.most, self.running)
            self.order.append(whose)
            await self.let_go.wait()
            await asyncio.sleep(0)
            self.running -= 1


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_with_a_thousand_waiting_keeps_nobody_waiting_for_more_than_one():
    work = Work(2)
    large = [asyncio.create_task(work.hold("large")) for _ in range(1000)]
    await settle()
    small = [asyncio.create_task(work.hold(name)) for name in ("small", "other", "small")]
    await settle()
    work.let_go.set()
    await asyncio.gather(*large, *small)
    assert work.order[:8] == [
        "large",
        "large",
        "large",
        "small",
        "other",
        "large",
        "small",
        "large",
    ]
    assert (work.order.count("large"), work.most) == (1000, 2)


async def test_those_of_one_waiter_come_in_their_order():
    slots, order = Slots(1), []

    async def one(number: int) -> None:
        async with slots.turn("same"):
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(one(n) for n in range(50)))
    assert order == list(range(50))


async def test_whoever_gives_up_takes_no_slot_along():
    """Cancelled while it waits, in the moment it is handed one, and while it holds one."""
    chance = random.Random(seed())
    work = Work(3)
    work.let_go.set()
    tasks = [asyncio.create_task(work.hold(chance.choice("abc"))) for _ in range(500)]
    while any(not task.done() for task in tasks):
        chance.choice(tasks).cancel()
        await asyncio.sleep(0)
    assert work.most <= 3
    again = Work(3)
    again.slots = work.slots
    three = [asyncio.create_task(again.hold("d")) for _ in range(4)]
    await settle()
    assert again.running == 3, "all slots are there again, and no more than there were"
    again.let_go.set()
    await asyncio.gather(*three)


async def test_a_slot_that_is_handed_to_one_cancelled_in_the_same_moment_goes_on():
    slots = Slots(1)
    inside = asyncio.Event()

    async def first() -> None:
        async with slots.turn("a"):
            await inside.wait()

    async def wait(whose: str) -> str:
        async with slots.turn(whose):
            return whose

    holder = asyncio.create_task(first())
    await settle()
    late, last = asyncio.create_task(wait("b")), asyncio.create_task(wait("c"))
    await settle()
    inside.set()
    await holder  # its slot has been handed to b, which has not run yet
    late.cancel()
    assert await last == "c"
    assert late.cancelled() or late.done()
