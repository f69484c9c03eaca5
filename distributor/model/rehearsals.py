"""Rehearsals: what a target says of an object that it is asked to try, and not to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from distributor.model.findings import Finding
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
