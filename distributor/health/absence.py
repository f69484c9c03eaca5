"""What it means that a desired object is not there."""

from __future__ import annotations

from dataclasses import replace

from distributor.health.fields import maybe_number
from distributor.model.health import HealthStatus, ObjectHealth
from distributor.model.manifest import Manifest
from distributor.model.refs import GroupKind

_JOB = GroupKind("batch", "Job")
_GONE = " (gone after its TTL)"
_UNSEEN = "The Job is gone after its TTL and its end was not seen; raise ttlSecondsAfterFinished"


def absent(manifest: Manifest, *, applied: bool, last: ObjectHealth | None = None) -> ObjectHealth:
    """The health of a desired object that the target does not have.

    A Job with ``ttlSecondsAfterFinished`` is removed by the cluster when it has ended. If this very
    manifest was ``applied``, its end stands as it was last observed; if that was never seen, it is
    Unknown. Anything else that is missing is NotFound.
    """
    status, message = HealthStatus.NOT_FOUND, "The object is not there"
    if applied and goes_by_itself(manifest):
        if last is not None and last.status in {HealthStatus.CURRENT, HealthStatus.FAILED}:
            told = last.message.removesuffix(_GONE)
            return replace(last, message=f"{told}{_GONE}")
        status, message = HealthStatus.UNKNOWN, _UNSEEN
    return ObjectHealth(
        ref=manifest.ref, api_version=manifest.api_version, status=status, message=message
    )


def goes_by_itself(manifest: Manifest) -> bool:
    """Whether the cluster removes the object once it has ended."""
    return (
        manifest.ref.group_kind == _JOB
        and maybe_number(manifest.data(), "spec", "ttlSecondsAfterFinished") is not None
    )
