"""The order of steps that the executor keeps to, as far as targets see it."""

from __future__ import annotations

from dataclasses import replace

from distributor.model.changes import Inventory, Outcome
from distributor.model.manifest import Manifest
from distributor.ports import TargetConnection
from tests.contract.targets.objects import ENVIRONMENT, INSTANCE, entry, inventory


class Stopped(Exception):
    """An object failed, and the pass ended there."""


def settled(outcomes: tuple[Outcome, ...]) -> None:
    if any(outcome.error for outcome in outcomes):
        raise Stopped


async def bring(at: TargetConnection, sequence: int, new: tuple[Manifest, ...]) -> None:
    """Widen the inventory, apply, delete, narrow."""
    old = await at.read_inventory(ENVIRONMENT, INSTANCE)
    known = old.entries if old else {}
    wanted = {m.ref: entry(m) for m in new}
    wide = inventory(sequence=sequence, entries={**known, **wanted}, token=old.token if old else "")
    wide = await at.write_inventory(wide)
    for group in [[m] for m in new] if at.ordered else [new]:
        settled(await at.apply(wide, group))
    settled(await at.delete(wide, [e for ref, e in known.items() if ref not in wanted]))
    await at.write_inventory(replace(wide, entries=wanted))


def names(kept: Inventory | None) -> set[str]:
    return {str(ref) for ref in kept.entries} if kept else set()
