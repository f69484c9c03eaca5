"""A cluster in memory: keeps what a target keeps, and fails when told to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from distributor.errors import DistributorError, Where
from distributor.errors.cluster import (
    ChangedMeanwhile,
    Fenced,
    ForeignObject,
    NotOwned,
    UnknownConnection,
)
from distributor.health import is_by_being
from distributor.model.changes import (
    Action,
    Inventory,
    InventoryEntry,
    LiveObject,
    Outcome,
    Survey,
    Taken,
)
from distributor.model.findings import Finding
from distributor.model.fleet import Cluster
from distributor.model.manifest import Manifest
from distributor.model.ownership import NO_CLAIMS, Claim, Claims
from distributor.model.refs import Digest, GroupKind, ObjectRef
from distributor.model.rehearsals import Rehearsal
from distributor.plan import RELEASED_BY, inventory_placed, is_ours, scaled
from distributor.render.applyset import PART_OF, applyset_id

_NO_CLAIM = Claim()


@dataclass(slots=True, kw_only=True)
class MemoryCluster:
    """The state of one cluster, shared by all connections to it, and its faults.

    ``fail`` is called with the name of each step before it is done, and may raise. ``refuse`` maps
    objects to the error that applying or deleting them gives, ``unreadable`` to that of reading them. ``statuses`` are
    what controllers would write, by object. ``calls`` lists the steps in order, ``claims`` what was to become of
    fields' owners, ``scopes`` tells whether kinds are namespaced.
    """

    name: str
    objects: dict[ObjectRef, LiveObject] = field(default_factory=dict)
    inventories: dict[str, Inventory] = field(default_factory=dict)
    refuse: dict[ObjectRef, DistributorError] = field(default_factory=dict)
    unreadable: dict[ObjectRef, DistributorError] = field(default_factory=dict)
    statuses: dict[ObjectRef, Mapping[str, Any]] = field(default_factory=dict)
    fail: Callable[[str], None] = lambda _step: None
    calls: list[str] = field(default_factory=list)
    claims: dict[ObjectRef, Claim] = field(default_factory=dict)
    scopes: dict[GroupKind, bool] = field(default_factory=dict)
    writes: int = 0

    def step(self, name: str) -> None:
        """Note a step; raises what ``fail`` raises."""
        self.calls.append(name)
        self.fail(name)

    def number(self) -> int:
        """The next number for uids and tokens."""
        self.writes += 1
        return self.writes


class MemoryTarget:
    """Implements ``TargetConnection`` on a ``MemoryCluster``."""

    def __init__(
        self, cluster: MemoryCluster, *, delivered_only: bool = False, ordered: bool = True
    ) -> None:
        self.cluster = cluster
        self._delivered_only = delivered_only
        self._ordered = ordered

    @property
    def delivered_only(self) -> bool:
        """As it was made."""
        return self._delivered_only

    @property
    def ordered(self) -> bool:
        """As it was made."""
        return self._ordered

    async def read_inventory(self, environment: str, instance: str) -> Inventory | None:
        """The inventory, if it is this environment's."""
        self.cluster.step(f"read_inventory {instance}")
        there = self._stored(environment, instance)
        wide = [kind for kind, inside in self.cluster.scopes.items() if not inside]
        return inventory_placed(there, wide) if there is not None else None

    async def write_inventory(self, inventory: Inventory) -> Inventory:
        """Keep it, guarded by token and sequence number."""
        self.cluster.step(f"write_inventory {inventory.instance}")
        there = self._stored(inventory.environment, inventory.instance)
        if (there.token if there else "") != inventory.token:
            raise Fenced("It was written since it was read.")
        self._fence(there, inventory)
        kept = replace(inventory, token=str(self.cluster.number()))
        self.cluster.inventories[inventory.instance] = kept
        return kept

    async def read_live(
        self, entries: Sequence[InventoryEntry], *, new: bool = False
    ) -> Mapping[ObjectRef, LiveObject]:
        """The objects that exist, and those that cannot be read."""
        del new  # everything is looked at anyway
        self.cluster.step("read_live")
        objects, hidden = self.cluster.objects, self.cluster.unreadable
        found = {e.ref: self._shown(objects[e.ref]) for e in entries if e.ref in objects}
        return found | {e.ref: _hidden(e, hidden[e.ref]) for e in entries if e.ref in hidden}

    def _shown(self, found: LiveObject) -> LiveObject:
        status = self.cluster.statuses.get(found.ref)
        return found if status is None else replace(found, data={**found.data, "status": status})

    async def apply(
        self, inventory: Inventory, group: Sequence[Manifest], claims: Claims = NO_CLAIMS
    ) -> tuple[Outcome, ...]:
        """Keep the objects, each with an outcome; as lax as an API server: the caller fences.

        What is to be made must not be there; objects have no versions that a claim could be bound to.
        """
        self.cluster.step(f"apply {inventory.instance}")
        self.cluster.claims.update(claims)
        return tuple(self._apply(m, claims.get(m.ref, _NO_CLAIM)) for m in group)

    async def delete(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> tuple[Outcome, ...]:
        """Drop the objects that carry the instance's ApplySet label."""
        self.cluster.step(f"delete {inventory.instance}")
        return tuple(self._delete(entry, inventory.instance) for entry in entries)

    async def release(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> tuple[Outcome, ...]:
        """Make the objects nobody's, with a note whose they were."""
        self.cluster.step(f"release {inventory.instance}")
        for there in (self.cluster.objects.get(entry.ref) for entry in entries):
            if there is not None and there.owner == applyset_id(inventory.instance):
                self.cluster.objects[there.ref] = _released(there, inventory.instance)
        return tuple(Outcome(ref=entry.ref, action=Action.SKIPPED) for entry in entries)

    async def owned(self, instance: str) -> Survey:
        """The objects that carry the instance's label."""
        self.cluster.step(f"owned {instance}")
        owner = applyset_id(instance)
        objects = self.cluster.objects.items()
        return Survey(refs=tuple(ref for ref, there in objects if there.owner == owner))

    async def scopes(self, kinds: Collection[GroupKind]) -> Mapping[GroupKind, bool]:
        """As this cluster was told."""
        self.cluster.step("scopes")
        return {kind: inside for kind, inside in self.cluster.scopes.items() if kind in kinds}

    async def taken_along(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> Mapping[ObjectRef, Taken]:
        """By the inventories of other instances; this cluster serves no kinds of definitions."""
        self.cluster.step("taken_along")
        inhabited = {
            ref.namespace: Taken(f"objects of instance {other.instance}", barred=True)
            for other in self.cluster.inventories.values()
            if other.instance != inventory.instance
            for ref in other.entries
        }
        wanted = [e.ref for e in entries if (e.ref.group, e.ref.kind) == ("", "Namespace")]
        return {ref: inhabited[ref.name] for ref in wanted if ref.name in inhabited}

    async def autoscaled(self, refs: Collection[ObjectRef]) -> Collection[ObjectRef]:
        """Those that an autoscaler of this cluster names."""
        self.cluster.step("autoscaled")
        objects = (
            there.data
            for there in self.cluster.objects.values()
            if there.ref.kind == "HorizontalPodAutoscaler"
        )
        return frozenset(refs) & frozenset(scaled(objects))

    async def rehearse(
        self, group: Sequence[Manifest], claims: Claims, there: Mapping[ObjectRef, LiveObject]
    ) -> tuple[Rehearsal, ...]:
        """What is refused here, and else the objects as they are asked for; none of a folder."""
        del claims, there
        if self._delivered_only:
            return ()
        self.cluster.step("rehearse")
        return tuple(self._tried(manifest) for manifest in group)

    async def aclose(self) -> None:
        """Nothing is kept open."""

    def _tried(self, manifest: Manifest) -> Rehearsal:
        error = self.cluster.refuse.get(manifest.ref)
        if error is not None:
            return Rehearsal(ref=manifest.ref, error=Finding.from_error(error))
        return Rehearsal(ref=manifest.ref, made=manifest.data())

    def _stored(self, environment: str, instance: str) -> Inventory | None:
        there = self.cluster.inventories.get(instance)
        if there is not None and there.environment != environment:
            raise ForeignObject(f"The inventory of {instance} belongs to {there.environment}.")
        return there

    def _fence(self, there: Inventory | None, inventory: Inventory) -> None:
        if there is not None and there.sequence > inventory.sequence:
            raise Fenced(f"It is at {there.sequence}, above {inventory.sequence}.")

    def _apply(self, manifest: Manifest, claim: Claim) -> Outcome:
        before = self.cluster.objects.get(manifest.ref)
        if before is not None and claim.seen == "":
            return failed(manifest.ref, ChangedMeanwhile(f"({manifest.ref})"))
        if (error := self.cluster.refuse.get(manifest.ref)) is not None:
            return failed(manifest.ref, error)
        uid = before.uid if before else f"uid-{self.cluster.number()}"
        data = manifest.data()
        self.cluster.objects[manifest.ref] = LiveObject(
            ref=manifest.ref,
            api_version=manifest.api_version,
            uid=uid,
            applied=manifest.digest,
            owner=owner_of(data),
            data=data,
        )
        action = Action.CONFIGURED if before else Action.CREATED
        if before and before.applied == manifest.digest and before.data == data:
            action = Action.UNCHANGED
        after = self.cluster.objects[manifest.ref] if is_by_being(data) else None
        return Outcome(ref=manifest.ref, action=action, uid=uid, after=after)

    def _delete(self, entry: InventoryEntry, instance: str) -> Outcome:
        if (error := self.cluster.refuse.get(entry.ref)) is not None:
            return failed(entry.ref, error)
        there = self.cluster.objects.get(entry.ref)
        owner = applyset_id(instance)
        if there and there.owner != owner and not is_ours(there, owner, entry, entry.digest):
            return failed(entry.ref, NotOwned(f"{entry.ref} has the owner {there.owner!r}."))
        self.cluster.objects.pop(entry.ref, None)
        return Outcome(ref=entry.ref, action=Action.PRUNED)


class MemoryConnections:
    """Implements ``Connections``: clusters by name; one that was never added is unknown."""

    def __init__(self, clusters: Mapping[str, MemoryCluster], **options: bool) -> None:
        self.clusters = dict(clusters)
        self._options = options
        self.accounts: list[str] = []

    async def open(self, cluster: Cluster, account: str = "") -> MemoryTarget:
        """A connection to the cluster of that name; ``accounts`` tells in whose name it was asked for."""
        if cluster.name not in self.clusters:
            raise UnknownConnection(f"{cluster.name} is not in the fake.")
        self.accounts.append(account)
        return MemoryTarget(self.clusters[cluster.name], **self._options)

    async def aclose(self) -> None:
        """Nothing is kept open."""


def _hidden(entry: InventoryEntry, error: DistributorError) -> LiveObject:
    told = replace(Finding.from_error(error), where=Where(file=str(entry.ref)))
    return LiveObject(ref=entry.ref, api_version=entry.api_version, error=told)


def failed(ref: ObjectRef, error: DistributorError) -> Outcome:
    """The outcome of an object that an error stopped."""
    return Outcome(
        ref=ref, action=Action.SKIPPED, error=Finding.from_error(error), retryable=error.retryable
    )


def _released(there: LiveObject, instance: str) -> LiveObject:
    before = there.data.get("metadata") or {}
    labels = {k: v for k, v in (before.get("labels") or {}).items() if k != PART_OF}
    notes = {**(before.get("annotations") or {}), RELEASED_BY: instance}
    data = {**there.data, "metadata": {**before, "labels": labels, "annotations": notes}}
    return replace(there, applied=Digest(""), owner="", data=data)


def owner_of(data: Mapping[str, Any]) -> str:
    """The ApplySet label of an object, empty where it has none."""
    labels = data.get("metadata", {}).get("labels") or {}
    return str(labels.get(PART_OF, ""))
