"""Two sets of objects side by side: what ``distributor diff`` and drift detection tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from distributor.health import is_custom
from distributor.model.changes import Inventory
from distributor.model.manifest import Manifest
from distributor.model.package import IgnoreRule
from distributor.model.refs import ObjectRef
from distributor.plan.drift import FieldDrift, diff
from distributor.plan.ignoring import NOTHING_IGNORED, Ignoring
from distributor.plan.ownership import OUR_MANAGER
from distributor.plan.scaling import SCALER
from distributor.plan.scaling import scaled as scaled_by
from distributor.render.hooks import hook_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Desired against live; all three empty means in sync."""

    missing: tuple[ObjectRef, ...] = ()
    extra: tuple[ObjectRef, ...] = ()
    changed: Mapping[ObjectRef, tuple[FieldDrift, ...]] = field(default_factory=dict)

    @property
    def in_sync(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.missing or self.extra or self.changed)


def compare(
    desired: Iterable[Manifest],
    live: Iterable[Mapping[str, Any]],
    inventory: Inventory | None = None,
    *,
    manager: str = OUR_MANAGER,
    ignore: Ignoring = NOTHING_IGNORED,
) -> Comparison:
    """Missing and changed objects; extra ones only by an inventory, since the rest is not ours.

    Hooks run around a change and are no part of what should be there, so they are not looked at. A
    manifest that names no namespace also matches its namesake in ``default``, a custom resource one that
    has none: its kind is cluster-wide then. The replicas of what an
    autoscaler of either set scales are not compared, nor what ``ignore`` leaves to others. Raises
    ``BadManifest`` where a live object has no identity.
    """
    there = {Manifest.of(obj).ref: obj for obj in live}
    wanted = sorted(desired, key=lambda m: m.ref)
    scaled = set(scaled_by([m.data() for m in wanted if m.ref.kind == SCALER]))
    scaled.update(scaled_by([o for ref, o in there.items() if ref.kind == SCALER]))
    missing: list[ObjectRef] = []
    changed: dict[ObjectRef, tuple[FieldDrift, ...]] = {}
    met: set[ObjectRef] = set()
    for manifest in wanted:
        if hook_of(manifest) is not None:
            continue
        ref = _match(manifest.ref, there)
        if ref is None:
            missing.append(manifest.ref)
            continue
        met.add(ref)
        held = _held(manifest.ref) if {ref, manifest.ref} & scaled else ()
        drifted = diff(
            manifest, there[ref], manager=manager, ignore=(*ignore.of(ref, there[ref]), *held)
        )
        if drifted:
            changed[manifest.ref] = drifted
    known = inventory.entries.keys() if inventory is not None else frozenset[ObjectRef]()
    extra = tuple(ref for ref in sorted(there) if ref in known and ref not in met)
    return Comparison(missing=tuple(missing), extra=extra, changed=changed)


def _held(ref: ObjectRef) -> tuple[IgnoreRule, ...]:
    return (IgnoreRule(kind=ref.group_kind, name=ref.name, fields=("/spec/replicas",)),)


def _match(ref: ObjectRef, there: Mapping[ObjectRef, object]) -> ObjectRef | None:
    if ref in there:
        return ref
    wide = ObjectRef(ref.group, ref.kind, "", ref.name)
    if is_custom(ref.group) and wide in there:
        return wide
    elsewhere = ObjectRef(ref.group, ref.kind, "default", ref.name)
    return elsewhere if not ref.namespace and elsewhere in there else None
