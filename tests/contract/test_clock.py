"""The contract of clocks, on the machine's and on the fake that ships."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from distributor.adapters.clock import SystemClock
from distributor.ports import Clock
from distributor.testing.clock import START, FakeClock


async def passing(clock: Clock, seconds: float) -> None:
    """Let time pass: the fake is moved, the machine's is waited for."""
    if isinstance(clock, FakeClock):
        await clock.advance(seconds)
    else:
        await asyncio.sleep(seconds)


@pytest.fixture(params=[SystemClock, FakeClock])
def clock(request) -> Clock:
    return request.param()


async def test_now_is_in_utc_and_never_goes_back(clock):
    first, second = clock.now(), clock.now()
    assert first.utcoffset() == timedelta(0)
    assert first <= second


async def test_a_sleeper_wakes_when_its_time_has_passed_and_not_before(clock):
    start = clock.now()
    sleeper = asyncio.create_task(clock.sleep(0.05))
    await passing(clock, 0.01)
    assert not sleeper.done()
    await passing(clock, 0.06)
    await asyncio.wait_for(sleeper, 10)
    assert clock.now() - start >= timedelta(seconds=0.05)


async def test_no_time_at_all_is_no_wait(clock):
    await asyncio.wait_for(clock.sleep(0), 10)
    await asyncio.wait_for(clock.sleep(-1), 10)


async def test_a_sleeper_can_be_cancelled(clock):
    sleeper = asyncio.create_task(clock.sleep(3600))
    await passing(clock, 0.001)
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
    await passing(clock, 0.001)


class TestFake:
    async def test_stands_still(self):
        clock = FakeClock()
        assert clock.now() == START == clock.now()
        assert FakeClock(datetime(2030, 1, 1, tzinfo=UTC)).now().year == 2030

    async def test_wakes_in_order_and_each_sees_its_own_time(self):
        clock = FakeClock()
        seen: list[tuple[str, float]] = []

        async def wake(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            seen.append((name, (clock.now() - START).total_seconds()))

        tasks = [asyncio.create_task(wake(n, s)) for n, s in [("b", 20), ("a", 10), ("c", 20)]]
        await clock.advance(30)
        await asyncio.gather(*tasks)
        assert seen == [("a", 10), ("b", 20), ("c", 20)]
        assert clock.now() == START + timedelta(seconds=30)

    async def test_one_that_sleeps_again_is_woken_again(self):
        clock = FakeClock()
        ticks: list[datetime] = []

        async def tick() -> None:
            while True:
                await clock.sleep(10)
                ticks.append(clock.now())

        ticking = asyncio.create_task(tick())
        await clock.advance(35)
        assert [(t - START).seconds for t in ticks] == [10, 20, 30]
        assert clock.sleepers == 1
        ticking.cancel()
        await clock.advance(0)
        assert clock.sleepers == 0
