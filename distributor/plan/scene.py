"""The scene: what a change of one object is judged by, and whose what is there is, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from distributor.model.changes import InventoryEntry, LiveObject
from distributor.model.consents import Permits
from distributor.model.drift import Contested
from distributor.model.manifest import Manifest
from distributor.model.package import PrunePolicy
from distributor.model.refs import GroupKind, ObjectRef
from distributor.plan.attesting import instance_of, is_copy, lost_its_label, went_from, writers
from distributor.plan.claims import consented, undone
from distributor.plan.conflicts import Held
from distributor.plan.drift import AUTOSCALER
from distributor.plan.ignoring import Ignoring
from distributor.render.applyset import applyset_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a change is judged by."""

    entries: Mapping[ObjectRef, InventoryEntry]
    live: Mapping[ObjectRef, LiveObject]
    owner: str
    prune: Mapping[GroupKind, PrunePolicy]
    consents: frozenset[ObjectRef]
    wanted_uids: frozenset[str]
    adopt: frozenset[str]
    ignore: Ignoring
    adopting: bool
    names: Collection[str]
    undo: Collection[str]
    unscaled: Collection[ObjectRef]
    resting: Collection[Contested]
    permits: Permits

    def permitted(self, there: LiveObject, fields: Held) -> Held:
        """The fields, by their managers, that people agreed to take."""
        if self.adopting:
            return fields
        over = self.permits.over(there.ref, there.uid)
        return {manager: held for manager, held in fields.items() if manager in over}

    def gives_way(self, manifest: Manifest, there: LiveObject) -> frozenset[str]:
        """The managers whose values in fields of ours are drift, or no conflict."""
        gone = {AUTOSCALER} if manifest.ref in self.unscaled else set[str]()
        return self.adopt | consented(manifest) | undone(there.data, self.undo) | gone

    def belongs(self, there: LiveObject) -> str:
        """Whose an object is, in words: the instance where it is known, else the id of its ApplySet."""
        if lost_its_label(there):
            return f"lost its owner label; {_instance(there) or 'an instance'} applied it"
        if not there.owner:
            return "belongs to nobody"
        if is_copy(there, self.owner):
            return f"only carries a copy of our label: {writers(there) or 'others'} made it"
        whose, ours = (self._named(owner) for owner in (there.owner, self.owner))
        told = f"belongs to {whose or owner_told(there)}"
        if went_from(there, self.owner):
            return f"{told}, which took it over from {ours or 'this one'}"
        return f"{told}, wanted by {ours}" if ours else told

    def _named(self, owner: str) -> str:
        return next((f"instance {name}" for name in self.names if applyset_id(name) == owner), "")


def owner_told(there: LiveObject) -> str:
    """The instance that an object names, if it does, and its owner's id."""
    named = _instance(there)
    return f"{named}, {there.owner}" if named else there.owner


def _instance(there: LiveObject) -> str:
    """The instance that an object names, if it does, in words."""
    name = instance_of(there)
    return f"instance {name}" if name else ""
