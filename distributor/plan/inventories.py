"""Inventories: widened before the first apply, narrowed only by what is confirmed to be gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from distributor.errors.cluster import Fenced
from distributor.model.changes import Action, Inventory, InventoryEntry, Outcome
from distributor.model.hooks import HookLog
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import Digest, ObjectRef
from distributor.plan.attesting import FOUND
from distributor.plan.hooks import without

_NO_UIDS: Mapping[ObjectRef, str] = MappingProxyType({})
_NOT_ALL = Digest("")


def widened(
    inventory: Inventory,
    desired: ManifestSet,
    *,
    sequence: int,
    ledger_commit: str,
    revision: str,
    hooks: HookLog | None = None,
) -> Inventory:
    """The inventory to write before anything is applied: all old objects and all new ones.

    ``desired`` are the instance's own objects, ``hooks`` is the section to come (``opened``): an object
    that has a run in it is no member any more. ``applied`` is empty until the end. A uid stays only with
    the digest that it was seen on, and the ledger commit with its sequence number. Raises ``Fenced`` where
    a later one has started already.
    """
    if sequence < inventory.sequence:
        raise Fenced(f"({sequence} after {inventory.sequence} on {inventory.cluster})")
    same = sequence == inventory.sequence and bool(inventory.ledger_commit)
    log = inventory.hooks if hooks is None else hooks
    running = {run.ref for run in log.runs.values()}
    entries = {ref: entry for ref, entry in inventory.entries.items() if ref not in running}
    for manifest in desired:
        entries[manifest.ref] = _entry(manifest, entries.get(manifest.ref))
    return replace(
        inventory,
        sequence=sequence,
        ledger_commit=inventory.ledger_commit if same else ledger_commit,
        revision=revision,
        applied=inventory.applied if same else Digest(""),
        entries=entries,
        hooks=log,
    )


def recovered(inventory: Inventory, found: Iterable[ObjectRef], *, whole: bool = True) -> Inventory:
    """With what was found by its label after the inventory was lost, and the new one does not name.

    ``whole`` says that everything was looked through: else it is to be done again.
    """
    running = {run.ref for run in inventory.hooks.runs.values()}
    lost = [ref for ref in found if ref not in inventory.entries and ref not in running]
    added = {ref: InventoryEntry(ref=ref, api_version="", digest=FOUND) for ref in lost}
    return replace(inventory, entries={**inventory.entries, **added}, recovering=not whole)


def says_the_same(inventory: Inventory, desired: ManifestSet) -> bool:
    """Whether an inventory names these very objects as they are desired, and nothing is under way.

    Whether all of them were applied stands on the objects themselves: each has its digest with it.
    """
    known = {ref: entry.digest for ref, entry in inventory.entries.items()}
    whole = inventory.hooks.occasion is None and not inventory.recovering
    return whole and known == {m.ref: m.digest for m in desired}


def _entry(manifest: Manifest, old: InventoryEntry | None) -> InventoryEntry:
    same = old is not None and old.digest == manifest.digest
    return InventoryEntry(
        ref=manifest.ref,
        api_version=manifest.api_version,
        digest=manifest.digest,
        uid=old.uid if old is not None and same else "",
    )


def narrowed(
    inventory: Inventory,
    pruned: Iterable[ObjectRef],
    applied: Digest = _NOT_ALL,
    uids: Mapping[ObjectRef, str] = _NO_UIDS,
) -> Inventory:
    """The inventory to write after: without ``pruned``, and with the uids that the target gave.

    ``pruned`` must hold only what was confirmed to be gone (``confirmed``). ``applied`` is the digest of
    the manifest set where all of it was applied, else empty.
    """
    gone = frozenset(pruned)
    entries = {
        ref: replace(entry, uid=uids[ref]) if uids.get(ref) else entry
        for ref, entry in inventory.entries.items()
        if ref not in gone
    }
    return replace(
        inventory, entries=entries, applied=applied, hooks=without(inventory.hooks, gone)
    )


def confirmed(outcomes: Iterable[Outcome]) -> frozenset[ObjectRef]:
    """The objects whose deletion succeeded, or that were gone already."""
    return frozenset(o.ref for o in outcomes if o.action is Action.PRUNED and o.error is None)


def seen_uids(outcomes: Iterable[Outcome]) -> dict[ObjectRef, str]:
    """The uids that the target gave to what was applied without error."""
    return {
        o.ref: o.uid
        for o in outcomes
        if o.uid and o.error is None and o.action is not Action.PRUNED
    }
