"""Health in kstatus words, with one order of worse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from distributor.model.refs import Digest, ObjectRef


class HealthStatus(StrEnum):
    """Whether an object converged (kstatus)."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


_WORSE = (
    HealthStatus.CURRENT,
    HealthStatus.IN_PROGRESS,
    HealthStatus.TERMINATING,
    HealthStatus.UNKNOWN,
    HealthStatus.NOT_FOUND,
    HealthStatus.FAILED,
)


def worst(statuses: Iterable[HealthStatus]) -> HealthStatus:
    """The worst of several; ``Unknown`` for none, because nothing was seen."""
    found = list(statuses)
    return max(found, key=_WORSE.index) if found else HealthStatus.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRule:
    """One rule of a package for a kind: the status that it gives ``when`` a CEL expression over ``object`` holds."""

    status: HealthStatus
    when: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHealth:
    """The health of one object, with what to tell a person.

    ``revision`` is the digest of the manifest that it was observed on, empty where that is not known.
    """

    ref: ObjectRef
    api_version: str
    status: HealthStatus
    message: str = ""
    observed_at: datetime | None = None
    revision: Digest = Digest("")
