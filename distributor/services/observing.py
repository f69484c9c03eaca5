"""Observing: the health of an instance's objects on one target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from distributor.health import absent, health, plain_kinds
from distributor.model.changes import Inventory, LiveObject
from distributor.model.health import ObjectHealth
from distributor.model.manifest import ManifestSet
from distributor.model.refs import GroupKind, ObjectRef
from distributor.services.world import World

_CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")


def observed(
    world: World,
    inventory: Inventory | None,
    desired: ManifestSet,
    live: Mapping[ObjectRef, LiveObject],
) -> tuple[ObjectHealth, ...]:
    """The health of every desired object, there or not; a Job that its TTL took is not missed."""
    now = world.clock.now()
    plain = plain_kinds(m.data() for m in desired if m.ref.group_kind == _CRD)
    known = inventory.entries if inventory else {}
    seen: list[ObjectHealth] = []
    for manifest in desired:
        found = live.get(manifest.ref)
        if found is not None:
            seen.append(replace(health(found.data, now, plain=plain), ref=manifest.ref))
            continue
        entry = known.get(manifest.ref)
        applied = entry is not None and entry.uid != "" and entry.digest == manifest.digest
        seen.append(absent(manifest, applied=applied))
    return tuple(seen)
