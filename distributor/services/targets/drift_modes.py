"""Drift on a target whose revision is applied in full: healed, reported, or not looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from distributor import metrics
from distributor.errors import Where
from distributor.errors.cluster import Drift, DriftPaused
from distributor.model.changes import Action, ChangeSet, Inventory, LiveObject
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import DriftMode
from distributor.model.refs import ObjectRef
from distributor.ports import TargetConnection
from distributor.services.targets.comparing import changes_of, entries_of, unread
from distributor.services.targets.work import Scope, Work

_UNTOLD = MappingProxyType(
    {
        Action.CREATED: "was deleted from the target",
        Action.CONFIGURED: "is not what was applied",
        Action.PRUNED: "is no part of what was applied",
    }
)
"""What to say of a change of a settled target that gives no reason of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look at a settled target found: what is to be done, what is there, and the drift in words."""

    planned: ChangeSet
    live: Mapping[ObjectRef, LiveObject]
    drift: tuple[str, ...] = ()


async def look_for_drift(
    connection: TargetConnection,
    work: Work,
    scope: Scope,
    inventory: Inventory,
    seen: Mapping[ObjectRef, LiveObject] | None = None,
) -> Looked:
    """Compare a settled target with its revision, as its drift mode has it; ``planned`` is what heals it.

    What was ``seen`` there just now is not read again.
    """
    if work.drift is DriftMode.PAUSE:
        members = entries_of(scope.members)
        live = seen if seen is not None else await connection.read_live(members)
        told = Finding.of(DriftPaused, severity=Severity.WARNING)
        return Looked(planned=ChangeSet(findings=(*unread(live), told, *scope.findings)), live=live)
    planned, live = await changes_of(connection, work, scope, inventory, seen)
    found = planned.of(*_UNTOLD)
    if (
        seen is None or planned.empty or work.drift is not DriftMode.HEAL
    ):  # else it is looked at again
        metrics.DRIFT.labels(work.environment, work.drift.value).inc(len(found))
    drift = {str(c.ref): c.reason or _UNTOLD[c.action] for c in found}
    lines = tuple(f"{ref}: {reason}" for ref, reason in drift.items())
    if work.drift is DriftMode.HEAL:
        return Looked(planned=planned, live=live, drift=lines)
    told_each = tuple(
        Finding.of(Drift, f"({reason})", Where(file=ref), severity=Severity.WARNING)
        for ref, reason in drift.items()
    )
    left = ChangeSet(findings=(*planned.findings, *told_each))
    return Looked(planned=left, live=live, drift=lines)
