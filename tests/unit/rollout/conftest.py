"""A rollout to play with: a fleet, a clock, and short ways to say what happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from distributor.model.changes import Actuation
from distributor.model.fleet import Cluster, Mode, RolloutStrategy, VerifyRule
from distributor.model.health import HealthStatus
from distributor.model.rollout import (
    Command,
    Event,
    Reconcile,
    RecordStep,
    RolloutState,
    Switched,
    TargetSeen,
    Tick,
    WakeAt,
)
from distributor.model.tags import Verb
from distributor.rollout import advance, start

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def cluster(name: str, **parts: object) -> Cluster:
    given = {"environment": "uat", "tier": "central", "mode": Mode.DIRECTORY, **parts}
    return Cluster(name=name, **given)


class Play:
    """A rollout under way: what was said so far, and what came of it."""

    def __init__(self, clusters, strategy: RolloutStrategy, verify: VerifyRule) -> None:
        self.now = BEGIN
        self.state: RolloutState = start(
            environment="uat", instance="shop", sequence=7, strategy=strategy, verify=verify,
            targets=clusters, now=BEGIN,
        )  # fmt: skip

    def say(self, event: Event, after: float = 0) -> tuple[Command, ...]:
        self.now += timedelta(seconds=after)
        self.state, commands = advance(self.state, event, self.now)
        return commands

    def tick(self, after: float = 0) -> tuple[Command, ...]:
        return self.say(Tick(), after)

    def seen(
        self,
        name: str,
        actuation=Actuation.APPLIED,
        health=HealthStatus.CURRENT,
        after: float = 0,
        **parts: object,
    ) -> tuple[Command, ...]:
        parts = {"sequence": 7, **parts}
        event = TargetSeen(cluster=name, actuation=actuation, health=health, **parts)
        return self.say(event, after)

    def current(self, *names: str, after: float = 0) -> tuple[Command, ...]:
        commands: tuple[Command, ...] = ()
        for name in names:
            commands += self.seen(name, after=after)
        return commands

    def progress(self, name: str, after: float = 0) -> tuple[Command, ...]:
        return self.seen(name, health=HealthStatus.IN_PROGRESS, after=after)

    def unknown(self, name: str, after: float = 0) -> tuple[Command, ...]:
        return self.seen(name, health=HealthStatus.UNKNOWN, after=after)

    def gone(self, name: str, after: float = 0) -> tuple[Command, ...]:
        return self.seen(name, Actuation.UNREACHABLE, HealthStatus.UNKNOWN, after)

    def fails(self, name: str, after: float = 0, **parts: object) -> tuple[Command, ...]:
        return self.seen(name, Actuation.FAILED, HealthStatus.UNKNOWN, after, **parts)

    def pause(self, *, on: bool, after: float = 0) -> tuple[Command, ...]:
        verb = Verb.PAUSE if on else Verb.RESUME
        return self.say(Switched(verb=verb, reason="asked"), after)

    def throw(self, verb: Verb, number: int = 0) -> tuple[Command, ...]:
        return self.say(Switched(verb=verb, reason="asked", number=number))

    @property
    def stages(self) -> str:
        """One letter a target, by name: w r R(eady) F(ailed) O(wed)."""
        letters = {"waiting": "w", "running": "r", "ready": "R", "failed": "F", "owed": "O"}
        return "".join(letters[t.stage.value] for _, t in sorted(self.state.targets.items()))

    @property
    def phase(self) -> str:
        return self.state.phase.value

    def asked(self, commands: tuple[Command, ...]) -> dict[str, float]:
        """Reconciles by cluster, in seconds from now."""
        return {
            c.cluster: (c.at - self.now).total_seconds()
            for c in commands
            if isinstance(c, Reconcile)
        }

    def wakes(self, commands: tuple[Command, ...]) -> list[float]:
        return [(c.at - self.now).total_seconds() for c in commands if isinstance(c, WakeAt)]

    @staticmethod
    def records(commands: tuple[Command, ...]) -> list[RecordStep]:
        return [c for c in commands if isinstance(c, RecordStep)]


@pytest.fixture
def play():
    def make(names="abc", *, floor=80, accept=(), clusters=None, **strategy: object) -> Play:
        given = {"max_unavailable": "100%", **strategy}
        verify = VerifyRule(floor=floor, accept=frozenset(accept))
        return Play(clusters or [cluster(n) for n in names], RolloutStrategy(**given), verify)

    return make


@pytest.fixture
def fleet_of():
    def make(names: str, canary: str = "", **parts: object) -> list[Cluster]:
        return [cluster(n, labels={"canary": "yes"} if n in canary else {}, **parts) for n in names]

    return make
