"""Hostile packages: each ends in a coded error within its limits, and a good package does not notice."""

from __future__ import annotations

import asyncio
import re
import statistics
import tarfile
import time
from dataclasses import replace

import orjson
import pytest

from distributor.adapters.engine import EnginePool
from distributor.errors import DistributorError
from tests.integration.engine.attacks import (
    ATTACKS,
    CHART,
    OBJECT,
    SUBCHART,
    Attack,
    archive,
    chart,
    kust,
    raw,
    says,
)

DEADLINE = 2.0
MIB = 1 << 20
MEMORY = 900 * MIB
"""The bound of a worker, with the program's own text."""
GOOD = replace(raw(OBJECT), package="good")


async def speed(pool: EnginePool) -> float:
    """Seconds of one render of the good package."""
    start = time.perf_counter()
    assert orjson.loads((await pool.render(GOOD))[0])["kind"] == "ConfigMap"
    return time.perf_counter() - start


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_ends_coded_and_costs_nobody_else(make_pool, name):
    attack: Attack = ATTACKS[name]
    pool = make_pool(workers=2, deadline=DEADLINE)
    alone = statistics.median([await speed(pool) for _ in range(10)])
    start = time.perf_counter()
    bad = asyncio.create_task(pool.render(attack.job))
    beside, largest = [], 0
    while not bad.done():
        beside.append(await speed(pool))
        largest = max([largest, *(status.resident for status in pool.workers())])
        await asyncio.sleep(0.002)
    with pytest.raises(DistributorError) as found:
        await bad
    error = found.value
    assert re.fullmatch(attack.code, error.code), f"{error}"
    assert not error.retryable
    assert error.hint
    assert len(str(error)) < 5000
    assert time.perf_counter() - start < 5 * DEADLINE
    assert largest < MEMORY
    if len(beside) > 10:
        # Worlds apart from waiting: the machine's own noise is all that may lie between the two.
        assert statistics.median(beside) < 20 * alone + 0.05
        assert max(beside) < DEADLINE / 2
    assert await speed(pool) < DEADLINE, "and afterwards all is as before"


async def test_six_attacks_at_once_on_two_workers(make_pool):
    pool = make_pool(workers=2, deadline=2 * DEADLINE)
    alone = statistics.median([await speed(pool) for _ in range(10)])
    job = ATTACKS["a loop without end"].job
    bad = [asyncio.create_task(pool.render(job)) for _ in range(6)]
    await asyncio.sleep(0.1)
    beside = [await speed(pool) for _ in range(100)]
    assert not any(task.done() for task in bad)
    assert statistics.median(beside) < 20 * alone + 0.05
    assert max(beside) < DEADLINE
    for task in bad:
        task.cancel()
    await asyncio.gather(*bad, return_exceptions=True)


LINK = archive(
    ("s/Chart.yaml", SUBCHART, tarfile.REGTYPE, ""),
    ("s/x", b"", tarfile.SYMTYPE, "/etc/passwd"),
    ("s/y", b"", tarfile.LNKTYPE, "/etc/passwd"),
    (
        "s/templates/a.yaml",
        says('.Files.Get "x" | quote') + "y: {{ .Files.Get `y` | quote }}\n",
        tarfile.REGTYPE,
        "",
    ),
)


@pytest.mark.parametrize(
    ("job", "found"),
    [
        (chart(says('.Files.Get "../../etc/passwd" | quote')), ""),
        (chart(says('.Files.Get "/etc/passwd" | quote')), ""),
        (chart(says('(.Files.Glob "/etc/*") | len | quote')), "0"),
        (chart(says('(lookup "v1" "Secret" "" "") | len | quote')), "0"),
        (kust("configMapGenerator: [{name: a, envs: [e]}]\n", {"k/e": "x=\nHOME\nPATH\n"}), ""),
        (chart("", files={"c/charts/s.tgz": LINK, "c/Chart.yaml": CHART}), ""),
    ],
    ids=["climbing file", "file from the root", "glob", "cluster", "environment", "links"],
)
async def test_what_lies_outside_is_not_there(pool, job, found):
    (body,) = await pool.render(job)
    assert orjson.loads(body)["data"]["x"] == found
    assert b"root:" not in body
