"""Slots and pauses: nobody takes all the room, nobody comes back at the same moment as all others."""

from __future__ import annotations

import asyncio

import pytest

from distributor.services.rollouts.slots import Slots, apart


@pytest.mark.parametrize(("number", "most"), [(1, 1), (2, 2), (4, 3), (16, 12)])
async def test_a_cluster_has_its_share_and_no_more(number, most):
    slots, done, inside = Slots(number), asyncio.Event(), 0

    async def work() -> None:
        nonlocal inside
        async with slots.of("slow"):
            inside += 1
            await done.wait()

    workers = [asyncio.create_task(work()) for _ in range(3 * number)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert inside == most
    if most < number:
        async with asyncio.timeout(30), slots.of("other"):
            assert not done.is_set()
    done.set()
    await asyncio.gather(*workers)
    assert inside == 3 * number


def test_pauses_are_spread_and_bounded():
    pauses = [apart(10.0) for _ in range(200)]
    assert all(10 <= pause <= 12 for pause in pauses)
    assert max(pauses) - min(pauses) > 0.5
