"""Rules for the kinds that run pods: the fields and their order are those of kstatus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from distributor.health.fields import (
    Told,
    at,
    conditions,
    current,
    failed,
    in_progress,
    maybe_number,
    number,
    text,
)

_NO_DEADLINE = 2**31 - 1  # the Deployment controller reads this as "no progress deadline"
Shortfall = tuple[str, int, int]
"""A word, how many there are, how many there must be."""


def _short(counts: Iterable[Shortfall]) -> Told | None:
    for word, have, want in counts:
        if want > have:
            return in_progress(f"{word}: {have}/{want}")
    return None


def _surplus(have: int, want: int) -> Told | None:
    return in_progress(f"Pending termination: {have - want}") if have > want else None


def deployment(obj: Mapping[str, Any]) -> Told:
    """Rolled out and available; a progress deadline that passed is a failure."""
    deadline = number(obj, "spec", "progressDeadlineSeconds", default=_NO_DEADLINE)
    progressed, available = deadline == _NO_DEADLINE, False
    for c in conditions(obj):
        if c.type == "Progressing" and c.reason == "ProgressDeadlineExceeded":
            return failed(f"Progress deadline exceeded. {c.message}".strip())
        if c.type == "Progressing" and c.reason == "NewReplicaSetAvailable":
            progressed = progressed or c.status == "True"
        if c.type == "Available":
            available = available or c.status == "True"
    want = number(obj, "spec", "replicas", default=1)
    have, updated, ready, usable = (
        number(obj, "status", name)
        for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    )
    waiting = (
        _short((("Replicas", have, want), ("Updated", updated, want)))
        or _surplus(have, want)
        or _short((("Available", usable, updated), ("Ready", ready, want)))
    )
    if waiting is not None:
        return _because(obj, waiting)
    if not progressed:
        return in_progress("ReplicaSet not Available")
    if not available:
        return in_progress("Deployment not Available")
    return current(f"Deployment is available. Replicas: {have}")


def _because(obj: Mapping[str, Any], waiting: Told) -> Told:
    """With what keeps a Deployment from its pods: that it is paused, a quota, a refusal."""
    why = next(
        (c.words for c in conditions(obj) if c.type == "ReplicaFailure" and c.status == "True"), ""
    )
    paused = "it is paused" if at(obj, "spec", "paused") is True else ""
    told = [waiting.message, *(part for part in (paused, why) if part)]
    return Told(waiting.status, "; ".join(told))


def stateful_set(obj: Mapping[str, Any]) -> Told:
    """All replicas ready at the update revision; ``OnDelete`` leaves the update to a person.

    Pods are asked for whatever the strategy, and servers that default ``partition`` to 0 mean none by it:
    there kstatus looks at less.
    """
    want = number(obj, "spec", "replicas", default=1)
    have = number(obj, "status", "replicas")
    needed = [("Replicas", have, want), ("Ready", number(obj, "status", "readyReplicas"), want)]
    if maybe_number(obj, "spec", "minReadySeconds"):
        needed.append(("Available", number(obj, "status", "availableReplicas"), want))
    waiting = _short(needed) or _surplus(have, want)
    if waiting is not None:
        return waiting
    if text(obj, "spec", "updateStrategy", "type") == "OnDelete":
        return current("StatefulSet is using the OnDelete update strategy")
    partition = maybe_number(obj, "spec", "updateStrategy", "rollingUpdate", "partition")
    updated = number(obj, "status", "updatedReplicas")
    if partition:
        return _short((("Updated", updated, want - partition),)) or current(
            f"Partition rollout complete. Updated: {updated}"
        )
    waiting = _short((("Current", number(obj, "status", "currentReplicas"), want),))
    if waiting is not None:
        return waiting
    if text(obj, "status", "currentRevision") != text(obj, "status", "updateRevision"):
        return in_progress("Waiting for updated revision to match current")
    return current(f"All replicas scheduled as expected. Replicas: {have}")


def daemon_set(obj: Mapping[str, Any]) -> Told:
    """Ready on every node that it is wanted on, once its controller has looked at it."""
    if maybe_number(obj, "metadata", "generation") is None:
        return in_progress("DaemonSet metadata.generation not found")
    if maybe_number(obj, "status", "observedGeneration") is None:
        return in_progress("DaemonSet status.observedGeneration not found")
    want = maybe_number(obj, "status", "desiredNumberScheduled")
    if want is None:
        return in_progress("Missing .status.desiredNumberScheduled")
    updated = number(obj, "status", "updatedNumberScheduled")
    if text(obj, "spec", "updateStrategy", "type") == "OnDelete":
        updated = want  # the update is left to a person, as with a StatefulSet
    return _short(
        (
            ("Current", number(obj, "status", "currentNumberScheduled"), want),
            ("Updated", updated, want),
            ("Available", number(obj, "status", "numberAvailable"), want),
            ("Ready", number(obj, "status", "numberReady"), want),
        )
    ) or current(f"All replicas scheduled as expected. Replicas: {want}")


def replica_set(obj: Mapping[str, Any]) -> Told:
    """All replicas labelled, available and ready."""
    for c in conditions(obj):
        if c.type == "ReplicaFailure" and c.status == "True":
            return in_progress(f"Replica Failure condition. Check Pods. {c.message}".strip())
    want = number(obj, "spec", "replicas", default=1)
    have = number(obj, "status", "replicas")
    return (
        _short(
            (
                ("Labelled", number(obj, "status", "fullyLabeledReplicas"), want),
                ("Available", number(obj, "status", "availableReplicas"), want),
                ("Ready", number(obj, "status", "readyReplicas"), want),
            )
        )
        or _surplus(have, want)
        or current(f"ReplicaSet is available. Replicas: {have}")
    )


def job(obj: Mapping[str, Any]) -> Told:
    """Finished, or at work: kstatus calls a Job current once it has started, and so a suspended one."""
    goal = number(obj, "spec", "completions", default=number(obj, "spec", "parallelism", default=1))
    done, active, lost = (number(obj, "status", n) for n in ("succeeded", "active", "failed"))
    for c in conditions(obj):
        if c.status != "True":
            continue
        if c.type == "Complete":
            return current(f"Job Completed. succeeded: {done}/{goal}")
        if c.type == "Failed":
            return failed(f"Job Failed. failed: {lost}/{goal} {c.words}".strip())
        if c.type == "Suspended":
            return current("Job is suspended")
    if not text(obj, "status", "startTime"):
        return in_progress("Job not started")
    return current(f"Job in progress. success: {done}, active: {active}, failed: {lost}")
