"""Coding: a rollout's state as bytes, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from distributor.errors.rollout import StateBroken
from distributor.model.fleet import RolloutStrategy, Selector, VerifyRule, WaveRule
from distributor.model.health import HealthStatus
from distributor.model.rollout import RolloutPhase, RolloutState, Shut, TargetStage, TargetState

FORMAT = 1
"""The form that this program writes; another one is refused."""


def encode(state: RolloutState) -> bytes:
    """One JSON document; the same state always gives the same bytes."""
    return orjson.dumps(
        {"format": FORMAT, "state": state}, option=orjson.OPT_SORT_KEYS, default=_other
    )


def decode(data: bytes) -> RolloutState:
    """The state that was encoded; raises ``StateBroken`` for anything else."""
    try:
        document = orjson.loads(data)
        if document["format"] != FORMAT:
            raise StateBroken(f"(format {document['format']!r}, this program reads {FORMAT})")
        return _state(document["state"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateBroken(f"({type(error).__name__}: {error})") from error


def _other(value: object) -> list[str]:
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)


def _state(data: Mapping[str, Any]) -> RolloutState:
    waves = tuple(str(name) for name in data["waves"])
    state = RolloutState(
        environment=str(data["environment"]),
        instance=str(data["instance"]),
        sequence=int(data["sequence"]),
        strategy=_strategy(data["strategy"]),
        verify=VerifyRule(
            floor=int(data["verify"]["floor"]), accept=frozenset(data["verify"]["accept"])
        ),
        waves=waves,
        targets={name: _target(name, t) for name, t in data["targets"].items()},
        phase=RolloutPhase(data["phase"]),
        open_wave=int(data["open_wave"]),
        started_at=_time(data["started_at"]),
        reason=str(data["reason"]),
        switches=int(data.get("switches", 0)),
        shut=_shut(data.get("shut", {})),  # absent in states of older releases
        closed=_shut(data.get("closed", {})),
    )
    if not -1 <= state.open_wave <= len(waves):
        raise StateBroken(f"(wave {state.open_wave} of {len(waves)})")
    lost = [t.cluster for t in state.targets.values() if not 0 <= t.wave < len(waves)]
    if lost:
        raise StateBroken(f"({lost[0]} is in no wave)")
    return state


def _shut(data: Mapping[str, Any]) -> dict[str, Shut]:
    return {
        str(name): Shut(reason=str(shut["reason"]), until=_time(shut["until"]))
        for name, shut in data.items()
    }


def _strategy(data: Mapping[str, Any]) -> RolloutStrategy:
    return RolloutStrategy(
        waves=tuple(_rule(rule) for rule in data["waves"]),
        max_concurrent=int(data["max_concurrent"]),
        max_unavailable=str(data["max_unavailable"]),
        max_failures=int(data["max_failures"]),
        min_ready=float(data["min_ready"]),
        deadline=float(data["deadline"]),
    )


def _rule(data: Mapping[str, Any]) -> WaveRule:
    selector = data["selector"]
    return WaveRule(
        name=str(data["name"]),
        percent=int(data["percent"]),
        selector=Selector(
            tiers=tuple(selector["tiers"]),
            regions=tuple(selector["regions"]),
            match_labels=dict(selector["match_labels"]),
        ),
    )


def _target(name: str, data: Mapping[str, Any]) -> TargetState:
    return TargetState(
        cluster=name,
        wave=int(data["wave"]),
        stage=TargetStage(data["stage"]),
        since=_time(data["since"]),
        current_since=_time(data["current_since"]),
        result=str(data["result"]),
        message=str(data["message"]),
        attempts=int(data["attempts"]),
        ask_at=_time(data["ask_at"]),
        seen=None if data["seen"] is None else HealthStatus(data["seen"]),
    )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        message = f"{text!r} has no time zone"
        raise ValueError(message)
    return time
