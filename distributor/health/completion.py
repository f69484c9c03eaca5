"""Whether something that runs to an end has come to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from distributor.health.fields import conditions, text
from distributor.health.object import health
from distributor.model.health import HealthStatus, ObjectHealth
from distributor.model.refs import GroupKind

_JOB = GroupKind("batch", "Job")
_POD = GroupKind("", "Pod")


def runs_to_an_end(kind: GroupKind) -> bool:
    """Whether objects of a kind end by themselves: Jobs and Pods, as Helm has it for hooks."""
    return kind in {_JOB, _POD}


def completion(obj: Mapping[str, Any], now: datetime | None = None) -> ObjectHealth:
    """The health of a live object whose end is waited for.

    Current is a Job that is Complete and a Pod that Succeeded; Failed one that ended otherwise. All else
    is in progress, whatever ``health`` makes of it: there a Job at work is current, and a Pod that
    crashes may still be mended. Other kinds are there, so they are current.
    """
    found = health(obj, now)
    if not runs_to_an_end(found.ref.group_kind) or _ended(obj, "Complete", "Succeeded"):
        status = HealthStatus.CURRENT
    elif _ended(obj, "Failed", "Failed"):
        status = HealthStatus.FAILED
    else:
        status = HealthStatus.IN_PROGRESS
    return replace(found, status=status)


def _ended(obj: Mapping[str, Any], condition: str, phase: str) -> bool:
    if text(obj, "kind") == _POD.kind:
        return text(obj, "status", "phase") == phase
    return any(c.type == condition and c.status == "True" for c in conditions(obj))
