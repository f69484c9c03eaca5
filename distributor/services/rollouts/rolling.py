"""Rolling out: one runner for each instance that has an accepted revision to carry out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

import orjson

from distributor import log
from distributor.errors import DistributorError
from distributor.ledger import agreed, switches
from distributor.model.changes import TargetReport
from distributor.model.ledger import InstanceState, Key
from distributor.model.rollout import (
    Command,
    Event,
    Reconcile,
    RolloutPhase,
    RolloutState,
    Superseded,
    Switched,
    TargetSeen,
    TargetStage,
    Tick,
    WakeAt,
    WavesShut,
)
from distributor.model.stored import StoredRollout, StoredTarget
from distributor.plan import as_kept
from distributor.rollout import advance_all, encode, resume, same_progress, thawed, waits, wanted
from distributor.services.ledger.agreeing import kept_questions
from distributor.services.ledger.claiming import Claims
from distributor.services.ledger.recording import owed_records
from distributor.services.rendering.renderer import Renderer
from distributor.services.rollouts.appearing import Appearing
from distributor.services.rollouts.fights import Fights
from distributor.services.rollouts.slots import Slots, TargetLocks, apart
from distributor.services.rollouts.works import health_of, message_of, reconcile_desired, seen
from distributor.services.state.desired import Desired
from distributor.services.state.journal import Journal
from distributor.services.world import World

ENDED = frozenset({RolloutPhase.VERIFIED, RolloutPhase.REPLACED, RolloutPhase.HALTED})
"""Phases in which a rollout asks for nothing by itself."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_WAITING = frozenset({TargetStage.OWED, TargetStage.FAILED, TargetStage.RUNNING})

Windows = Callable[[Desired, RolloutState, datetime], WavesShut]
"""Says which waves of a rollout must not open at a time, and which targets must not be begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every runner shares."""

    world: World
    claims: Claims
    renderer: Renderer
    journal: Journal
    slots: Slots
    wake_at: Callable[[str, datetime, Callable[[], None]], None]
    notify: Callable[[Key], None]
    windows: Windows
    appearing: Appearing
    fights: Fights
    locks: TargetLocks = field(default_factory=TargetLocks)


