"""A service in a process of its own, told what to do line by line: its memory and processor are nobody else's.

`python -m tests.benchmarks.hosting FOLDER` answers each command on standard input with a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from distributor import log, metrics
from distributor.app import open_service
from distributor.services.service import Service
from distributor.settings import load
from tests.benchmarks.process import memory, processor_seconds

FOREVER = 86_400.0
LOOK = 0.005
RARELY = 0.05
"""Seconds between looks while many apps are installed: the service's processor is not ours to use."""
WRITES = frozenset({"patch", "post", "put", "delete"})


class Host:
    """One running service, and what is asked of it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def installed(self, apps: str, objects: str) -> dict[str, float]:
        """Wait until every object was applied, and until every rollout is in the ledger as verified."""
        await _until(lambda: requests("patch") >= float(objects), RARELY)
        applied = time.perf_counter()
        await _until(lambda: self._verified() >= int(apps), RARELY)
        await self._quiet()
        return {"applied_at": applied, "verified_at": time.perf_counter()}

    async def patched(self, count: str) -> dict[str, float]:
        """Look, and wait for so many objects to be applied in all."""
        self._service.hint()
        await _until(lambda: requests("patch") >= float(count))
        applied = time.perf_counter()
        await self._quiet()
        return {"applied_at": applied}

    async def followed(self, commit: str) -> dict[str, float]:
        """Look until a commit of main is the one to go by, then look at every target."""
        self._service.hint()
        await _until(lambda: self._main() == commit)
        looked = await self._service.rollouts.resync()
        return {"done_at": time.perf_counter(), "targets": looked}

    async def warmed(self, commit: str) -> dict[str, float]:
        """Look until what a commit of main brings is rendered ahead."""
        self._service.hint()
        await _until(lambda: self._service.warmer.done == commit)
        return {}

    async def started(self) -> dict[str, float]:
        """Wait for the look at every target that comes with a start; what it asked for."""
        await _until(lambda: self._service.snapshot is not None)
        await self._quiet()
        asked = metrics.REGISTRY.get_sample_value("distributor_resync_requests") or 0.0
        return {"requests": asked}

    async def resynced(self) -> dict[str, float]:
        """Look at every target, and tidy up, as the service does both by its timer."""
        began = time.perf_counter()
        looked = await self._service.rollouts.resync()
        ended = time.perf_counter()
        await self._service.world.remote.tidy()
        return {"seconds": ended - began, "targets": looked}

    async def counted(self) -> dict[str, float]:
        """What was used so far."""
        found = {f"requests.{method}": count for method, count in by_method().items()}
        children = _children()
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return found | {
            "at": time.perf_counter(),
            "requests": metrics.cluster_requests(),
            "writes": sum(n for method, n in by_method().items() if method in WRITES),
            "cpu": time.process_time(),
            "helpers_cpu": sum(map(processor_seconds, children)) + ended.ru_utime + ended.ru_stime,
            "peak_mib": memory(os.getpid()).peak,
            "workers_mib": sum(memory(pid).peak for pid in children),
            "pushes": metrics.REGISTRY.get_sample_value(
                "distributor_ledger_pushes_total", {"result": "done"}
            )
            or 0.0,
        }

    def _verified(self) -> int:
        states = self._service.book.state.instances.values()
        return sum(
            desired is not None
            and (progress := state.progress.get(desired.sequence)) is not None
            and progress.verified_at is not None
            for state in states
            for desired in (state.desired,)
        )

    def _main(self) -> str:
        snapshot = self._service.snapshot
        return snapshot.main if snapshot is not None else ""

    async def _quiet(self) -> None:
        """Until nothing is asked of the cluster any more."""
        await self._service.rollouts.settled()
        before = -1.0
        while before != metrics.cluster_requests():
            before = metrics.cluster_requests()
            await asyncio.sleep(1)


async def _until(true: Callable[[], bool], look: float = LOOK) -> None:
    while not true():
        await asyncio.sleep(look)


def by_method() -> dict[str, float]:
    """Requests to API servers by verb."""
    found: dict[str, float] = {}
    for family in metrics.CLUSTER_REQUESTS.collect():
        for sample in family.samples:
            if sample.name.endswith("_total"):
                method = sample.labels["method"]
                found[method] = found.get(method, 0.0) + sample.value
    return found


def requests(method: str) -> float:
    return by_method().get(method, 0.0)


def _children() -> list[int]:
    """The processes that it started and that run: render workers."""
    own = os.getpid()
    found: list[int] = []
    with suppress(FileNotFoundError):
        text = Path(f"/proc/{own}/task/{own}/children").read_text("ascii")
        found = [pid for pid in map(int, text.split()) if Path(f"/proc/{pid}/stat").exists()]
    return found


async def main(folder: Path) -> None:
    """Serve the settings of a folder until standard input ends."""
    log.configure("error", "json")
    settings = replace(load({}, {}, folder).settings, poll=FOREVER, resync=FOREVER)
    async with open_service(settings, writing=True) as service:
        host = Host(service)
        _say({"began_at": time.perf_counter()})
        running = asyncio.create_task(service.run(poll=settings.poll, resync=settings.resync))
        while line := await asyncio.to_thread(sys.stdin.readline):
            name, *arguments = line.split()
            _say(await getattr(host, name)(*arguments))
        await service.stop()
        await running


def _say(value: dict[str, float]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
