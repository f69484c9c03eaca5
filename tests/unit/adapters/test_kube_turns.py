"""Turns at slots: never more than there are, each waiter in turn, and none lost to whoever gives up waiting."""

from __future__ import annotations

import asyncio
import random

from distributor.adapters.kube.slots import Slots
from tests.seeds import seed


def slots_that_nobody_lends(count: int) -> Slots:
    return Slots(quick=count, most=count, patience=3600)


class Work:
    """Holders of slots, that let go when told to."""

    def __init__(self, count: int) -> None:
        self.slots = slots_that_nobody_lends(count)
        self.order: list[str] = []
        self.running = self.most = 0
        self.let_go = asyncio.Event()

    async def hold(self, whose: str) -> None:
        async with self.slots.turn(whose):
            self.running += 1
            self.most = max(self.most, self.running)
            self.order.append(whose)
            try:
                await self.let_go.wait()
                await asyncio.sleep(0)
            finally:
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
    slots, order = slots_that_nobody_lends(1), []

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
    slots = slots_that_nobody_lends(1)
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


async def test_slots_that_are_lent_go_round_too():
    """Everybody's requests hang: what one queued first is not all that begins."""
    slots, order, answered = Slots(quick=2, most=6, patience=0.001), [], asyncio.Event()

    async def hang(whose: str) -> None:
        async with slots.turn(whose):
            order.append(whose)
            await answered.wait()

    tasks = [asyncio.create_task(hang("large")) for _ in range(50)]
    await settle()
    tasks += [asyncio.create_task(hang("small")) for _ in range(2)]
    async with asyncio.timeout(30):
        while len(order) < 6:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    assert len(order) == 6, "and no more than so many in all"
    assert order.count("small") == 2
    answered.set()
    await asyncio.gather(*tasks)
    assert len(order) == 52


async def test_those_who_give_up_while_slots_are_lent_take_none_along():
    chance = random.Random(seed())
    slots, running, most = Slots(quick=2, most=5, patience=0.0), 0, 0

    async def hold(whose: str) -> None:
        nonlocal running, most
        async with slots.turn(whose):
            running += 1
            most = max(most, running)
            try:
                await asyncio.sleep(chance.choice((0, 0.001)))
            finally:
                running -= 1

    tasks = [asyncio.create_task(hold(chance.choice("abc"))) for _ in range(500)]
    while any(not task.done() for task in tasks):
        chance.choice(tasks).cancel()
        await asyncio.sleep(0)
    assert most <= 5
    slots._patience = 3600
    work = Work(1)
    work.slots = slots
    held = [asyncio.create_task(work.hold("d")) for _ in range(9)]
    await settle()
    assert work.running == 2, "all are there again, and nothing is lent that was"
    work.let_go.set()
    await asyncio.gather(*held)
