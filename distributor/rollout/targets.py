"""Targets: what a report, or the lack of one, makes of one target."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from distributor.errors.rollout import TargetDeadline
from distributor.model.changes import Actuation
from distributor.model.fleet import RolloutStrategy, VerifyRule
from distributor.model.health import HealthStatus
from distributor.model.rollout import TargetSeen, TargetStage, TargetState

DELIVERED = "delivered"
CURRENT = "current"
OWED = "owed"
FAILED = "failed"
UNFINISHED = "unfinished"
"""What failed for want of nothing but a cluster that took it: no fault of the revision."""

_LONGEST = 60.0  # seconds between two attempts
_LOOK = 10.0  # seconds between two looks at a target that makes progress


def observe(
    target: TargetState,
    seen: TargetSeen,
    *,
    strategy: RolloutStrategy,
    verify: VerifyRule,
    room: bool,
    now: datetime,
) -> TargetState:
    """The target after a report on this very revision; ``room`` is whether one more may be started.

    A target that was not asked yet, or is ready, is not moved by any report: early, late and repeated
    ones change nothing.
    """
    if target.stage in (TargetStage.WAITING, TargetStage.READY):
        return target
    match seen.actuation:
        case Actuation.UNREACHABLE:
            return _unreachable(target, seen, now)
        case Actuation.PENDING:
            return _progressing(target, seen, room=room, now=now)
        case Actuation.APPLYING:  # a hook is at work, and nobody tells when it ends
            return asked(_progressing(target, seen, room=room, now=now), now, _LOOK)
        case Actuation.FENCED:
            return asked(_progressing(target, seen, room=room, now=now), now, _LONGEST)
        case Actuation.FAILED:
            return _failing(target, seen, room=room, now=now)
        case Actuation.APPLIED:
            return _applied(target, seen, strategy=strategy, verify=verify, room=room, now=now)


def _applied(
    target: TargetState,
    seen: TargetSeen,
    *,
    strategy: RolloutStrategy,
    verify: VerifyRule,
    room: bool,
    now: datetime,
) -> TargetState:
    if seen.delivered and DELIVERED in verify.accept:
        return ready(target, DELIVERED, now)
    if seen.delivered:
        message = "delivered only, and verify.accept does not list delivered"
        moved = _progressing(target, seen, room=room, now=now)
        # It said all that it can ever say, so it is not unknown, and fails at its deadline.
        return asked(replace(moved, seen=HealthStatus.IN_PROGRESS, message=message), now, _LONGEST)
    if seen.health is HealthStatus.CURRENT:
        return _current(target, seen, strategy.min_ready, now)
    if seen.health is HealthStatus.FAILED:
        return _failing(target, seen, room=room, now=now)
    return asked(_progressing(target, seen, room=room, now=now), now, _LOOK)


def _current(target: TargetState, seen: TargetSeen, min_ready: float, now: datetime) -> TargetState:
    """Ready if a report said so ``min_ready`` ago and says so again; else look again then."""
    since = target.current_since or now
    due = since + timedelta(seconds=min_ready)
    if now >= due:
        return ready(target, CURRENT, now)
    pending = target.ask_at is not None and now < target.ask_at <= due
    return replace(
        target,
        current_since=since,
        seen=seen.health,
        message=seen.message,
        ask_at=target.ask_at if pending else due,
    )


def _failing(target: TargetState, seen: TargetSeen, *, room: bool, now: datetime) -> TargetState:
    if seen.retryable:
        moved = _progressing(target, seen, room=room, now=now)
        moved = replace(moved, seen=HealthStatus.FAILED, result=UNFINISHED)
        return asked(moved, now, _LONGEST)
    if target.stage is TargetStage.RUNNING or (target.stage is TargetStage.OWED and room):
        return failed(replace(target, result=""), seen.message, now)
    return asked(replace(target, current_since=None, message=seen.message), now, _LONGEST)


def _progressing(
    target: TargetState, seen: TargetSeen, *, room: bool, now: datetime
) -> TargetState:
    """Seen, reachable and not ready. One that comes back runs only if the budget has room for it."""
    back = target.stage is TargetStage.OWED and room
    return replace(
        target,
        stage=TargetStage.RUNNING if back else target.stage,
        since=now if back else target.since,
        attempts=0 if back else target.attempts,
        current_since=None,
        seen=seen.health,
        result="",
        message=seen.message,
    )


def _unreachable(target: TargetState, seen: TargetSeen, now: datetime) -> TargetState:
    if target.stage is TargetStage.FAILED:
        # A failure is not undone by the network: else it would open the next wave.
        return asked(replace(target, current_since=None), now, _LONGEST)
    return owed(target, seen.message or "unreachable", now)


def ready(target: TargetState, result: str, now: datetime) -> TargetState:
    """The target is ready: nothing more is asked of it."""
    return replace(
        target,
        stage=TargetStage.READY,
        since=now,
        current_since=target.current_since or now,
        result=result,
        message="",
        ask_at=None,
        seen=HealthStatus.CURRENT if result == CURRENT else HealthStatus.UNKNOWN,
    )


def failed(target: TargetState, message: str, now: datetime) -> TargetState:
    """The target failed; it is looked at again, because it may heal."""
    later = now + timedelta(seconds=_LONGEST)
    return replace(
        target, stage=TargetStage.FAILED, since=now, current_since=None, message=message,
        ask_at=later, seen=HealthStatus.FAILED,
    )  # fmt: skip


def owed(target: TargetState, message: str, now: datetime) -> TargetState:
    """The target owes the revision; its age counts from the first time it was out of reach."""
    if target.stage is TargetStage.OWED:
        return asked(replace(target, current_since=None, message=message), now, _LONGEST)
    moved = replace(
        target, stage=TargetStage.OWED, since=now, current_since=None, message=message,
        attempts=0, ask_at=None, seen=HealthStatus.UNKNOWN,
    )  # fmt: skip
    return asked(moved, now, _LONGEST)


def started(target: TargetState, now: datetime) -> TargetState:
    """The target is asked for the first time."""
    return replace(
        target, stage=TargetStage.RUNNING, since=now, current_since=None, result="", message="",
        attempts=0, ask_at=now, seen=None,
    )  # fmt: skip


def expired(target: TargetState, strategy: RolloutStrategy, now: datetime) -> TargetState:
    """A running target had its time: it failed, or owes the revision if nothing is known of it."""
    if target.seen in (None, HealthStatus.UNKNOWN):
        return owed(target, target.message or "nothing was heard of it", now)
    reason = target.message or f"health is {target.seen}"
    return failed(
        target, f"{TargetDeadline.code} not ready after {strategy.deadline:g} s: {reason}", now
    )


def asked(target: TargetState, now: datetime, longest: float) -> TargetState:
    """Ask again after a pause: 1 s, doubling; a question that is still to come is not asked twice."""
    if target.ask_at is not None and target.ask_at > now:
        return target
    pause = min(2.0 ** min(target.attempts, 10), longest)
    return replace(target, attempts=target.attempts + 1, ask_at=now + timedelta(seconds=pause))
