"""The rule for pods, which alone needs the time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from distributor.health.fields import (
    Told,
    conditions,
    current,
    failed,
    in_progress,
    maps,
    moment,
    text,
    unknown,
)

SCHEDULE_WINDOW = timedelta(seconds=15)
"""How long a pod may be unschedulable before that is a failure (kstatus)."""
_PULL = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
_CONFIGURED = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_CONTAINERS = ("initContainerStatuses", "containerStatuses")


def pod(obj: Mapping[str, Any], now: datetime | None) -> Told:
    """Ready or completed; crash loops, and pods that no node takes for 15 s, are failures.

    A pod that ended in phase ``Failed`` is current, as in kstatus: nothing more will happen to it, and
    the object that made it tells whether that matters.
    """
    phase = text(obj, "status", "phase")
    match phase:
        case "Succeeded":
            return current("Pod has completed successfully")
        case "Failed":
            return current("Pod has completed, but not successfully")
        case "Running":
            return _running(obj)
        case "Pending":
            return _pending(obj, now)
        case "":
            return in_progress("Pod phase not available")
        case _:
            return unknown(f"Pod phase {phase} is not one that is known")


def _running(obj: Mapping[str, Any]) -> Told:
    if any(c.type == "Ready" and c.status == "True" for c in conditions(obj)):
        return current("Pod is Ready")
    crashing = _waiting(obj, frozenset({"CrashLoopBackOff"}), ("containerStatuses",))
    if crashing:
        return failed(f"Containers in CrashLoop state: {','.join(crashing)}")
    return _pulling(obj) or in_progress("Pod is running but is not Ready")


def _pending(obj: Mapping[str, Any], now: datetime | None) -> Told:
    for c in conditions(obj):
        if c.type == "PodScheduled" and c.status == "False" and c.reason == "Unschedulable":
            born = moment(obj, "metadata", "creationTimestamp")
            if now is not None and born is not None and now - born < SCHEDULE_WINDOW:
                return in_progress(f"Pod has not been scheduled. {c.message}".strip())
            return failed(f"Pod could not be scheduled. {c.message}".strip())
    crashing = _waiting(obj, frozenset({"CrashLoopBackOff"}), ("initContainerStatuses",))
    if crashing:
        return failed(f"Init containers in CrashLoop state: {','.join(crashing)}")
    return _pulling(obj) or in_progress("Pod is in the Pending phase")


def _pulling(obj: Mapping[str, Any]) -> Told | None:
    """An image or a Secret that is not there may come yet, so it is progress; the words name the container."""
    stuck = _waiting(obj, _PULL, _CONTAINERS)
    if stuck:
        return in_progress(f"Images cannot be pulled: {','.join(stuck)}")
    stuck = _waiting(obj, _CONFIGURED, _CONTAINERS)
    return in_progress(f"Containers cannot be created: {','.join(stuck)}") if stuck else None


def _waiting(
    obj: Mapping[str, Any], reasons: frozenset[str], lists: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(
        text(status, "name")
        for field in lists
        for status in maps(obj, "status", field)
        if text(status, "state", "waiting", "reason") in reasons
    )
