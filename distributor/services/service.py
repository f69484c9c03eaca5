"""The service: looks, decides and rolls out, whenever something wakes it. ``serve`` and ``sync`` run it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable
from datetime import datetime

from distributor import log, metrics
from distributor.errors import DistributorError
from distributor.errors.git import RemoteUnreachable
from distributor.errors.service import Crashed
from distributor.model.fleet import Cluster
from distributor.model.promotion import Verdict
from distributor.ports import Timers
from distributor.services.ledger.book import LedgerBook
from distributor.services.promotion.automating import Automat
from distributor.services.promotion.deciding import Decider
from distributor.services.promotion.gathering import Gatherer
from distributor.services.promotion.handing import Handing
from distributor.services.promotion.preparing import Preparing
from distributor.services.promotion.warming import Warmer
from distributor.services.promotion.windows import WaveWindows
from distributor.services.rendering.renderer import Renderer
from distributor.services.rollouts.joining import Joiner
from distributor.services.rollouts.keeping import Rollouts
from distributor.services.state.journal import Journal
from distributor.services.state.looking import Snapshot, look
from distributor.services.world import World

_MOVED = 5.0
"""Seconds between looks at what watches saw; no request is made for what did not move."""
_LOOK = 5.0
"""Seconds between two looks for what is newer while a single sync waits."""
_GARBAGE = (5_000, 10, 10)
"""When the garbage collector looks: what a process that stays holds are values, and few of them form circles."""


class Service:
    """One process' services over one repository. A hint only says *look*; it carries no state."""

    def __init__(self, world: World, timers: Timers) -> None:
        self.world = world
        self.book = LedgerBook(world)
        self.renderer = Renderer(world)
        self.journal = Journal(world)
        self.gatherer = Gatherer(world, self.book, self.renderer)
        self.preparing = Preparing(self.gatherer, self.hint)
        self.decider = Decider(world, self.book, self.gatherer, self.preparing, self.journal)
        self.handing = Handing(world, self.book, self.decider, self.preparing, self.journal)
        self.automat = Automat(world, self.book, self.gatherer)
        self.joiner = Joiner(world, self.book, self.renderer, self.journal, self.hint)
        windows = WaveWindows(world, self.book, lambda: self.snapshot)
        self.rollouts = Rollouts(
            world, self.book, self.renderer, self.journal, timers.at, windows=windows
        )
        self.warmer = Warmer(world, self.renderer)
        self.snapshot: Snapshot | None = None
        self.trouble: DistributorError | None = None
        self.offline: DistributorError | None = None
        self._timers = timers
        self._wake = asyncio.Event()
        self._resync_due = True
        self._resyncing: asyncio.Task[None] | None = None
        self._moving: asyncio.Task[None] | None = None
        self._asked = 0  # requests that the last pass made by itself
        self._stopping = False
        self._log = log.get("service")

    def hint(self) -> None:
        """Look soon."""
        self._wake.set()

    async def look(self, *, fetch: bool = True) -> Snapshot:
        """Fetch and read, changing nothing. An unreachable remote leaves what was fetched before."""
        self.offline = None
        if fetch:
            try:
                await self.world.remote.fetch()
                await self.handing.bring()
                metrics.LOOKS.labels("done").inc()
            except RemoteUnreachable as error:
                metrics.LOOKS.labels("unreachable").inc()
                self.offline = error
        self.snapshot = await look(self.world, self.book)
        return self.snapshot

    async def once(self, *, fetch: bool = True) -> Snapshot:
        """One pass: look, decide every open tag that renders soon, start what was accepted."""
        try:
            snapshot = await self.look(fetch=fetch)
            if self.offline is None:
                await self.decider.decide_all(snapshot)
                self._asked = await self.automat.ask(snapshot)
                self._ask_again()
                await self.rollouts.follow(self.book.state)
                self._resync_due |= bool(await self.joiner.join_all(snapshot))
            else:
                await self.handing.decide(snapshot)
            await self.rollouts.follow(self.book.state)
            self._resync_due |= self.rollouts.heard()
        except DistributorError as error:
            self.trouble = error
            metrics.STOPPED.set(1)
            raise
        self.trouble = None
        metrics.STOPPED.set(0)
        return snapshot

    def _ask_again(self) -> None:
        """Look when the first request that waits for a time may be let in; the timer decides nothing."""
        times = [at for at in (self.decider.pending.ask_at, self.automat.ask_at) if at is not None]
        if times:
            self._timers.at("pending requests", min(times), self.hint)
        if self._asked:
            self.hint()

    async def decided(self) -> Snapshot:
        """Passes until every open tag is decided and every newcomer looked at, however long they render."""
        snapshot = await self.once()
        while self.preparing.busy or ((self.joiner.busy or self._asked) and self.offline is None):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 1)
            self._wake.clear()
            snapshot = await self.once(fetch=bool(self._asked) or self.offline is not None)
        return snapshot

    async def sync(self, only: Callable[[Verdict, Cluster], bool] | None = None) -> Snapshot:
        """Reconcile now: decide, roll out until nothing more can be done, then check every target."""
        while True:
            snapshot = await self.decided()
            self.rollouts.nudge()
            await self._settle()
            if not await self.automat.ask(snapshot):  # what was verified just now may go on
                break
        await self.rollouts.resync(only)
        return snapshot

    async def _settle(self) -> None:
        """Wait for the rollouts, and look for what is newer in between: that takes over at once."""
        while True:
            try:
                async with asyncio.timeout(_LOOK):
                    return await self.rollouts.settled()
            except TimeoutError:
                with contextlib.suppress(DistributorError):  # noted as trouble; what runs goes on
                    await self.decided()

    async def run(self, *, poll: float, resync: float) -> None:
        """Serve until ``stop``. Trouble stops decisions, is told, and is looked at again later."""
        gc.set_threshold(*_GARBAGE)
        self._timers.every("poll", poll, self.hint)
        self._timers.every("resync", resync, self._want_resync)
        self.rollouts.stay()
        self._timers.every("moved", min(_MOVED, resync), self._look_at_moved)
        self.hint()
        while not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            if not self._stopping:
                await self._pass()

    async def _pass(self) -> None:
        before = str(self.trouble or self.offline or "")
        try:
            self.warmer.follow(await self.once())
        except DistributorError as error:
            if str(error) != before:
                await self.journal.tell("stopped", f"decisions stopped: {error}")
        except Exception as error:  # noqa: BLE001 - told; the next pass starts from Git
            self._log.exception("a pass crashed; the next one starts from what Git says")
            self.trouble = Crashed(f"({type(error).__name__})")
            metrics.STOPPED.set(1)
            await self.journal.tell("crash", f"{type(error).__name__}: {error}")
        else:
            if self.offline is not None and str(self.offline) != before:
                await self.journal.tell("offline", str(self.offline))
        self._start_resync()

    def _want_resync(self) -> None:
        self._resync_due = True
        self.hint()

    def _start_resync(self) -> None:
        busy = self._resyncing is not None and not self._resyncing.done()
        if not self._resync_due or busy or self.snapshot is None:
            return
        self._resync_due = False
        self._resyncing = asyncio.create_task(self._resync())

    async def _resync(self) -> None:
        try:
            await self.rollouts.resync()
            await self.world.remote.tidy()
        except Exception:  # noqa: BLE001 - told; the next one starts anew
            self._log.exception("a resync crashed; the next one starts anew")

    def _look_at_moved(self) -> None:
        """Look at what watches saw move, unless a resync looks at everything anyway."""
        busy = any(t is not None and not t.done() for t in (self._resyncing, self._moving))
        if not busy and not self._stopping and self.snapshot is not None:
            self._moving = asyncio.create_task(self._moved())

    async def _moved(self) -> None:
        try:
            await self.rollouts.resync_moved()
        except Exception:  # noqa: BLE001 - told; the next look starts anew
            self._log.exception("a look at what moved crashed; the next one starts anew")

    async def stop(self) -> None:
        """Stop at once: every step is safe to cut off, and what is left goes on after the next start."""
        self._stopping = True
        self._timers.stop()
        self._wake.set()
        for task in (self._resyncing, self._moving):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await self.preparing.stop()
        await self.joiner.stop()
        await self.warmer.stop()
        await self.rollouts.stop()
        await self.book.settle()

    def now(self) -> datetime:
        """The time now."""
        return self.world.clock.now()
