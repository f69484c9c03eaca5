"""Resident memory of the service: aims 160 MiB at rest, 400 with 100,000 targets, 96 each render worker."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.benchmarks import estate, fleet
from tests.benchmarks.process import Served, served
from tests.benchmarks.results import Result

pytestmark = pytest.mark.benchmark
SIZE = fleet.Size()
SETTLE_SECONDS = 240.0
LISTS = ("/api/v1/installations", "/api/v1/targets", "/api/v1/clusters", "/api/v1/packages")


def test_resident_memory(tmp_path):
    result = Result(name="memory")
    place = estate.sample(tmp_path / "rest")
    asyncio.run(estate.found(place))
    measure(result, "rest", place.root)
    place = estate.playground(tmp_path / "fleet", fleet.files(SIZE))
    result.figures["fleet.targets"] = asyncio.run(estate.accept_everything(place))
    measure(result, "fleet", place.root)
    for name, limit in (("rest", 160), ("fleet", 400)):
        peak = result.figures[f"{name}.peak_mib"]
        cause = f"its peak was {peak:.0f} MiB; see the notes for what it did"
        result.aim(f"{name}.resident_mib", limit, "MiB", cause=cause)
    workers = [v for k, v in result.figures.items() if ".worker" in k]
    result.figures["worker.largest_mib"] = max(workers)
    result.aim("worker.largest_mib", 96, "MiB", cause="a worker grows with the largest render")
    result.write()


def measure(result: Result, name: str, folder: Path) -> None:
    """Serve, let it come to rest, read the API as a person would, and look at what is resident."""
    with served(folder) as service:
        service.ready()
        quiet = service.quiet(SETTLE_SECONDS)
        result.figures[f"{name}.first_mib"] = service.memory().now
        seen = {path: service.walk(path) for path in LISTS}
        service.quiet(10)
        _record(result, name, service)
        result.figures |= {
            f"{name}.{path.rpartition('/')[2]}_read": count for path, count in seen.items()
        }
    if not quiet:
        result.notes.append(f"{name}: it was still checking targets after {SETTLE_SECONDS:g} s")


def _record(result: Result, name: str, service: Served) -> None:
    found = service.memory()
    result.figures[f"{name}.resident_mib"] = found.now
    result.figures[f"{name}.peak_mib"] = found.peak
    for number, worker in enumerate(service.workers(), start=1):
        result.figures[f"{name}.worker_{number}_mib"] = worker.now
