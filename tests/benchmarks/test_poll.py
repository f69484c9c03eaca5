"""A poll of 40,000 tags where nothing changed: aims under 300 ms, and under 100 kB once they are archived."""

from __future__ import annotations

import statistics
from functools import partial

import pytest

from distributor.adapters.git import GitRemote
from tests.benchmarks.polling import Cost, Polled, archived, cost, counted, listing, polled
from tests.benchmarks.results import Result

pytestmark = pytest.mark.benchmark
TAGS = 40_000
POLLS = 9


async def test_a_poll_where_nothing_changed(tmp_path):
    result = Result(name="poll")
    result.figures["tags"] = TAGS
    async with polled(tmp_path, TAGS) as found:
        await settled(result, found, "first")
        await measured(result, found, "")
        archived(found)
        await settled(result, found, "archived.first")
        await measured(result, found, "archived.")
    result.aim("poll_ms", 300, "ms", cause="the list of all tags, made, sent and compared")
    result.aim("archived.poll_kb", 100, "kB", cause="heads and tags that are listed")
    result.write()


async def settled(result: Result, found: Polled, name: str) -> None:
    """The first look at what is new, and what the service does behind it at its start."""
    first = await cost(found.service.once)
    assert found.service.offline is None
    await found.service.world.remote.tidy()
    result.figures |= {f"{name}_s": first.seconds, f"{name}_cpu_s": first.cpu}


async def measured(result: Result, found: Polled, prefix: str) -> None:
    """Whole passes of the service, by turns with nothing but the list of the same refs."""
    service, remote = found.service, found.place.remote
    head = service.book.state.head
    polls: list[Cost] = []
    floor: list[Cost] = []
    for _ in range(POLLS):
        floor.append(await cost(partial(listing, remote)))
        polls.append(await cost(service.once))
    assert service.book.state.head == head, "nothing was there to be decided"
    result.figures |= {
        f"{prefix}poll_ms": statistics.median(c.seconds for c in polls) * 1000,
        f"{prefix}poll_cpu_ms": statistics.median(c.cpu for c in polls) * 1000,
        f"{prefix}list_ms": statistics.median(c.seconds for c in floor) * 1000,
        f"{prefix}list_cpu_ms": statistics.median(c.cpu for c in floor) * 1000,
        f"{prefix}poll_kb": await kilobytes(found),
    }


async def kilobytes(found: Polled) -> float:
    """What one poll moves, by a process that has fetched before."""
    async with counted(found.place.remote) as server:
        mirror = found.place.state / "repository.git"
        remote = GitRemote(mirror, server.url, heads=("main", "ledger"))
        await remote.fetch()
        before = server.bytes
        await remote.fetch()
        return (server.bytes - before) / 1000
