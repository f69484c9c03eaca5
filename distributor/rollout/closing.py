"""Closing: targets outside their maintenance windows are not begun; they owe the revision until one opens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from distributor.model.rollout import RolloutState, TargetStage, TargetState, WavesShut
from distributor.rollout.targets import owed


def owing(state: RolloutState, now: datetime) -> RolloutState:
    """The state in which no target of a wave that opened waits for its turn while it is closed."""
    late = {
        name: replace(owed(target, state.closed[name].reason, now), ask_at=None, attempts=0)
        for name, target in state.targets.items()
        if name in state.closed
        and target.stage is TargetStage.WAITING
        and target.wave <= state.open_wave
    }
    return replace(state, targets={**state.targets, **late}) if late else state


def told(state: RolloutState, event: WavesShut, now: datetime) -> RolloutState:
    """What must not open or begin now is known; a target whose window has opened is asked at once."""
    if (event.shut, event.closed) == (state.shut, state.closed):
        return state
    opened = {target.cluster: target for target in _opened(state, event, now)}
    targets = {**state.targets, **opened} if opened else state.targets
    return replace(state, shut=event.shut, closed=event.closed, targets=targets)


def asked_for(state: RolloutState, target: TargetState) -> bool:
    """Whether a target is asked again and again because it failed or was out of reach; not one that is closed."""
    if target.stage is TargetStage.OWED:
        return target.cluster not in state.closed
    return target.stage is TargetStage.FAILED


def reopens(state: RolloutState) -> datetime | None:
    """When the first window opens that a target waits for."""
    return min((s.until for s in state.closed.values() if s.until is not None), default=None)


def _opened(state: RolloutState, event: WavesShut, now: datetime) -> Iterator[TargetState]:
    for name in sorted(state.closed.keys() - event.closed.keys()):
        target = state.targets.get(name)
        if target is not None and target.stage is TargetStage.OWED:
            yield replace(target, ask_at=now, attempts=0)
