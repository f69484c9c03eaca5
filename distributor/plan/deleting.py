"""Deleting: whether a deletion that was asked for is overdue."""

from __future__ import annotations

from datetime import datetime

from distributor.health.fields import moment
from distributor.model.changes import LiveObject


def overdue(there: LiveObject, now: datetime, patience: float) -> bool:
    """Whether an object should have been gone for so many seconds, by the target's clock where it tells.

    Its ``deletionTimestamp`` has the time in it that its pods are given to end.
    """
    due = moment(there.data, "metadata", "deletionTimestamp")
    return due is not None and ((there.read_at or now) - due).total_seconds() > patience
