"""Kill -9 of workers and of the whole process, in a loop: never a wrong or a half result."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from distributor.adapters.cache import DiskRenderCache
from distributor.adapters.engine import EnginePool
from distributor.errors.render import EngineProtocol, WorkerDied
from tests.integration.engine import rendering_forever
from tests.integration.engine.rendering_forever import COLD, KEYS, job_of
from tests.seeds import seed

LOOPS = [
    pytest.param(6, id="short"),
    pytest.param(200, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
]


@pytest.fixture
async def right(pool: EnginePool) -> AsyncIterator[list[tuple[bytes, ...]]]:
    """What each job gives when nothing dies."""
    return [await pool.render(job_of(number)) for number in range(KEYS)]


def workers_of(pid: int) -> list[int]:
    """The children of a process, by its own account."""
    with suppress(OSError):
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return []


def wait_gone(pids: list[int], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < end, f"of {pids} some outlive their parent"
        time.sleep(0.02)


def serves(folder: Path, right: list[tuple[bytes, ...]]) -> int:
    """Check every key as a new process sees it; how many are there."""
    cache = DiskRenderCache(folder, COLD)
    found = [cache.get(f"n{number}") for number in range(KEYS)]
    assert all(got in (None, want) for got, want in zip(found, right, strict=True))
    return sum(got is not None for got in found)


@pytest.mark.skipif(sys.platform != "linux", reason="finds workers in /proc")
@pytest.mark.parametrize("loops", LOOPS)
def test_a_process_that_is_killed_while_it_renders_leaves_a_cache_that_is_right(
    tmp_path, right, loops
):
    chance = random.Random(seed())
    served = 0
    for loop in range(loops):
        command = [
            sys.executable,
            rendering_forever.__file__,
            str(tmp_path),
            str(chance.randrange(1 << 30)),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            for _ in range(chance.randrange(1, 40)):
                assert process.stdout.readline(), f"it ended by itself in loop {loop}"
            time.sleep(chance.random() * 0.05)
            workers = workers_of(process.pid)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        served = max(served, serves(tmp_path, right))
        wait_gone(workers)
    assert served > 0


@pytest.mark.skipif(sys.platform != "linux", reason="finds workers in /proc")
@pytest.mark.parametrize("loops", LOOPS)
async def test_workers_that_are_killed_at_any_moment_give_the_right_answer_or_an_error(
    make_pool, right, loops
):
    pool = make_pool(workers=2)
    chance = random.Random(seed())
    stop = asyncio.Event()
    kills, errors, answers = 0, 0, 0

    async def kill() -> None:
        nonlocal kills
        while not stop.is_set():
            await asyncio.sleep(chance.random() * 0.2)
            for status in pool.workers():
                if chance.random() < 0.5:
                    with suppress(ProcessLookupError):
                        os.kill(status.pid, signal.SIGKILL)
                    kills += 1

    async def ask() -> None:
        nonlocal errors, answers
        for _ in range(10 * loops):
            number = chance.randrange(KEYS)
            try:
                assert await pool.render(job_of(number)) == right[number]
                answers += 1
            except (WorkerDied, EngineProtocol):
                errors += 1

    killer = asyncio.create_task(kill())
    await asyncio.gather(*(ask() for _ in range(4)))
    stop.set()
    await killer
    assert kills > loops
    assert answers > 0
    assert await pool.render(job_of(1)) == right[1]
