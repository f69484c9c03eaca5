"""Placing: a cluster-wide object has no namespace, whatever a render that did not know its scope gave it.

A render knows the kinds of Kubernetes and those that its own package defines. Of any other the cluster
knows the scope, and so references are put right before anything is compared, guarded or remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from distributor.health import is_custom
from distributor.model.changes import Inventory
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import GroupKind, ObjectRef

Kinds = Collection[GroupKind]


def unsure(refs: Iterable[ObjectRef]) -> frozenset[GroupKind]:
    """The kinds of these that may have a namespace only because nobody knew better."""
    kinds = {(ref.group, ref.kind) for ref in refs if ref.namespace}
    return frozenset(GroupKind(*kind) for kind in kinds if is_custom(kind[0]))


def ref_placed(ref: ObjectRef, wide: Kinds) -> ObjectRef:
    """The reference as it is where these kinds are cluster-wide."""
    return replace(ref, namespace="") if ref.namespace and ref.group_kind in wide else ref


def placed(manifests: ManifestSet, wide: Kinds) -> ManifestSet:
    """The objects without a namespace where their kind is cluster-wide; there may be doubles then."""
    if all(m.ref == ref_placed(m.ref, wide) for m in manifests):
        return manifests
    return ManifestSet.of(_placed(m, wide) for m in manifests)


def _placed(manifest: Manifest, wide: Kinds) -> Manifest:
    if manifest.ref == ref_placed(manifest.ref, wide):
        return manifest
    data = manifest.data()
    data["metadata"].pop("namespace", None)
    return Manifest.of(data)


def inventory_placed(inventory: Inventory, wide: Kinds) -> Inventory:
    """An inventory that was written before the scope was known, as it has to be read.

    What stands in it twice is there as it was written rightly.
    """
    entries, runs = inventory.entries.values(), inventory.hooks.runs.values()
    moved = [e for e in entries if e.ref != ref_placed(e.ref, wide)]
    moved_runs = [r for r in runs if r.ref != ref_placed(r.ref, wide)]
    if not (moved or moved_runs):
        return inventory
    right = [replace(e, ref=ref_placed(e.ref, wide)) for e in moved]
    right_runs = [replace(r, ref=ref_placed(r.ref, wide)) for r in moved_runs]
    kept = {ref: e for ref, e in inventory.entries.items() if ref == ref_placed(ref, wide)}
    kept_runs = {
        name: r for name, r in inventory.hooks.runs.items() if r.ref == ref_placed(r.ref, wide)
    }
    hooks = replace(inventory.hooks, runs={**{r.name: r for r in right_runs}, **kept_runs})
    return replace(inventory, entries={**{e.ref: e for e in right}, **kept}, hooks=hooks)
