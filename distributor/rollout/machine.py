"""The machine: one event in, the next state and what is to be done out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from distributor.errors.rollout import RolloutHalted
from distributor.model.ledger import Step
from distributor.model.rollout import (
    Command,
    Event,
    Reconcile,
    RecordStep,
    RolloutPhase,
    RolloutState,
    Shut,
    Superseded,
    Switched,
    TargetSeen,
    TargetStage,
    TargetState,
    Tick,
    WakeAt,
    WavesShut,
)
from distributor.model.tags import Verb
from distributor.rollout.budgets import Tally, deadline
from distributor.rollout.closing import asked_for, owing, reopens, told
from distributor.rollout.targets import FAILED, OWED, expired, observe, started

_STILL = frozenset({RolloutPhase.PAUSED, RolloutPhase.HALTED})
"""Phases in which nothing is begun, and debts and failures are left alone."""

_OPEN = frozenset({RolloutPhase.RUNNING, RolloutPhase.PAUSED, RolloutPhase.UNVERIFIED})
"""Phases of a rollout that has not come to an end."""

_TRIED = frozenset({TargetStage.RUNNING, TargetStage.FAILED})
"""Stages in which a target is worked on, now or soon."""


def advance(
    state: RolloutState, event: Event, now: datetime
) -> tuple[RolloutState, tuple[Command, ...]]:
    """The next state, and the commands that follow from it; total: no event is an error.

    Laws: at most ``max_concurrent`` targets run, at most ``max_unavailable`` run or have failed; a wave
    opens when every target of the waves before it is ready or owed; more than ``max_failures`` failures
    halt; reports on another revision, of unknown targets, repeated, early and late ones change nothing.
    """
    return advance_all(state, (event,), now)


def advance_all(
    state: RolloutState, events: Iterable[Event], now: datetime
) -> tuple[RolloutState, tuple[Command, ...]]:
    """Take several events at once: for large fleets, one look over all targets instead of many."""
    after, heard = state, False
    for event in events:
        taken = _take(after, event, now)
        heard = heard or taken is not after or isinstance(event, Tick)
        after = taken
    if not heard or after.phase is RolloutPhase.REPLACED:
        return after, ()
    aborted = after.phase is RolloutPhase.HALTED is not state.phase
    after, records = _proceed(after, now)
    if aborted and after.phase is RolloutPhase.HALTED:
        records = (_failed_record(after), *records)
    after = _quiet(state, after, now)
    changed = _changed(state, after)
    return after, (*records, *_asks(state, changed), *_wakes(state, after, changed, now))


def wanted(state: RolloutState, cluster: str) -> bool:
    """Whether a reconcile that was asked for is still to be done; asked just before it begins."""
    target = state.targets.get(cluster)
    if target is None or state.phase is RolloutPhase.REPLACED:
        return False
    match target.stage:
        case TargetStage.RUNNING:
            return True
        case TargetStage.OWED:
            return state.phase not in _STILL and cluster not in state.closed
        case TargetStage.FAILED:
            return state.phase not in _STILL
        case TargetStage.WAITING | TargetStage.READY:
            return False


def waits(state: RolloutState) -> bool:
    """Whether nothing is under way: it goes on when a target comes back into reach, or a person acts.

    Targets that failed are tried again and again, so that is under way, unless it is paused or halted.
    """
    if state.open_wave < 0:
        return shut_out(state) is not None
    tried = {TargetStage.RUNNING} if state.phase in _STILL else _TRIED
    return all(t.stage not in tried for t in state.targets.values())


def shut_out(state: RolloutState) -> Shut | None:
    """What keeps the next wave from opening, where nothing else does; ``None`` where nothing waits for it."""
    if state.phase is not RolloutPhase.RUNNING:
        return None
    shut = _shut(state)
    if shut is None or (state.open_wave >= 0 and Tally.of(state).unsettled):
        return None
    return shut


def _shut(state: RolloutState) -> Shut | None:
    after = state.open_wave + 1
    return state.shut.get(state.waves[after]) if after < len(state.waves) else None


def same_progress(before: RolloutState, after: RolloutState) -> bool:
    """Whether two states of one rollout differ in nothing but when targets are asked, and what they say."""
    return (before.phase, before.open_wave) == (after.phase, after.open_wave) and all(
        target.stage is before.targets[name].stage for name, target in after.targets.items()
    )


def resume(state: RolloutState, now: datetime) -> tuple[Command, ...]:
    """What must be asked again after a restart.

    Records of steps already reached are among it, because the state is saved before they are written:
    the service appends those that the ledger does not have.
    """
    if state.phase is RolloutPhase.REPLACED:
        return ()
    records: list[Command] = [_wave_record(state, n) for n in range(max(0, state.open_wave))]
    if state.phase is RolloutPhase.VERIFIED:
        records.append(_verified_record(state))
    elif state.phase is RolloutPhase.HALTED:
        records.append(_failed_record(state))
    asks = [
        Reconcile(cluster=name, at=max(now, target.ask_at or now))
        for name, target in state.targets.items()
        if wanted(state, name)
    ]
    return (*records, *asks, *_wake_after_restart(state, now))


def thawed(state: RolloutState, now: datetime) -> RolloutState:
    """The state after a time in which nothing could be done: running targets get their whole time again.

    Otherwise a service that was away, or could not claim, would take what it never tried for late.
    """
    running = [t for t in state.targets.values() if t.stage is TargetStage.RUNNING]
    return _with(state, (replace(t, since=now, current_since=None, ask_at=None) for t in running))


def _take(state: RolloutState, event: Event, now: datetime) -> RolloutState:
    """The state right after an event; the very same one where the event changes nothing."""
    match event:
        case Tick():
            running = state.phase is RolloutPhase.RUNNING
            opens = running and state.open_wave < 0 and _shut(state) is None
            return replace(state, open_wave=0) if opens else _expire(state, now)
        case TargetSeen():
            return _seen(state, event, now)
        case Superseded():
            if event.sequence <= state.sequence or state.phase is RolloutPhase.REPLACED:
                return state
            reason = f"replaced by sequence {event.sequence}"
            return replace(state, phase=RolloutPhase.REPLACED, reason=reason)
        case Switched():
            return _switched(state, event)
        case WavesShut():
            return state if state.phase is RolloutPhase.REPLACED else told(state, event, now)


def _seen(state: RolloutState, seen: TargetSeen, now: datetime) -> RolloutState:
    target = state.targets.get(seen.cluster)
    if target is None or seen.sequence != state.sequence or state.phase is RolloutPhase.REPLACED:
        return state
    room = (
        target.stage is TargetStage.OWED
        and state.phase not in _STILL
        and Tally.of(state).room(state) > 0
    )
    moved = observe(target, seen, strategy=state.strategy, verify=state.verify, room=room, now=now)
    return state if moved == target else _with(state, (moved,))


def _switched(state: RolloutState, event: Switched) -> RolloutState:
    if event.number and event.number <= state.switches:
        return state
    phase = state.phase
    match event.verb:
        case Verb.PAUSE if phase is RolloutPhase.RUNNING:
            state = replace(state, phase=RolloutPhase.PAUSED, reason=event.reason)
        case Verb.RESUME if phase is RolloutPhase.PAUSED:
            state = replace(state, phase=RolloutPhase.RUNNING, reason="")
        case Verb.ABORT if phase in _OPEN:
            state = replace(state, phase=RolloutPhase.HALTED, reason=f"aborted: {event.reason}")
        case Verb.RETRY if phase is RolloutPhase.HALTED:
            state = _retried(state)
        case _:
            pass
    return replace(state, switches=event.number) if event.number else state


def _retried(state: RolloutState) -> RolloutState:
    """Go on after a halt: those that failed are tried again, as the budget allows."""
    failures = [
        TargetState(cluster=t.cluster, wave=t.wave)
        for t in state.targets.values()
        if t.stage is TargetStage.FAILED
    ]
    return replace(_with(state, failures), phase=RolloutPhase.RUNNING, reason="")


def _proceed(state: RolloutState, now: datetime) -> tuple[RolloutState, tuple[Command, ...]]:
    """What follows without any further event: halts, waves, starts, verification."""
    tally = Tally.of(state)
    begun = state.phase in (RolloutPhase.RUNNING, RolloutPhase.PAUSED)
    if begun and len(tally.failed) > state.strategy.max_failures:
        state = replace(state, phase=RolloutPhase.HALTED, reason=_failures(state, tally))
        return state, (_failed_record(state),)
    if state.phase is RolloutPhase.RUNNING and state.open_wave >= 0:
        return _open(state, tally, now)
    if state.phase is RolloutPhase.RUNNING:
        return _told(state, _shut(state)), ()
    if state.phase is RolloutPhase.UNVERIFIED and not tally.unsettled:
        return _conclude(state, tally)
    return state, ()


def _expire(state: RolloutState, now: datetime) -> RolloutState:
    late = [
        expired(target, state.strategy, now)
        for target in state.targets.values()
        if (end := deadline(target, state.strategy)) is not None and now >= end
    ]
    return _with(state, late)


def _open(
    state: RolloutState, tally: Tally, now: datetime
) -> tuple[RolloutState, tuple[Command, ...]]:
    records: list[Command] = []
    state, tally = _begun(state, tally, now)
    while state.open_wave < len(state.waves) and not tally.unsettled:
        shut = _shut(state)
        if shut is not None:
            return _told(state, shut), tuple(records)
        records.append(_wave_record(state, state.open_wave))
        state = owing(replace(state, open_wave=state.open_wave + 1), now)
        tally = Tally.of(state)
    if state.open_wave >= len(state.waves) and not tally.unsettled:
        state, verified = _conclude(state, tally)
        return state, (*records, *verified)
    waiting = sorted(tally.waiting, key=lambda t: (t.wave, t.cluster))
    begun = [started(target, now) for target in waiting[: tally.room(state)]]
    reason = f"waits for {_names(tally.failed)}, which failed" if tally.failed else ""
    return replace(_with(state, begun), reason=reason), tuple(records)


def _begun(state: RolloutState, tally: Tally, now: datetime) -> tuple[RolloutState, Tally]:
    after = owing(state, now)
    return (state, tally) if after is state else (after, Tally.of(after))


def _told(state: RolloutState, shut: Shut | None) -> RolloutState:
    """Say which wave waits, and for what."""
    if shut is None:
        return state
    return replace(state, reason=f"wave {state.waves[state.open_wave + 1]} waits: {shut.reason}")


def _conclude(state: RolloutState, tally: Tally) -> tuple[RolloutState, tuple[Command, ...]]:
    """Every wave ended: verified, if enough of the targets were reachable (and so are ready)."""
    total, floor = len(state.targets), max(1, state.verify.floor)
    if total and tally.ready * 100 >= floor * total:
        state = replace(state, phase=RolloutPhase.VERIFIED, reason="")
        return state, (_verified_record(state),)
    reason = f"{tally.ready} of {total} targets were reachable, {floor} % are needed"
    return replace(state, phase=RolloutPhase.UNVERIFIED, reason=reason), ()


def _with(state: RolloutState, targets: Iterable[TargetState]) -> RolloutState:
    changed = {t.cluster: t for t in targets}
    return replace(state, targets={**state.targets, **changed}) if changed else state


def _changed(before: RolloutState, after: RolloutState) -> list[TargetState]:
    """The targets that are not what they were."""
    if before.targets is after.targets:
        return []
    return [t for name, t in after.targets.items() if t is not before.targets[name]]


def _quiet(before: RolloutState, after: RolloutState, now: datetime) -> RolloutState:
    """While paused or halted, debts and failures are not asked for; when it goes on, at once.

    Targets that run are watched on in any phase.
    """
    still = after.phase in _STILL
    turns = still is not (before.phase in _STILL)
    looked_at = after.targets.values() if turns else _changed(before, after)
    return _with(
        after,
        [
            replace(target, ask_at=None if still else now, attempts=0)
            for target in looked_at
            if asked_for(after, target) and (target.ask_at is None) is not still
        ],
    )


def _asks(before: RolloutState, changed: Iterable[TargetState]) -> Iterator[Command]:
    for target in changed:
        if target.ask_at is not None and target.ask_at != before.targets[target.cluster].ask_at:
            yield Reconcile(cluster=target.cluster, at=target.ask_at)


def _wakes(
    before: RolloutState, after: RolloutState, changed: Iterable[TargetState], now: datetime
) -> Iterator[Command]:
    """One ``Tick`` for the first deadline, or at once where a rollout goes on before it began."""
    shut, opens = shut_out(after), reopens(after)
    if shut is not None and shut.until is not None and shut != shut_out(before):
        yield WakeAt(at=max(now, shut.until))
    if opens is not None and opens != reopens(before):
        yield WakeAt(at=max(now, opens))
    if after.phase is RolloutPhase.RUNNING and after.open_wave < 0:
        if shut is None:
            yield WakeAt(at=now)
        return
    old = {deadline(before.targets[t.cluster], before.strategy) for t in changed}
    new = {deadline(t, after.strategy) for t in changed}
    if old == new:
        return
    first = Tally.of(after).expires(after.strategy)
    if first is not None and any(end is not None and end <= first for end in old | new):
        yield WakeAt(at=max(now, first))


def _wake_after_restart(state: RolloutState, now: datetime) -> Iterator[Command]:
    yield WakeAt(at=now)
    shut = shut_out(state)
    if shut is not None and shut.until is not None and shut.until > now:
        yield WakeAt(at=shut.until)
    opens = reopens(state)
    if opens is not None and opens > now:
        yield WakeAt(at=opens)
    first = Tally.of(state).expires(state.strategy)
    if first is not None and first > now:
        yield WakeAt(at=first)


def _wave_record(state: RolloutState, wave: int) -> RecordStep:
    members = {n: t for n, t in state.targets.items() if t.wave == wave}
    return RecordStep(
        step=Step.WAVE,
        wave=state.waves[wave],
        targets={name: _result(target) for name, target in sorted(members.items())},
    )


def _verified_record(state: RolloutState) -> RecordStep:
    results = {name: _result(target) for name, target in sorted(state.targets.items())}
    return RecordStep(step=Step.VERIFIED, targets=results)


def _failed_record(state: RolloutState) -> RecordStep:
    results = {
        name: target.result or FAILED
        for name, target in sorted(state.targets.items())
        if target.stage is TargetStage.FAILED
    }
    return RecordStep(step=Step.FAILED, targets=results, reason=state.reason)


def _result(target: TargetState) -> str:
    match target.stage:
        case TargetStage.READY:
            return target.result
        case TargetStage.OWED:
            return OWED
        case TargetStage.FAILED:
            return FAILED
        case TargetStage.WAITING | TargetStage.RUNNING:
            return target.stage.value


def _failures(state: RolloutState, tally: Tally) -> str:
    first = min(tally.failed, key=lambda t: t.cluster)
    limit = state.strategy.max_failures
    text = f"{RolloutHalted.code} {len(tally.failed)} failed, {limit} may: {_names(tally.failed)}"
    return f"{text} ({first.message})" if first.message else text


def _names(targets: list[TargetState]) -> str:
    shown, more = sorted(t.cluster for t in targets)[:3], len(targets) - 3
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
