"""Reading fields of objects that may have any shape: a wrong type reads as absent, never as a crash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from distributor.model.health import HealthStatus


@dataclass(frozen=True, slots=True)
class Told:
    """What a rule found: the status, and the words for a person."""

    status: HealthStatus
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One entry of ``status.conditions``; ``observed`` is the generation it speaks of, ``since`` its last change, if it says so."""

    type: str
    status: str
    reason: str
    message: str
    observed: int | None
    since: str = ""

    @property
    def words(self) -> str:
        """Reason and message together, as far as they are there."""
        return ": ".join(part for part in (self.reason, self.message) if part)


def current(message: str) -> Told:
    """Converged."""
    return Told(HealthStatus.CURRENT, message)


def in_progress(message: str) -> Told:
    """Not there yet."""
    return Told(HealthStatus.IN_PROGRESS, message)


def failed(message: str) -> Told:
    """Will not get there by itself."""
    return Told(HealthStatus.FAILED, message)


def unknown(message: str) -> Told:
    """Cannot be told."""
    return Told(HealthStatus.UNKNOWN, message)


def at(obj: object, *path: str) -> object:
    """The value at a path of map keys, or ``None``."""
    for key in path:
        if not isinstance(obj, Mapping):
            return None
        obj = obj.get(key)
    return obj


def text(obj: object, *path: str, default: str = "") -> str:
    """The text at a path."""
    value = at(obj, *path)
    return value if isinstance(value, str) else default


def maybe_number(obj: object, *path: str) -> int | None:
    """The whole number at a path, or ``None``."""
    value = at(obj, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(obj: object, *path: str, default: int = 0) -> int:
    """The whole number at a path."""
    value = maybe_number(obj, *path)
    return default if value is None else value


def maps(obj: object, *path: str) -> tuple[Mapping[str, Any], ...]:
    """The maps in the list at a path."""
    value = at(obj, *path)
    if not isinstance(value, list | tuple):
        return ()
    return tuple(item for item in value if isinstance(item, Mapping))


def conditions(obj: object) -> tuple[Condition, ...]:
    """``status.conditions``, in their order."""
    return conditions_of(at(obj, "status"))


def conditions_of(part: object) -> tuple[Condition, ...]:
    """The ``conditions`` of a part of an object, in their order."""
    return tuple(
        Condition(
            type=text(item, "type"),
            status=text(item, "status"),
            reason=text(item, "reason"),
            message=text(item, "message"),
            observed=maybe_number(item, "observedGeneration"),
            since=text(item, "lastTransitionTime"),
        )
        for item in maps(part, "conditions")
    )


def condition(obj: object, name: str) -> Condition | None:
    """The first condition of a type."""
    return next((c for c in conditions(obj) if c.type == name), None)


def moment(obj: object, *path: str) -> datetime | None:
    """The RFC 3339 time at a path, in UTC, or ``None``."""
    try:
        found = datetime.fromisoformat(text(obj, *path))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
