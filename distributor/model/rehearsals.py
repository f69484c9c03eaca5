"""Rehearsals: what a target says of an object that it is asked to try, and not to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from distributor.model.changes import LiveObject
from distributor.model.findings import Finding, Severity
from distributor.model.hooks import HookStep
from distributor.model.manifest import Manifest
from distributor.model.ownership import Claim
from distributor.model.refs import ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What applying one object would come to.

    ``error`` is what it would fail with, ``unasked`` why there is no answer that can be relied on. Without
    either it would succeed, and ``made`` is the object as it would be, with what the target itself puts in.
    """

    ref: ObjectRef
    error: Finding | None = None
    unasked: str = ""
    made: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookAhead:
    """What a hook would begin with.

    ``told`` is what is to be said of it: an error where it would not begin. ``body`` is what would be applied,
    with a ``claim`` and over what is ``live``; ``None`` where it is at work or ended, or where what an earlier
    run left is deleted first, as no target can try that.
    """

    step: HookStep
    told: Finding | None = None
    body: Manifest | None = None
    claim: Claim | None = None
    live: LiveObject | None = None

    @property
    def stops(self) -> bool:
        """Whether it would not begin."""
        return self.told is not None and self.told.severity is Severity.ERROR
