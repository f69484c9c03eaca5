"""One promotion over all clusters of a large environment, decided by a service, part by part."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from distributor import log
from distributor.app import open_service
from distributor.cli.playground import PEOPLE
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.founding import found_ledger
from distributor.services.promotion.requesting import Ask, make_request
from distributor.services.service import Service
from tests.benchmarks import estate, fleet

P = ParamSpec("P")
T = TypeVar("T")
ENVIRONMENT = "sit"
SECONDS = 120.0
VERSIONS = (fleet.VERSION, "1.1.0")
"""The first has nothing before it; the second is compared with the first on every cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Seconds of one decision, and processor seconds of this process, both without rendering and the push.

    Where it took more than one try, a part of it was done behind the tries before the last.
    """

    seconds: float
    cpu: float
    render: float
    push: float
    targets: int
    tries: int


class Timer:
    """Adds up what calls took, in seconds and processor seconds."""

    def __init__(self) -> None:
        self.seconds = self.cpu = 0.0

    def timed(self, work: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """The same, with its time added."""

        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            began, used = time.perf_counter(), time.process_time()
            try:
                return await work(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - began
                self.cpu += time.process_time() - used

        return call


@asynccontextmanager
async def service_of(root: Path, clusters: int, apps: int) -> AsyncIterator[Service]:
    """A service over apps of two versions each, and so many clusters of one environment."""
    log.configure("error", "json")
    files = fleet.files(fleet.Size(clusters=clusters, apps=apps, environments=(ENVIRONMENT,)))
    for number in range(apps):
        files = fleet.released(files, fleet.app_name(number), VERSIONS[1])
    place = estate.playground(root / "play", files)
    async with open_service(estate.settings(place), writing=True) as service:
        await found_ledger(service.world)
        try:
            yield service
        finally:
            await service.stop()


async def decision(service: Service, app: str, version: str) -> Decision:
    """Ask for a version, render it ahead, and decide; raises ``AssertionError`` unless it is accepted."""
    ask = Ask(verb=Verb.PROMOTE, environment=ENVIRONMENT, instance=app, version=version)
    snapshot = await service.look()
    asked = await make_request(service.world, snapshot, ask, tagger=PEOPLE["sre"], signer=None)
    name, tag = asked.ref, asked.tag
    snapshot = await service.look()
    timers = rendering, pushing, whole = Timer(), Timer(), Timer()
    case = service.gatherer.case(snapshot, service.gatherer.observe(name, tag))
    await service.gatherer.rendered(case)  # as the warmer does when main moves
    parts: tuple[tuple[Any, str, Timer], ...] = (
        (service.renderer, "render", rendering),
        (service.world.remote, "push", pushing),
    )
    kept = [(owner, attribute, getattr(owner, attribute)) for owner, attribute, _ in parts]
    for owner, attribute, timer in parts:
        setattr(owner, attribute, timer.timed(getattr(owner, attribute)))
    tries = 1
    try:
        async with asyncio.timeout(SECONDS):
            while not await whole.timed(service.decider.decide)(snapshot, name, tag):
                tries += 1
                await asyncio.sleep(0.1)  # on a busy machine it may not be found in time: once more
                for timer in timers:
                    timer.seconds = timer.cpu = 0.0
    finally:
        for owner, attribute, work in kept:
            setattr(owner, attribute, work)
    verdict = service.book.state.instance(ENVIRONMENT, app).last_verdicts[name]
    assert verdict.outcome is VerdictOutcome.ACCEPTED, verdict.reasons()
    return Decision(
        seconds=whole.seconds - rendering.seconds - pushing.seconds,
        cpu=whole.cpu - rendering.cpu - pushing.cpu,
        render=rendering.seconds,
        push=pushing.seconds,
        targets=len(verdict.targets),
        tries=tries,
    )
