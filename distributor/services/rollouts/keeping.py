"""Rollouts: which instances are being carried out right now, and keeping the rest as they should be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice

from distributor import log, metrics
from distributor.errors import DistributorError
from distributor.errors.rollout import StateBroken
from distributor.metrics import cluster_requests
from distributor.model.changes import TargetReport
from distributor.model.drift import Standing
from distributor.model.fleet import Cluster
from distributor.model.ledger import Consented, InstanceState, Key, LedgerState, Step
from distributor.model.promotion import Verdict
from distributor.model.rollout import RolloutPhase, RolloutState, Superseded, TargetStage, Tick
from distributor.rollout import decode, shut_out, start, thawed
from distributor.services.ledger.book import LedgerBook
from distributor.services.ledger.claiming import Claims
from distributor.services.rendering.renderer import Renderer
from distributor.services.rollouts.appearing import Appearing
from distributor.services.rollouts.draining import Drainer, leaving
from distributor.services.rollouts.fights import Fights
from distributor.services.rollouts.glancing import Glanced, glanced
from distributor.services.rollouts.residing import Residences
from distributor.services.rollouts.rolling import Runner, Tools, Windows, owed, target_row
from distributor.services.rollouts.slots import Slots
from distributor.services.rollouts.unmoved import Place, Unmoved, place_of
from distributor.services.rollouts.works import reconcile_desired
from distributor.services.state.desired import Desired, read_desired
from distributor.services.state.journal import Journal
from distributor.services.world import World

_WAITING = frozenset({RolloutPhase.UNVERIFIED, RolloutPhase.PAUSED})
_BATCH = 128
"""Targets that a resync has under way at most, so that memory stays bounded."""
_LINES = 5
"""Objects that one event about drift names at most."""
WakeAt = Callable[[str, datetime, Callable[[], None]], None]


class Rollouts:
    """All runners of this process, one an instance."""

    def __init__(
        self,
        world: World,
        book: LedgerBook,
        renderer: Renderer,
        journal: Journal,
        wake_at: WakeAt,
        *,
        windows: Windows,
    ) -> None:
        self._world = world
        self._book = book
        self._tools = Tools(
            world=world,
            claims=Claims(world, book),
            renderer=renderer,
            journal=journal,
            slots=Slots(world.target_concurrency),
            wake_at=wake_at,
            notify=self._notify,
            windows=windows,
            appearing=Appearing(world),
            fights=Fights(world, journal),
        )
        self._drainer = Drainer(world, book, renderer, journal, self._tools.locks)
        self._runners: dict[Key, Runner] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._reported: dict[tuple[str, str, str], str] = {}  # drift that was told and is there yet
        self.unmoved = Unmoved(world)
        self._residences = Residences(book)
        self._agreed: dict[Key, frozenset[Consented]] = {}
        self._heard = False
        self._leaving: frozenset[tuple[Key, str, int]] = frozenset()
        self._over: set[Key] = set()  # rollouts that have come to their end
        self._shut: set[Key] = set()  # those whose next wave something keeps from opening
        self._begin_at: Place | None = None  # the first target that the last resync left
        self._changed = asyncio.Event()
        self._stopped = False
        self._log = log.get("rollouts")

    def _notify(self, key: Key) -> None:
        """A rollout went on: if it came to its end, those that wait look again."""
        self._changed.set()
        runner = self._runners.get(key)
        shut = runner is not None and shut_out(runner.state) is not None
        (self._shut.add if shut else self._shut.discard)(key)
        over, before = runner is not None and self._over_with(runner), key in self._over
        (self._over.add if over else self._over.discard)(key)
        if over and not before:
            self._look_again()

    def _ended_now(self) -> bool:
        """Whether rollouts came to their end since this was asked last: then those that wait look again."""
        over = {key for key, runner in self._runners.items() if self._over_with(runner)}
        new, self._over = not over <= self._over, over
        if new:
            self._look_again()
        return new

    def _look_again(self) -> None:
        for key in self._shut & self._runners.keys():
            self._runners[key].send(Tick())

    async def follow(self, state: LedgerState) -> None:
        """Start what the ledger accepted and nobody carries out yet; end what was superseded."""
        stored = {(r.environment, r.instance): r for r in await self._world.store.rollouts()}
        new = leaving(state) - self._leaving
        self._leaving, self._heard = leaving(state), self._heard or bool(new)
        for key, instance in state.instances.items():
            if self._stopped:
                return  # in the middle of this look
            desired = instance.desired
            runner = self._runners.get(key)
            if desired is None:
                continue
            gone = any((key, r.cluster, r.number) in new for r in instance.retired)
            if gone and runner is not None:
                await self._end(key)  # it knows the cluster as a target; the resync knows better
                runner = None
            if runner is not None and runner.state.sequence == desired.sequence:
                if shut_out(runner.state) is not None:
                    runner.send(Tick())  # the calendar may say something else now
                runner.heed()
                self._listen(key, instance, runner)
                continue
            if runner is not None:
                await self._end(key, Superseded(sequence=desired.sequence))
            if not owed(instance):
                self._listen(key, instance, None)
                continue
            saved = stored.get(key)
            known = (
                self._known(saved.state) if saved and saved.sequence == desired.sequence else None
            )
            await self._begin(key, desired, known)

    def _listen(self, key: Key, instance: InstanceState, runner: Runner | None) -> None:
        """What a person agreed to in between may be what a target failed for: ask again at once."""
        now = frozenset(instance.consents)
        if now == self._agreed.get(key, frozenset()):
            return
        self._agreed[key] = now
        self._heard |= bool(now)
        if runner is not None and now:
            runner.nudge()

    def stay(self) -> None:
        """From now on, watch targets and let what is fought for rest: for a process that stays."""
        self.unmoved.begin()
        self._tools.fights.begin()

    def heard(self) -> bool:
        """Whether people agreed to something since this was asked last: then all targets are looked at."""
        heard, self._heard = self._heard, False
        return heard

    def _known(self, saved: bytes) -> RolloutState | None:
        """A saved state; its clocks start anew, because nobody worked in between. A broken one is none."""
        try:
            return thawed(decode(saved), self._world.clock.now())
        except StateBroken as error:
            self._log.error("a saved rollout cannot be read and begins anew", error=str(error))
            return None

    async def _begin(self, key: Key, verdict: Verdict, known: RolloutState | None) -> None:
        try:
            desired = read_desired(self._world, self._book, verdict)
        except DistributorError as error:
            await self._tools.journal.tell(
                "rollout", f"cannot start: {error}", environment=key[0], instance=key[1]
            )
            return
        environment = desired.environment
        state = known or start(
            environment=verdict.environment,
            instance=verdict.instance,
            sequence=verdict.sequence,
            strategy=environment.rollout,
            verify=environment.verify,
            targets=tuple(desired.clusters.values()),
            now=self._world.clock.now(),
        )
        runner = self._runners[key] = Runner(self._tools, desired, state)
        self._tasks[key] = asyncio.create_task(self._run(key, runner))

    async def _run(self, key: Key, runner: Runner) -> None:
        try:
            await runner.run()
        except Exception:  # noqa: BLE001 - told and started again, whatever it was
            self._log.exception("a rollout crashed; it starts again at the next look", key=key)
            if self._runners.get(key) is runner:
                del self._runners[key]
            await runner.stop()
        finally:
            self._notify(key)

    async def _end(self, key: Key, superseded: Superseded | None = None) -> None:
        runner, task = self._runners.pop(key), self._tasks.pop(key)
        await runner.stop(superseded)
        await asyncio.gather(task, return_exceptions=True)

    async def stop(self) -> None:
        """End all runners at once, and begin no more."""
        self._stopped = True
        for key in list(self._runners):
            await self._end(key)

    def running(self) -> tuple[RolloutState, ...]:
        """The states of all rollouts that this process carries out or carried out to their end."""
        return tuple(runner.state for runner in self._runners.values())

    async def settled(self) -> None:
        """Wait until every rollout ended, or can only go on when something outside changes."""
        while not all(self._at_rest(r) for r in self._runners.values()) or self._ended_now():
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), 0.25)
            except TimeoutError:
                continue

    def _at_rest(self, runner: Runner) -> bool:
        state = runner.state
        waits = state.phase in _WAITING or _stuck(state) or shut_out(state) is not None
        return self._over_with(runner) or (waits and not runner.busy)

    def _over_with(self, runner: Runner) -> bool:
        """Whether its rollout ended, and the ledger says so."""
        return runner.ended and not owed(self._book.state.instance(*runner.key))

    def nudge(self) -> None:
        """Ask every target that owes its revision now."""
        for runner in self._runners.values():
            runner.nudge()

    async def resync(self, only: Callable[[Verdict, Cluster], bool] | None = None) -> int:
        """Bring every target that no rollout works on back to what is accepted; how many were looked at.

        One of all targets has a budget of requests: what it does not come to is the next one's first.
        """
        if only is not None:
            return await self._look_at(self._pairs(only), lambda: False)
        await self._drainer.drain()
        begun, budget = cluster_requests(), self._world.resync_requests
        rest: list[Place] = []
        count = await self._look_at(
            self._round(), lambda: 0 < budget <= cluster_requests() - begun, rest.append
        )
        self._begin_at = rest[0] if rest else None
        metrics.RESYNC_REQUESTS.set(cluster_requests() - begun)
        metrics.RESYNC_LEFT.set(len(rest))
        return count

    def _round(self) -> Iterator[tuple[Desired, Cluster]]:
        """All targets once, from the first that the last look left on."""
        begin, met = self._begin_at, self._begin_at is None
        for desired, cluster in self._pairs(lambda _verdict, _cluster: True):
            met = met or place_of(desired.verdict, cluster) == begin
            if met:
                yield desired, cluster
        if begin is None:
            return
        for desired, cluster in self._pairs(lambda _verdict, _cluster: True):
            if met and place_of(desired.verdict, cluster) == begin:
                return
            yield desired, cluster

    def _pairs(self, only: Callable[[Verdict, Cluster], bool]) -> Iterator[tuple[Desired, Cluster]]:
        for desired in self._accepted():
            for cluster in desired.clusters.values():
                if only(desired.verdict, cluster):
                    yield desired, cluster

    async def _look_at(
        self,
        pairs: Iterator[tuple[Desired, Cluster]],
        spent: Callable[[], bool],
        leave: Callable[[Place], None] = lambda _place: None,
    ) -> int:
        """Look at targets, some at a time; those that are left once the budget is spent are told."""
        count = 0
        size = _BATCH if not self._world.resync_requests else self._world.target_concurrency
        while batch := list(islice(pairs, size)):
            if spent():
                for desired, cluster in batch:
                    leave(place_of(desired.verdict, cluster))
                continue
            count += len(batch)
            still = await self.unmoved.still([(d.verdict, c) for d, c in batch])
            left = [(d, c) for d, c in batch if place_of(d.verdict, c) not in still]
            seen = await glanced(self._world, self.unmoved, left)
            await asyncio.gather(
                *(self._heal(d, c, seen.get(place_of(d.verdict, c))) for d, c in left)
            )
            await self._residences.record()
        return count

    async def resync_moved(self) -> int:
        """The same for targets alone that a watch saw move, or whose missing kinds may have come."""
        moved = await self.unmoved.moved() | self._tools.fights.due() | await self._asked_again()
        if not moved:
            return 0
        return await self.resync(lambda v, c: place_of(v, c) in moved)

    async def _asked_again(self) -> frozenset[Place]:
        """Targets whose missing kinds may be there now; those that a rollout works on it asks itself."""
        found = await self._tools.appearing.places()
        at_work = {key: r for key, r in self._runners.items() if not r.ended}
        for place in found:
            if place[:2] in at_work:
                at_work[place[:2]].ask(place[2])
        return frozenset(place for place in found if place[:2] not in at_work)

    def _accepted(self) -> Iterator[Desired]:
        for key, instance in tuple(self._book.state.instances.items()):
            runner = self._runners.get(key)
            if (
                instance.desired is None
                or owed(instance)
                or (runner is not None and not runner.ended)
            ):
                continue
            try:
                yield read_desired(self._world, self._book, instance.desired)
            except DistributorError as error:
                self._log.error("what was accepted cannot be read", key=key, error=str(error))

    async def _heal(self, desired: Desired, cluster: Cluster, seen: Glanced | None) -> None:
        """Bring one target back; whatever one of them dies of, the others are looked after."""
        try:
            await self._healed(desired, cluster, seen)
        except Exception:  # noqa: BLE001 - told; the next resync tries again
            self._log.exception("looking after a target crashed", cluster=cluster.name)

    async def _healed(self, desired: Desired, cluster: Cluster, seen: Glanced | None) -> None:
        verdict = desired.verdict
        key = (verdict.environment, verdict.instance)
        await self._tools.renderer.ready(desired.subject, cluster)  # a long render holds no slot
        async with self._tools.slots.of(cluster.name), self._tools.locks.of((*key, cluster.name)):
            state = self._book.state.instance(*key)
            if state.desired is None or state.desired.sequence != verdict.sequence or owed(state):
                return  # superseded while this resync was under way
            mark = seen.mark if seen else await self.unmoved.before(verdict, cluster)
            progress = state.progress.get(verdict.sequence)
            report = await reconcile_desired(
                self._world,
                self._tools.renderer,
                desired,
                cluster,
                started_only=progress is not None and progress.end is Step.FAILED,
                glance=seen.glance if seen else None,
                fights=self._tools.fights,
            )
        self._residences.note(report, verdict)
        self.unmoved.note(report, cluster, mark)
        self._tools.appearing.note(report, cluster)
        kept = self.unmoved.kept(*key, cluster.name)
        try:
            await self._world.store.save_targets([target_row(report, desired, kept)])
        except DistributorError as error:
            self._log.warning("what was seen could not be kept", error=str(error))
        await self._tell_drift(verdict, cluster.name, report)

    async def _tell_drift(self, verdict: Verdict, cluster: str, report: TargetReport) -> None:
        """Drift that was healed, each time; drift that is left, once as long as it is the same."""
        place = (verdict.environment, verdict.instance, cluster)
        changed = sum(o.error is None for o in report.outcomes)
        if changed:
            text = f"{changed} objects brought back: {_shown(report, Standing.HEALED)}"
            await self._tell("healed", text.removesuffix(": "), place)
        before, now = self._reported.pop(place, ""), _shown(report, Standing.LEFT)
        if now:
            self._reported[place] = now
        if now and now != before:
            await self._tell("drift", now, place)

    async def _tell(self, kind: str, text: str, place: Place) -> None:
        environment, instance, cluster = place
        await self._tools.journal.tell(
            kind, text, environment=environment, instance=instance, cluster=cluster
        )


def _shown(report: TargetReport, standing: Standing) -> str:
    lines = [str(drift) for drift in report.drifted if drift.standing is standing]
    more = len(lines) - _LINES
    return "; ".join(lines[:_LINES]) + (f" and {more} more" if more > 0 else "")


def _stuck(state: RolloutState) -> bool:
    """Whether a wave waits for nothing but targets that failed within the budget: they may never heal."""
    stages = {target.stage for target in state.targets.values()}
    return TargetStage.FAILED in stages and TargetStage.RUNNING not in stages
