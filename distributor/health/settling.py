"""Statuses that do not say which generation they speak of: right after a change they count for nothing yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from distributor.health.fields import (
    Told,
    at,
    conditions,
    in_progress,
    maps,
    maybe_number,
    moment,
    text,
)

SETTLE = timedelta(seconds=10)
"""How long a controller has to take notice of a change where nothing would show that it has."""


def unsettled(obj: Mapping[str, Any], now: datetime | None) -> Told | None:
    """Whether an object was applied just now, anew, and its status may be of the time before.

    Only where the status is silent about generations; the first generation has no time before. The time is
    that of the API server, in the managed fields; a clock that is far from ours keeps nobody waiting.
    """
    generation = maybe_number(obj, "metadata", "generation")
    changed = generation is not None and generation > 1
    if now is None or not changed or not at(obj, "status"):
        return None
    if maybe_number(obj, "status", "observedGeneration") is not None:
        return None
    if any(c.observed is not None for c in conditions(obj)):
        return None
    applied = _applied_at(obj)
    if applied is None or abs(now - applied) >= SETTLE:
        return None
    return in_progress("It changed just now, and its status does not say of which generation it is")


def _applied_at(obj: Mapping[str, Any]) -> datetime | None:
    """When what is asked for was last applied with a difference."""
    times = [
        moment(entry, "time")
        for entry in maps(obj, "metadata", "managedFields")
        if text(entry, "operation") == "Apply" and not text(entry, "subresource")
    ]
    return max((t for t in times if t is not None), default=None)
