"""Server-sent events: resume without a gap, silence, filters, the end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import orjson
import pytest

from distributor.adapters.clock import SystemClock
from distributor.adapters.store import SqlStore
from distributor.api.events import Wanted, stream
from distributor.model.stored import StoredEvent
from distributor.services.state.journal import Journal

ALL = Wanted()


class World:
    """As much of a world as a journal needs."""

    def __init__(self) -> None:
        self.store = SqlStore(None)
        self.clock = SystemClock()


class Told:
    """As much of a service as events need."""

    def __init__(self) -> None:
        self.world = World()
        self.journal = Journal(self.world)

    async def tell(self, *kinds: str, **places: str) -> None:
        for kind in kinds:
            await self.journal.tell(kind, f"about {kind}\nand more", **places)


@pytest.fixture
async def told(capsys):
    service = Told()
    await service.world.store.open()
    yield service
    await service.world.store.aclose()
    capsys.readouterr()


def parse(frame: bytes) -> tuple[int, str, dict]:
    assert frame.endswith(b"\n\n")
    fields = dict(line.split(": ", 1) for line in frame.decode().strip().split("\n"))
    return int(fields["id"]), fields["event"], orjson.loads(fields["data"])


async def take(service, begin, count, *, wanted=ALL, closing=None, heartbeat=5.0):
    """The first frames after the stream's greeting; the reader then goes away."""
    found = []
    source = stream(service, begin, wanted, closing or asyncio.Event(), heartbeat=heartbeat)
    async with aclosing(source) as frames:
        assert await anext(frames) == b"retry: 2000\n\n"
        while len(found) < count:
            found.append(await asyncio.wait_for(anext(frames), 10))
    return found


async def test_a_follower_sees_what_was_and_what_comes(told):
    await told.tell("one", "two", environment="sit", instance="shop", cluster="a")
    reading = asyncio.create_task(take(told, 0, 3))
    await asyncio.sleep(0.05)
    await told.tell("three")
    frames = [parse(frame) for frame in await reading]
    assert [(number, kind) for number, kind, _ in frames] == [(1, "one"), (2, "two"), (3, "three")]
    data = frames[0][2]
    assert (data["environment"], data["instance"], data["cluster"]) == ("sit", "shop", "a")
    assert data["message"] == "about one\nand more"
    assert data["id"] == 1


async def test_a_reconnect_misses_nothing_and_repeats_nothing(told):
    await told.tell("one", "two", "three", "four")
    first = [parse(f)[0] for f in await take(told, 0, 2)]
    rest = [parse(f)[0] for f in await take(told, first[-1], 2)]
    assert first + rest == [1, 2, 3, 4]


async def test_without_a_number_it_begins_with_what_comes(told):
    await told.tell("old")
    reading = asyncio.create_task(take(told, None, 1))
    await asyncio.sleep(0.1)
    await told.tell("new")
    assert parse((await reading)[0])[:2] == (2, "new")


async def test_numbers_that_began_anew_are_told(told):
    await told.tell("one", "two")
    reading = asyncio.create_task(take(told, 99, 2))
    await asyncio.sleep(0.1)
    await told.tell("three")
    frames = [parse(f) for f in await reading]
    assert [(number, kind) for number, kind, _ in frames] == [(2, "reset"), (3, "three")]


async def test_events_that_are_no_longer_kept_are_told(told, monkeypatch):
    store = told.world.store
    kept = [StoredEvent(at="now", kind="late", id=number) for number in (7, 8)]

    async def events(after=0, limit=500):
        return tuple(event for event in kept if event.id > after)

    async def last_event():
        return 8

    monkeypatch.setattr(store, "events", events)
    monkeypatch.setattr(store, "last_event", last_event)
    frames = [parse(f) for f in await take(told, 3, 3)]
    assert [(number, kind) for number, kind, _ in frames] == [
        (3, "reset"),
        (7, "late"),
        (8, "late"),
    ]


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(environment="uat"),
        Wanted(instance="shop"),
        Wanted(cluster="b"),
        Wanted(kind="wave"),
        Wanted(environment="uat", instance="shop", cluster="b", kind="wave"),
    ],
)
async def test_only_what_is_wanted_is_sent(told, wanted):
    await told.tell("target", environment="sit", instance="web", cluster="a")
    await told.tell("wave", environment="uat", instance="shop", cluster="b")
    await told.tell("target")
    assert [parse(f)[0] for f in await take(told, 0, 1, wanted=wanted)] == [2]


async def test_silence_is_broken_by_comments(told):
    assert await take(told, None, 3, heartbeat=0.01) == [b": still here\n\n"] * 3
    reading = asyncio.create_task(take(told, 0, 20, heartbeat=0.01))
    await told.tell("one")
    assert b"event: one" in b"".join(await reading), "an event is not lost to a heartbeat"


async def test_the_server_s_end_ends_the_stream(told):
    closing = asyncio.Event()
    source = stream(told, None, ALL, closing)
    assert await anext(source)
    asyncio.get_running_loop().call_later(0.05, closing.set)
    assert [frame async for frame in source] == []


async def test_a_reader_that_goes_away_leaves_no_task_behind(told):
    before = asyncio.all_tasks()
    await take(told, None, 1, heartbeat=0.01)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