class Runner:
    """Carries one accepted verdict out. All events of an instance pass through one queue."""

    def __init__(self, tools: Tools, desired: Desired, state: RolloutState) -> None:
        self._tools = tools
        self.desired = desired
        self.state = state
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._waiting: list[Event] = []  # while the claim is not ours
        self._frozen = False
        self._stepping = False  # what a step decided may not be saved and recorded yet
        self._working: dict[str, asyncio.Task[None]] = {}
        self._again: asyncio.Task[None] | None = None
        self._active: set[str] = set()  # of those at work, the ones that do not sleep first
        self._log = log.get("rollout").bind(
            environment=state.environment, instance=state.instance, sequence=state.sequence
        )
        self._stopped = False
        self.failure: DistributorError | None = None

    @property
    def key(self) -> Key:
        """(environment, instance)."""
        return (self.state.environment, self.state.instance)

    @property
    def ended(self) -> bool:
        """Whether the rollout came to an end of its own."""
        return self.state.phase in ENDED

    @property
    def busy(self) -> bool:
        """Whether anything is under way that does not wait for a time."""
        stepping = (self._stepping or bool(self._waiting)) and not self._frozen
        return stepping or bool(self._active) or not self._events.empty()

    def nudge(self) -> None:
        """Ask every target that owes the revision or failed now, however long it was to wait."""
        for name, target in self.state.targets.items():
            if target.stage is not TargetStage.RUNNING:
                self.ask(name)

    def ask(self, cluster: str) -> None:
        """Ask a target now, however long it was to wait; not one that is at work or has nothing to do."""
        target = self.state.targets.get(cluster)
        if target is None or target.stage not in _WAITING or cluster in self._active:
            return
        if (sleeping := self._working.pop(cluster, None)) is not None:
            sleeping.cancel()
        self._reconcile(cluster, self._tools.world.clock.now())

    def send(self, event: Event) -> None:
        """Queue an event."""
        self._events.put_nowait(event)

    async def run(self) -> None:
        """Process events until stopped. What was asked before a restart is asked again first."""
        now = self._tools.world.clock.now()
        await self._perform(resume(self.state, now))
        self.send(Tick())
        while events := await self._next():
            self._stepping = True
            try:
                await self._step(events)
            finally:
                self._stepping = False
            self._tools.notify(self.key)

    async def _next(self) -> list[Event]:
        """Everything that is queued, so that a large fleet costs one look, not many; empty at the end."""
        queued = [await self._events.get()]
        while not self._events.empty():
            queued.append(self._events.get_nowait())
        return [] if None in queued else [event for event in queued if event is not None]

    async def _step(self, events: Iterable[Event]) -> None:
        """Take events in, but only while the claim is ours: else they wait, and no clock runs on.

        A look that finds a waiting rollout as it was needs no claim, and so no commit in the ledger.
        """
        now = self._tools.world.clock.now()
        shut = self._tools.windows(self.desired, self.state, now)
        self._waiting.extend((shut, *self._thrown(), *events))
        if not self.ended and not self._still_waits() and not await self._claimed():
            return
        waited, self._waiting = self._waiting, []
        commands = await self._advance(waited)
        await self._perform((*commands, *self._asked_early(waited)))
        await self._record()  # meanwhile the work goes on

    def _asked_early(self, events: Iterable[Event]) -> list[Command]:
        """What was asked before its time, in vain, is asked at that time all the same."""
        now = self._tools.world.clock.now()
        seen = {event.cluster for event in events if isinstance(event, TargetSeen)}
        times = ((name, t.ask_at) for name, t in self.state.targets.items() if name in seen)
        return [Reconcile(cluster=name, at=at) for name, at in times if at and at > now]

    def _thrown(self) -> list[Event]:
        """The switches that the ledger has and the state does not."""
        found = switches(self._tools.claims.book.state, *self.key)
        return [
            Switched(verb=thrown.verb, reason=f"{thrown.reason} (by {thrown.by})", number=number)
            for number, thrown in enumerate(found, 1)
            if number > self.state.switches
        ]

    def heed(self) -> None:
        """Look at the switches of the ledger, if there are any new ones."""
        if self._thrown():
            self.send(Tick())

    def _still_waits(self) -> bool:
        if not waits(self.state):
            return False
        after, _ = advance_all(self.state, self._waiting, self._tools.world.clock.now())
        return same_progress(self.state, after)

    async def _claimed(self) -> bool:
        try:
            await self._tools.claims.ensure(self.key)
        except DistributorError as error:
            self._log.debug("not ours to carry out now", error=str(error))
            self.failure, self._frozen = error, True
            self._later(5.0)
            return False
        if self._frozen:
            self._frozen = False
            self.state = thawed(self.state, self._tools.world.clock.now())
        return True

    async def _advance(self, events: Iterable[Event]) -> tuple[Command, ...]:
        now = self._tools.world.clock.now()
        before = self.state
        self.state, commands = advance_all(self.state, events, now)
        if self.state != before:
            await self._save()
            await self._tell(before)
        return commands

    async def _save(self) -> None:
        """Saved before the commands are performed: a crash in between only repeats them."""
        await self._tools.world.store.save_rollout(
            StoredRollout(
                environment=self.state.environment,
                instance=self.state.instance,
                sequence=self.state.sequence,
                state=encode(self.state),
            )
        )

    async def _record(self) -> None:
        """Append to the ledger what it does not say yet; while it cannot be reached, try again later."""
        instance = self._tools.claims.book.state.instance(*self.key)
        records = owed_records(
            self.state, self.desired.verdict, instance, self._tools.claims.book.now()
        )
        release = self.ended or waits(self.state)
        if not records and not (release and self._tools.claims.held(self.key)):
            return
        try:
            await self._tools.claims.record(self.key, records, release=release)
        except DistributorError as error:
            self._log.warning("facts wait", error=str(error))
            self.failure = error
            self._later(5.0)
        else:
            self.failure = None

    async def _tell(self, before: RolloutState) -> None:
        tell = self._tools.journal.tell
        environment, instance = self.key
        for name, target in self.state.targets.items():
            old = before.targets.get(name)
            if old is not None and old.stage is not target.stage:
                text = f"{target.stage.value} {target.message or target.result}".strip()
                await tell("target", text, environment=environment, instance=instance, cluster=name)
        if self.state.open_wave != before.open_wave and self.state.open_wave < len(
            self.state.waves
        ):
            wave = self.state.waves[self.state.open_wave]
            count = sum(t.wave == self.state.open_wave for t in self.state.targets.values())
            await tell(
                "wave", f"wave {wave}: {count} clusters", environment=environment, instance=instance
            )
        if self.state.phase is not before.phase:
            text = f"{self.desired.verdict.revision} {self.state.phase.value} {self.state.reason}".strip()
            await tell("rollout", text, environment=environment, instance=instance)

    async def _perform(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            match command:
                case Reconcile(cluster=cluster, at=at):
                    self._reconcile(cluster, at)
                case WakeAt(at=at):
                    name = f"rollout {self.key[0]}/{self.key[1]} {at.isoformat()}"
                    self._tools.wake_at(name, at, lambda: self.send(Tick()))
                case _:
                    pass  # records are derived from the state by `_record`, so that none is lost

    def _reconcile(self, cluster: str, at: datetime) -> None:
        if cluster in self._working or self._stopped:
            return
        delay = (at - self._tools.world.clock.now()).total_seconds()
        if delay <= 0:
            self._active.add(cluster)
        elif self.state.targets[cluster].attempts:
            delay = apart(delay)
        self._working[cluster] = asyncio.create_task(self._work(cluster, delay))

    async def _work(self, cluster: str, delay: float) -> None:
        """Reconcile one target and tell the machine; whatever happens, the machine hears of it."""
        heard: Event = Tick()
        try:
            if delay > 0:
                await self._tools.world.clock.sleep(delay)
                self._active.add(cluster)
            with self._tools.claims.in_line(self.key):
                heard = await self._reconciled(cluster) or heard
        except DistributorError as error:
            self._log.warning("could not work on target", cluster=cluster, error=str(error))
            self.failure = error
            self._later(5.0)
        except Exception:  # noqa: BLE001 - told and tried again: one target never ends a rollout
            self._log.exception("working on a target crashed", cluster=cluster)
            self._later(5.0)
        finally:
            if self._working.get(cluster) is asyncio.current_task():
                del self._working[cluster]
                self._active.discard(cluster)
                self.send(heard)

    async def _reconciled(self, cluster: str) -> TargetSeen | None:
        world, book = self._tools.world, self._tools.claims.book
        target = self.desired.clusters[cluster]
        await self._tools.renderer.ready(self.desired.subject, target)  # a long one holds no slot
        async with self._tools.slots.of(cluster), self._tools.locks.of((*self.key, cluster)):
            if not wanted(self.state, cluster):
                return None
            if self.state.targets[cluster].stage is not TargetStage.OWED:
                await self._tools.claims.ensure(self.key)
            report = await reconcile_desired(
                world,
                self._tools.renderer,
                replace(self.desired, agreed=agreed(book.state, self.desired.verdict)),
                target,
                before_write=lambda: self._tools.claims.ensure(self.key),  # back in reach only now
                fights=self._tools.fights,
            )
            self._tools.appearing.note(report, target)
            await world.store.save_targets([target_row(report, self.desired)])
        return seen(report, self.desired.verdict)

    def _later(self, seconds: float) -> None:
        """Look again after a while; one such look at a time."""
        if self._again is None and not self._stopped:
            self._again = asyncio.create_task(self._look_again(seconds))

    async def _look_again(self, seconds: float) -> None:
        await self._tools.world.clock.sleep(seconds)
        self._again = None  # before anything is sent: what comes of it may ask for the next look
        for command in resume(self.state, self._tools.world.clock.now()):
            if isinstance(command, Reconcile):
                self._reconcile(command.cluster, command.at)
        self.send(Tick())

    async def stop(self, superseded: Superseded | None = None) -> None:
        """End the runner at once; a newer revision is noted in its state."""
        self._stopped = True
        tasks = [*self._working.values(), *([self._again] if self._again else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if superseded is not None:
            with contextlib.suppress(DistributorError):
                await self._advance([superseded])
        self._events.put_nowait(None)


def target_row(
    report: TargetReport, desired: Desired, watch: Mapping[str, Any] = _NOTHING
) -> StoredTarget:
    """What the read model keeps of a report, and of what watches say of the target."""
    revision = desired.verdict.revision
    detail = {
        "version": revision.version if revision else "",
        "verb": desired.verdict.verb.value,
        "delivered": report.delivered,
        "objects": {str(h.ref): [h.status.value, h.message] for h in report.health if h.message},
        "findings": [
            {
                "code": f.code,
                "message": f.message,
                "where": str(f.where),
                "remedy": f.remedy,
                "severity": f.severity.value,
            }
            for f in report.findings[:20]
        ],
        "changed": {str(o.ref): o.action.value for o in report.outcomes[:50]},
        "watch": dict(watch),
        "fights": as_kept(report.fights),
        "questions": kept_questions(report),
    }
    health = health_of(report, desired.verdict)
    return StoredTarget(
        environment=report.environment,
        instance=report.instance,
        cluster=report.cluster,
        sequence=report.sequence,
        actuation=report.actuation.value,
        health=health.value,
        message=message_of(report),
        observed_at=report.observed_at.isoformat(),
        detail=orjson.dumps(detail).decode(),
    )


def owed(state: InstanceState) -> bool:
    """Whether the last accepted verdict still has to be carried out."""
    desired = state.desired
    if desired is None or not desired.sequence:
        return False
    progress = state.progress.get(desired.sequence)
    return progress is None or (progress.verified_at is None and progress.end is None)
