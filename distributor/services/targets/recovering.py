"""Recovering: an inventory that is lost is made anew from the labels of what it held, or said to be lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from distributor.errors.cluster import InventoryBroken, NotSurveyed
from distributor.model.changes import (
    Actuation,
    ChangeSet,
    Inventory,
    InventoryEntry,
    LiveObject,
    TargetReport,
)
from distributor.model.findings import Finding, Severity
from distributor.model.refs import Digest, ObjectRef
from distributor.plan import made_here, recovered
from distributor.ports import TargetConnection
from distributor.services.targets.comparing import unread
from distributor.services.targets.reporting import reported
from distributor.services.targets.work import Run, Work
from distributor.services.world import World

_SHOWN = 10
"""Objects that a message names."""


def begun(
    begin: Inventory,
    first: tuple[ChangeSet, Mapping[ObjectRef, LiveObject]] | None,
    owner: str,
) -> Inventory:
    """The inventory to begin with; ``first`` is what was there where there was none.

    Whether one was lost must stand in the first one after it: a later pass could not tell any more.
    """
    there = first[1].values() if first is not None else ()
    lost = any(made_here(found, owner) for found in there)
    return replace(begin, recovering=begin.recovering or lost)


async def recover(run: Run) -> Inventory:
    """Without an inventory, and yet with objects of ours: it was lost, and labels say what it held."""
    hooks = {hook.ref for hook in run.scope.hooks}
    survey = await run.connection.owned(run.work.instance)
    owned = [ref for ref in survey.refs if ref not in hooks]
    if survey.unread:
        told = f"({_shown(survey.unread)})"
        run.warnings.append(Finding.of(NotSurveyed, told, severity=Severity.WARNING))
    found = recovered(run.inventory, owned, whole=not survey.unread)
    if found != run.inventory:
        run.inventory = await run.connection.write_inventory(found)
    return run.inventory


def _shown(texts: Sequence[str]) -> str:
    return ", ".join(texts[:_SHOWN]) + (" ..." if len(texts) > _SHOWN else "")


async def never_there(world: World, connection: TargetConnection, work: Work) -> TargetReport:
    """Nothing to remove, or nothing that says what to remove: the labels on the objects tell."""
    entries = [
        InventoryEntry(ref=m.ref, api_version=m.api_version, digest=Digest("")) for m in work.former
    ]
    live = await connection.read_live(entries) if entries else {}
    named = {ref for ref, found in live.items() if found.owner == work.owner}
    survey = await connection.owned(work.instance)
    ours = sorted(map(str, named | set(survey.refs)))
    if ours:
        told = _shown(ours)
        raise InventoryBroken(f"It is gone, but {len(ours)} of its objects are there: {told}.")
    if survey.unread:
        raise NotSurveyed(f"({_shown(survey.unread)})")
    unseen = unread(live)
    actuation = Actuation.FAILED if unseen else Actuation.APPLIED
    delivered = connection.delivered_only
    return reported(world, work, actuation, delivered=delivered, findings=unseen)
