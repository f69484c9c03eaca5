"""The time from the push of a tag to the first file in a target's folder, on the running service."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from distributor import log, metrics
from distributor.app import open_service
from distributor.cli.playground import PEOPLE, Playground, create_playground
from distributor.model.tags import Verb
from distributor.services.asking.founding import found_ledger
from distributor.services.promotion.requesting import Ask, make_request
from distributor.services.service import Service
from distributor.settings import load

TAKEN_FROM = "1.4.2"
ENVIRONMENT, APP = "sit", "shop"
SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One promotion: seconds from the start of the tag's push, and what came before the first file."""

    pushed: float  # the tag's push itself, which is the person's
    fetched: float
    recorded: float  # the verdict is in the shared ledger
    applied: float
    ledger_pushes: int
    engine_renders: int

    def parts(self) -> dict[str, float]:
        """Milliseconds of each part of the way, in order."""
        ends = (self.pushed, self.fetched, self.recorded, self.applied)
        names = ("push", "fetch", "decide_and_record", "render_and_apply")
        starts = (0.0, *ends)
        return {
            name: (end - start) * 1000
            for name, start, end in zip(names, starts, ends, strict=False)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A running service over a playground, and a person beside it with a mirror of their own."""

    place: Playground
    service: Service
    person: Service

    async def release(self, version: str, *, warm: bool) -> None:
        """Merge a new version to main; a warm one is looked at and rendered ahead before it is asked for."""
        await asyncio.to_thread(add_version, self.place, version)
        if warm:
            head = await asyncio.to_thread(self._head)
            self.service.hint()
            await until(lambda: self._warmed() == head)

    def _head(self) -> str:
        return (self.place.remote / "refs" / "heads" / "main").read_text().strip()

    def _warmed(self) -> str:
        return self.service.warmer.done or ""

    async def promote(self, version: str) -> Timing:
        """Push the tag, say so to the service, and wait for the first file and then for the end."""
        snapshot = await self.person.look()
        ask = Ask(verb=Verb.PROMOTE, environment=ENVIRONMENT, instance=APP, version=version)
        folders = [
            f
            for f in self.place.cluster_folders()
            if f.parent.name == ENVIRONMENT and ("central" in f.name or "slim" in f.name)
        ]
        watch = Watch(folders)
        began = time.perf_counter()
        await make_request(self.person.world, snapshot, ask, tagger=PEOPLE["sre"], signer=None)
        pushed = time.perf_counter() - began
        self.service.hint()
        try:
            await asyncio.to_thread(watch.wait, SECONDS)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self._reasons()}") from error
        await until(lambda: self._verified(version))
        return watch.timing(began, pushed)

    def _reasons(self) -> str:
        verdicts = self.service.book.state.instance(ENVIRONMENT, APP).last_verdicts.values()
        return "; ".join(reason for verdict in verdicts for reason in verdict.reasons())

    def _verified(self, version: str) -> bool:
        state = self.service.book.state.instance(ENVIRONMENT, APP)
        desired = state.desired
        if desired is None or desired.revision is None or desired.revision.version != version:
            return False
        progress = state.progress.get(desired.sequence)
        return progress is not None and progress.verified_at is not None


async def until(true: Callable[[], bool]) -> None:
    """Look every few milliseconds; raises ``TimeoutError``."""
    async with asyncio.timeout(SECONDS):
        while not true():
            await asyncio.sleep(0.01)


class Watch:
    """Sees the first manifest that is written into one of some folders, from a thread of its own."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self._before = self._seen()
        self._counts = counts()
        self._at: dict[str, float] = {}
        self._rose: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait for the file; raises ``TimeoutError``."""
        self._thread.join(seconds)
        self._stop.set()
        if "file" not in self._at:
            msg = f"no file within {seconds:g} s"
            raise TimeoutError(msg)

    def timing(self, began: float, pushed: float) -> Timing:
        """What was seen, from when the push began."""
        return Timing(
            pushed=pushed,
            fetched=self._at["looks"] - began,
            recorded=self._at["pushes"] - began,
            applied=self._at["file"] - began,
            ledger_pushes=self._rose["pushes"],
            engine_renders=self._rose["renders"],
        )

    def _look(self) -> None:
        while not self._stop.is_set():
            found = bool(self._seen() - self._before)
            self._rose = {name: int(n - self._counts[name]) for name, n in counts().items()}
            for name, risen in (self._rose | {"file": found}).items():
                if risen:
                    self._at.setdefault(name, time.perf_counter())
            if found:
                return
            time.sleep(0.001)

    def _seen(self) -> frozenset[tuple[str, int, int]]:
        return frozenset(
            (str(path), stat.st_ino, stat.st_mtime_ns)
            for folder in self._folders
            for path in folder.glob("*.yaml")
            if (stat := _stat(path)) is not None
        )


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


COUNTED = {
    "looks": ("distributor_looks_total", {"result": "done"}),
    "pushes": ("distributor_ledger_pushes_total", {"result": "done"}),
    "renders": ("distributor_renders_total", {"source": "engine"}),
}


def counts() -> dict[str, float]:
    """This process' own counters: looks at the remote, pushes of the ledger, renders by the engine."""
    read = metrics.REGISTRY.get_sample_value
    return {name: read(*what) or 0.0 for name, what in COUNTED.items()}


def add_version(place: Playground, version: str) -> None:
    """Commit and push a new version of the app that differs from the one it is taken from in one value."""
    folder = place.catalog / "catalog" / APP / version
    shutil.copytree(folder.parent / TAKEN_FROM, folder)
    for name, old, new in (
        ("package.yaml", f"version: {TAKEN_FROM}", f"version: {version}"),
        ("base/appearance.yaml", "You are served", f"Release {version}, and you are served"),
    ):
        path = folder / name
        text = path.read_text("utf-8")
        if old not in text:
            msg = f"the sample's {path.name} has no {old!r} any more"
            raise ValueError(msg)
        path.write_text(text.replace(old, new, 1), "utf-8")
    place.commit(f"{APP} {version}", datetime.now(UTC))


@asynccontextmanager
async def stage(root: Path) -> AsyncIterator[Stage]:
    """A playground with a founded ledger and a service that runs until the end."""
    log.configure("error", "json")
    place = await asyncio.to_thread(create_playground, root / "play", datetime.now(UTC))
    settings = replace(load({}, {}, place.root).settings, poll=3600.0, resync=3600.0)
    beside = replace(settings, state_dir=str(root / "person"))
    async with (
        open_service(settings, writing=True) as service,
        open_service(beside, writing=False) as person,
    ):
        await found_ledger(service.world)
        running = asyncio.create_task(service.run(poll=settings.poll, resync=settings.resync))
        try:
            yield Stage(place=place, service=service, person=person)
        finally:
            await service.stop()
            await running


async def promotions(found: Stage, versions: Iterable[str], *, warm: bool) -> list[Timing]:
    """Release and promote versions, one after the other."""
    timings = []
    for version in versions:
        await found.release(version, warm=warm)
        timings.append(await found.promote(version))
    return timings
