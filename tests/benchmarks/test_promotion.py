"""A tag's push to the first apply: aims p50 under 300 ms warm and under 800 ms cold, one ledger push."""

from __future__ import annotations

import statistics

import pytest

from tests.benchmarks.promotion import Timing, promotions, stage
from tests.benchmarks.results import Result, largest, medians

pytestmark = pytest.mark.benchmark
COUNT = 24


async def test_a_tags_push_to_the_first_apply(tmp_path):
    result = Result(name="promotion")
    async with stage(tmp_path) as found:
        await promotions(found, ["7.0.0"], warm=True)  # the first one has nothing before it
        for name, warm in (("warm", True), ("cold", False)):
            versions = [f"{8 if warm else 9}.0.{number}" for number in range(COUNT)]
            record(result, name, await promotions(found, versions, warm=warm))
    for name, limit in (("warm", 300), ("cold", 800)):
        parts = {k: v for k, v in result.figures.items() if k.startswith(f"{name}.part.")}
        result.aim(f"{name}.p50_ms", limit, "ms", cause=largest(parts, "ms"))
        result.aim(f"{name}.ledger_pushes", 1, "pushes", cause="more was recorded before the apply")
    result.write()


def record(result: Result, name: str, timings: list[Timing]) -> None:
    applied = sorted(t.applied * 1000 for t in timings)
    result.figures |= {
        f"{name}.p50_ms": statistics.median(applied),
        f"{name}.p90_ms": applied[int(len(applied) * 0.9)],
        f"{name}.min_ms": applied[0],
        f"{name}.engine_renders": statistics.median(t.engine_renders for t in timings),
        f"{name}.ledger_pushes": max(t.ledger_pushes for t in timings),
        f"{name}.promotions": len(timings),
    }
    parts = medians([t.parts() for t in timings])
    result.figures |= {f"{name}.part.{part}_ms": value for part, value in parts.items()}
