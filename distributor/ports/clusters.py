"""Clusters: connections to targets, and watches over them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from distributor.model.changes import Inventory, InventoryEntry, LiveObject, Outcome, Survey, Taken
from distributor.model.fleet import Cluster
from distributor.model.manifest import Manifest
from distributor.model.ownership import NO_CLAIMS, Claims
from distributor.model.refs import GroupKind, ObjectRef
from distributor.model.rehearsals import Rehearsal

Entries = Sequence[InventoryEntry]


class TargetConnection(Protocol):
    """One cluster, as far as one instance's delivery needs it."""

    @property
    def delivered_only(self) -> bool:
        """True where health cannot be seen: the best it can say is ``delivered``."""
        ...

    @property
    def ordered(self) -> bool:
        """True where objects must be applied group by group; False where all go in one call."""
        ...

    async def read_inventory(self, environment: str, instance: str) -> Inventory | None:
        """The inventory, or ``None`` if there is none; raises ``InventoryBroken`` if unreadable."""
        ...

    async def write_inventory(self, inventory: Inventory) -> Inventory:
        """Write it if nobody else has since ``inventory.token`` was read, else raise ``Fenced``.

        Returns the inventory with its new token. An empty token means: there must be none yet.
        """
        ...

    async def read_live(
        self, entries: Entries, *, new: bool = False
    ) -> Mapping[ObjectRef, LiveObject]:
        """The objects of these that exist; one that cannot be read stands there with its ``error``.

        Where nothing is expected to be there yet (``new``), what was seen to be absent seconds ago counts as that.
        """
        ...

    async def apply(
        self, inventory: Inventory, group: Sequence[Manifest], claims: Claims = NO_CLAIMS
    ) -> tuple[Outcome, ...]:
        """Apply the objects; one outcome each, in order. Errors of single objects are outcomes.

        ``claims`` say whose fields become ours; a target that knows no owners of fields passes over them.
        """
        ...

    async def delete(self, inventory: Inventory, entries: Entries) -> tuple[Outcome, ...]:
        """Delete objects that are still ours; gone ones count as pruned."""
        ...

    async def release(self, inventory: Inventory, entries: Entries) -> tuple[Outcome, ...]:
        """Let go of objects that stay: of label, digest and fields of ours, with a note who did.

        One outcome each, in order; what is gone, or another's by now, counts as released.
        """
        ...

    async def owned(self, instance: str) -> Survey:
        """What is the instance's by its label, whatever inventories say; empty where nobody can tell."""
        ...

    async def scopes(self, kinds: Collection[GroupKind]) -> Mapping[GroupKind, bool]:
        """Whether kinds are namespaced, without those of which nothing on the target tells.

        An inventory that it reads has no namespace on what it says is cluster-wide, however it was written.
        """
        ...

    async def taken_along(
        self, inventory: Inventory, entries: Entries
    ) -> Mapping[ObjectRef, Taken]:
        """What deleting these Namespaces and definitions would take along of others', in words."""
        ...

    async def autoscaled(self, refs: Collection[ObjectRef]) -> Collection[ObjectRef]:
        """Those of the objects that an autoscaler scales; all of them where nobody can tell."""
        ...

    async def rehearse(
        self, group: Sequence[Manifest], claims: Claims, there: Mapping[ObjectRef, LiveObject]
    ) -> tuple[Rehearsal, ...]:
        """What ``apply`` would come to, one answer each, with nothing kept; none where nobody can tell.

        ``there`` are the objects as they are, as far as they are there.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class Connections(Protocol):
    """Opens clusters."""

    async def open(self, cluster: Cluster, account: str = "") -> TargetConnection:
        """A connection by the cluster's reference; raises ``UnknownConnection``, ``Unsupported``.

        With an ``account`` (``namespace/name``) objects are read, applied and deleted in the name of that
        service account; where nobody can do that, raises ``AccountNotUsed``.
        """
        ...

    async def aclose(self) -> None:
        """Close everything that was opened."""
        ...


class Watch(Protocol):
    """Sees objects move without asking for each."""

    async def mark(self, cluster: Cluster, instance: str, kinds: Collection[GroupKind]) -> str:
        """A text that is the same as long as neither the inventory nor an object of these kinds moved.

        Empty where that cannot be known now; without kinds it is of what the cluster serves. A read that
        began after a mark was given and found all in step need not be repeated while it is the same.
        """
        ...
