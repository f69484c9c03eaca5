"""One promotion decided over 2,000 clusters: aim under 500 ms without render."""

from __future__ import annotations

import statistics

import pytest

from tests.benchmarks.choosing import VERSIONS, decision, service_of
from tests.benchmarks.results import Result

pytestmark = pytest.mark.benchmark
CLUSTERS = 2_000
APPS = 4


async def test_a_decision_over_2000_clusters(tmp_path):
    result = Result(name="decide", notes=["without rendering and without the ledger's push"])
    result.figures["clusters"] = CLUSTERS
    async with service_of(tmp_path, CLUSTERS, APPS) as service:
        for name, version in zip(("first", "next"), VERSIONS, strict=True):
            found = [await decision(service, f"app-{n:03}", version) for n in range(APPS)]
            assert {d.targets for d in found} == {CLUSTERS}
            result.figures |= {
                f"{name}.decide_ms": statistics.median(d.seconds for d in found) * 1000,
                f"{name}.decide_cpu_ms": statistics.median(d.cpu for d in found) * 1000,
                f"{name}.render_ms": statistics.median(d.render for d in found) * 1000,
                f"{name}.tries": max(d.tries for d in found),
                f"{name}.push_ms": statistics.median(d.push for d in found) * 1000,
            }
    for name in ("first", "next"):
        cause = "what is read, checked, pinned and recorded for each cluster"
        result.aim(f"{name}.decide_ms", 500, "ms", cause=cause)
    result.write()
