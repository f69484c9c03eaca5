"""Rollouts: the persisted state, what can happen to it, and what it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from distributor.model.changes import Actuation
from distributor.model.fleet import RolloutStrategy, VerifyRule
from distributor.model.health import HealthStatus
from distributor.model.ledger import Step
from distributor.model.tags import Verb


class TargetStage(StrEnum):
    """Where one target stands in a rollout."""

    WAITING = "waiting"
    RUNNING = "running"  # asked to reconcile, or applied and not yet ready
    READY = "ready"  # Current for min_ready, or delivered where that is accepted
    FAILED = "failed"
    OWED = "owed"  # unreachable: it owes the revision


class RolloutPhase(StrEnum):
    """What a rollout is doing."""

    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"  # more failures than the budget allows
    VERIFIED = "verified"
    REPLACED = "replaced"
    UNVERIFIED = "unverified"  # every wave ended, but too few targets were reachable


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """One target of a rollout; ``wave`` is an index. Times are when the stage began.

    ``ask_at`` is when it was last asked to reconcile, or is to be; ``seen`` the health last reported.
    """

    cluster: str
    wave: int
    stage: TargetStage = TargetStage.WAITING
    since: datetime | None = None
    current_since: datetime | None = None  # since when it is seen Current on this very revision
    result: str = (
        ""  # "current", "delivered" once ready; "unfinished" while the cluster does not take it
    )
    message: str = ""
    attempts: int = 0
    ask_at: datetime | None = None
    seen: HealthStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shut:
    """Why a wave must not open now, and when that is worth asking again."""

    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutState:
    """The whole state of one rollout, saved before its commands are performed.

    ``waves`` are the names in order; ``open_wave`` the index of the one that runs, -1 before the first
    opens and ``len(waves)`` when all have ended. ``shut`` are the waves that must not open now, by name;
    ``closed`` the clusters on which nothing is begun now, because they are outside their maintenance windows.
    """

    environment: str
    instance: str
    sequence: int
    strategy: RolloutStrategy
    verify: VerifyRule
    waves: tuple[str, ...]
    targets: Mapping[str, TargetState]
    phase: RolloutPhase = RolloutPhase.RUNNING
    open_wave: int = -1
    started_at: datetime | None = None
    reason: str = ""
    switches: int = 0  # the number of the last one that was taken
    shut: Mapping[str, Shut] = field(default_factory=dict)
    closed: Mapping[str, Shut] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSeen:
    """A target reported; ``sequence`` is the revision it was observed on (others are ignored)."""

    cluster: str
    sequence: int
    actuation: Actuation
    health: HealthStatus
    delivered: bool = False
    retryable: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time passed; nothing else happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """A newer revision of the instance was accepted."""

    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """A person threw a switch: pause, resume, abort or retry; any other verb changes nothing.

    ``number`` counts the switches of this revision from 1, so that none is taken twice; 0 is always taken.
    """

    verb: Verb
    reason: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WavesShut:
    """The calendar was asked: these waves must not open now, by name; all others may.

    Nor must anything be begun on the clusters that are ``closed``.
    """

    shut: Mapping[str, Shut] = field(default_factory=dict)
    closed: Mapping[str, Shut] = field(default_factory=dict)


Event = TargetSeen | Tick | Superseded | Switched | WavesShut


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Bring this target to the revision (again), not before ``at``."""

    cluster: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStep:
    """Append this to the ledger."""

    step: Step
    wave: str = ""
    targets: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeAt:
    """Send a ``Tick`` at this time."""

    at: datetime


Command = Reconcile | RecordStep | WakeAt
