"""Warming: what main newly offers is rendered when it is merged, so that its promotion finds it done."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from distributor import log
from distributor.errors import DistributorError
from distributor.model.catalog import Catalog
from distributor.model.refs import ObjectId
from distributor.placement.instances import installations
from distributor.placement.placing import place
from distributor.render import Cells
from distributor.services.rendering.renderer import Renderer, Subject
from distributor.services.state.looking import Snapshot
from distributor.services.world import World

WARMED = "warmed.head"
"""The store's key for the last head of main whose cells were rendered ahead."""
MOST = 512
"""Cells that one merge renders ahead; what is beyond is rendered when it is asked for."""
PAUSE = 0.25
"""Seconds after a merge was seen: what was asked for with it goes first."""


class Warmer:
    """Renders ahead in the background: one cell at a time, so that a promotion waits for none of them.

    Nothing depends on it. What does not render is left for the request's own gate to tell.
    """

    def __init__(self, world: World, renderer: Renderer, *, most: int = MOST) -> None:
        self._world = world
        self._most = most
        self._renderer = renderer
        self.done: ObjectId | None = None  # the last head of main that is warm
        self._head: ObjectId | None = None
        self._task: asyncio.Task[None] | None = None
        self._log = log.get("warmer")

    def follow(self, snapshot: Snapshot) -> None:
        """Start on a head of main that was not warmed yet, in place of an older one."""
        if snapshot.main == self._head:
            return
        self._head = snapshot.main
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.create_task(self._warm(snapshot))

    async def stop(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _warm(self, snapshot: Snapshot) -> None:
        try:
            await self._world.clock.sleep(PAUSE)
            before = await self._before()
            done = 0
            for subject in _news(before, snapshot.catalog) if before else ():
                done += await self._subject(subject, self._most - done)
                if done >= self._most:
                    break
            await self._world.store.set(WARMED, snapshot.main)
            self.done = snapshot.main
        except Exception:  # noqa: BLE001 - told; a cell that is not warm is rendered when it is asked for
            self._log.exception("rendering ahead ended early")
            return
        self._log.debug("rendered ahead", cells=done, main=snapshot.main)

    async def _before(self) -> Catalog | None:
        """The catalog that was warmed last; ``None`` where that is not known, as in a new state folder.

        Then nothing counts as news: no fleet is rendered because a service was started.
        """
        head = await self._world.store.get(WARMED)
        if not head:
            return None
        try:
            return self._world.loader.load(self._world.objects.tree_of(ObjectId(head)))
        except DistributorError:
            return None  # a rewritten main: its old trees may be gone

    async def _subject(self, subject: Subject, most: int) -> int:
        """Render each cell of one package in one environment; how many there were."""
        await asyncio.sleep(0)
        try:
            made = Cells(subject.catalog, subject.package, subject.installation, subject.files)
        except DistributorError:
            return 0
        seen: set[str] = set()
        for target in place(subject.package, subject.installation, subject.files).targets:
            with contextlib.suppress(DistributorError):
                cell = made.of(target.cluster)
                if cell.digest not in seen and len(seen) < most:
                    seen.add(cell.digest)
                    done = await self._renderer.render(subject, {target.name: target.cluster})
                    if done.failures:
                        break  # what is wrong with one cell mostly is with all; nobody asked for them
        return len(seen)


def _news(before: Catalog, now: Catalog) -> Iterator[Subject]:
    """Each instance with each package version that is new or changed, the newest versions first."""
    for environment, files in now.environments.items():
        same = before.tiers == now.tiers and _shared(before, environment) == _shared(
            now, environment
        )
        known = installations(before, environment) if same else {}
        for installation in installations(now, environment).values():
            app = installation.app
            kept = known.get(installation.instance) == installation
            versions = now.packages.get(app, {}).values()
            for package in sorted(versions, key=lambda p: p.version, reverse=True):
                if not kept or before.package(app, str(package.version)) != package:
                    yield Subject(
                        catalog=now, package=package, installation=installation, files=files
                    )


def _shared(catalog: Catalog, name: str) -> object:
    files = catalog.environments.get(name)
    if files is None:
        return None
    cells = {(c.tier, c.kubernetes) for c in files.clusters.values()}
    return files.environment.defaults, files.environment.registry, files.overlay, cells
