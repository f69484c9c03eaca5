"""Drift on a target whose revision is applied in full: healed, reported, or left with a word about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from distributor import metrics
from distributor.errors import Where
from distributor.errors.cluster import Drift, DriftPaused, HeldByAnother
from distributor.model.changes import Action, Change, ChangeSet, Inventory, LiveObject
from distributor.model.drift import (
    DriftedField,
    ObjectDrift,
    Standing,
    contested,
    fields_told,
)
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import DriftMode
from distributor.model.refs import ObjectRef
from distributor.plan import changes, loosened
from distributor.ports import TargetConnection
from distributor.services.targets.comparing import changes_of, entries_of, unread
from distributor.services.targets.observing import NOTHING_ASTRAY
from distributor.services.targets.work import Scope, Work

_UNTOLD = MappingProxyType(
    {
        Action.CREATED: "was deleted from the target",
        Action.CONFIGURED: "is not what was applied",
        Action.PRUNED: "is no part of what was applied",
    }
)
"""What to say of a change of a settled target that gives no reason of its own."""
_SHOWN = 3
"""Objects that the word about a pause names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look at a settled target found: what is to be done, what is there, and what drifted.

    ``astray`` are the objects that stay otherwise than applied, with their fields in words.
    """

    planned: ChangeSet
    live: Mapping[ObjectRef, LiveObject]
    drifted: tuple[ObjectDrift, ...] = ()
    astray: Mapping[ObjectRef, str] = field(default_factory=lambda: NOTHING_ASTRAY)


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
        return await _paused(connection, work, scope, inventory, seen)
    healing = work.drift is DriftMode.HEAL
    work = work if healing else replace(work, resting=frozenset())
    planned, live = await changes_of(connection, work, scope, inventory, seen)
    drifted = tuple(one for c in planned.changes for one in _drift_of(work, c, live.get(c.ref)))
    again = seen is not None and not planned.empty and healing  # then it is read once more
    if not again:
        count = len({one.ref for one in drifted})
        metrics.DRIFT.labels(work.environment, work.drift.value).inc(count)
    if healing:
        return Looked(planned=planned, live=live, drifted=drifted, astray=stays(planned.changes))
    kept = (f for f in planned.findings if f.code != HeldByAnother.code)
    return Looked(
        planned=ChangeSet(findings=(*kept, *_reported(drifted))),
        live=live,
        drifted=drifted,
        astray=_astray((one.ref, one.fields) for one in drifted),
    )


def stays(planned: Iterable[Change]) -> Mapping[ObjectRef, str]:
    """The objects of which something stays otherwise than applied after these changes, in words."""
    return _astray((change.ref, change.left) for change in planned)


async def _paused(
    connection: TargetConnection,
    work: Work,
    scope: Scope,
    inventory: Inventory,
    seen: Mapping[ObjectRef, LiveObject] | None,
) -> Looked:
    """Nothing is asked for it that health does not ask for, and nothing is sent; the word about it says more."""
    live = seen if seen is not None else await connection.read_live(entries_of(scope.members))
    ignore = replace(work.ignore, rules=()) if connection.delivered_only else work.ignore
    found = changes(
        scope.members,
        inventory,
        live,
        owner=work.owner,
        prune=work.prune,
        adopt=work.adopt,
        ignore=ignore,
        undo=work.undo,
    )
    astray = _astray((c.ref, (*c.drift, *c.left)) for c in found.changes)
    words = [f"{ref}: {told}" for ref, told in sorted(astray.items())]
    rest = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    message = f"(now {'; '.join(words[:_SHOWN])}{rest})" if words else ""
    told = Finding.of(DriftPaused, message, severity=Severity.WARNING)
    planned = ChangeSet(findings=(*unread(live), told, *scope.findings))
    return Looked(planned=planned, live=live, astray=astray)


def _drift_of(work: Work, change: Change, there: LiveObject | None) -> Iterator[ObjectDrift]:
    """What of one object is not as applied: what this look puts right, what it leaves, and what rests."""
    healing = work.drift is DriftMode.HEAL
    if change.action in _UNTOLD:
        fields = change.drift
        if not fields and change.manifest is not None and there is not None:
            loose = loosened(change.manifest, there)
            fields = (loose,) if loose else ()
        yield ObjectDrift(
            ref=change.ref,
            told=change.reason or _UNTOLD[change.action],
            standing=Standing.HEALED if healing else Standing.LEFT,
            fields=fields,
        )
    resting = tuple(f for f in change.left if contested(change.ref, f) in work.resting)
    left = tuple(f for f in change.left if f not in resting)
    for standing, fields in ((Standing.LEFT, left), (Standing.RESTING, resting)):
        if fields:
            told = f"drift: {fields_told(fields)}"
            yield ObjectDrift(ref=change.ref, told=told, standing=standing, fields=fields)
    if there is None and contested(change.ref) in work.resting and change.action not in _UNTOLD:
        told = _UNTOLD[Action.CREATED]
        yield ObjectDrift(ref=change.ref, told=told, standing=Standing.RESTING)


def _reported(drifted: Iterable[ObjectDrift]) -> Iterator[Finding]:
    by_ref: dict[ObjectRef, list[str]] = {}
    for one in drifted:
        by_ref.setdefault(one.ref, []).append(one.told)
    for ref, told in by_ref.items():
        where = Where(file=str(ref))
        yield Finding.of(Drift, f"({'; '.join(told)})", where, severity=Severity.WARNING)


def _astray(
    found: Iterable[tuple[ObjectRef, tuple[DriftedField, ...]]],
) -> Mapping[ObjectRef, str]:
    """Objects by what of them is not as applied.

    What an admission webhook set at our own write is not: there the cluster itself says how the revision runs.
    """
    by_ref: dict[ObjectRef, list[DriftedField]] = {}
    for ref, fields in found:
        if set_since := [one for one in fields if not one.at_write]:
            by_ref.setdefault(ref, []).extend(set_since)
    return {ref: fields_told(fields) for ref, fields in by_ref.items()}
