"""One cluster behind the port: inventory, live objects, server-side apply, deletion."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from distributor.adapters.kube.applying import Applier
from distributor.adapters.kube.deleting import Deleter
from distributor.adapters.kube.discovery import Discovery
from distributor.adapters.kube.inventory import InventoryStore
from distributor.adapters.kube.lanes import Lane
from distributor.adapters.kube.parents import SHARD_BYTES
from distributor.adapters.kube.placing import Placer
from distributor.adapters.kube.presence import Lately
from distributor.adapters.kube.reading import Reader
from distributor.adapters.kube.rehearsing import Rehearser
from distributor.adapters.kube.releasing import Releaser
from distributor.adapters.kube.settings import KubeSettings, Limits
from distributor.adapters.kube.surveying import Surveyor
from distributor.adapters.kube.transport import Transport
from distributor.adapters.kube.watching import Watches
from distributor.model.changes import Inventory, InventoryEntry, LiveObject, Outcome, Survey, Taken
from distributor.model.manifest import Manifest
from distributor.model.ownership import NO_CLAIMS, Claims
from distributor.model.refs import GroupKind, ObjectRef
from distributor.model.rehearsals import Rehearsal


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeCluster:
    """What all connections to one API server share: the requests' slots, and what it serves."""

    transport: Transport
    discovery: Discovery
    limits: Limits
    watches: Watches
    lately: Lately

    @classmethod
    def of(cls, settings: KubeSettings, limits: Limits) -> KubeCluster:
        """Not connected yet: the kubeconfig is read at the first request."""
        transport = Transport(settings, limits)
        discovery = Discovery(transport)
        watches = Watches(transport, discovery, limits)
        return cls(
            transport=transport,
            discovery=discovery,
            limits=limits,
            watches=watches,
            lately=Lately(limits),
        )

    async def aclose(self) -> None:
        """End watches and connections."""
        await self.watches.aclose()
        await self.transport.aclose()


class KubeTarget:
    """Implements ``TargetConnection`` on an API server.

    ``ClusterUnreachable`` is raised, as nothing else can be done then; errors of single objects are
    outcomes, retryable or not. Nothing is held between calls but connections, discovery, and the
    inventory that was read or written last.

    With an ``account`` (``namespace/name``) the instance's objects are read, applied and deleted in its
    name. The inventory stays ours: an account that could write it could say what is deleted.
    """

    delivered_only = False
    ordered = True

    def __init__(
        self,
        name: str,
        cluster: KubeCluster,
        *,
        account: str = "",
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        discovery, limits = cluster.discovery, cluster.limits
        ours = Lane(cluster.transport, whose=self)
        theirs = Lane(cluster.transport, whose=self, account=account)
        self._lately = cluster.lately
        self._store = InventoryStore(ours, name, shard_bytes=shard_bytes, lately=self._lately)
        lately = None if account else self._lately  # each account is shown what it may see
        self._reader = Reader(theirs, discovery, limits, lately)
        self._applier = Applier(theirs, discovery, limits)
        self._rehearser = Rehearser(theirs, discovery, limits)
        self._deleter = Deleter(theirs, discovery, limits)
        self._releaser = Releaser(theirs, discovery, limits)
        self._placer = Placer(discovery)
        self._surveyor = Surveyor(ours, discovery, limits)

    async def read_inventory(self, environment: str, instance: str) -> Inventory | None:
        """The inventory, from its ApplySet parent."""
        inventory = await self._store.read(environment, instance)
        return await self._placer.placed(inventory) if inventory is not None else None

    async def write_inventory(self, inventory: Inventory) -> Inventory:
        """Write the ApplySet parent; raises ``Fenced`` where somebody else was first."""
        return await self._store.write(inventory)

    async def read_live(
        self, entries: Sequence[InventoryEntry], *, new: bool = False
    ) -> Mapping[ObjectRef, LiveObject]:
        """The objects of these that exist, whole; what cannot be read with the error."""
        return await self._reader.read(entries, new=new)

    async def apply(
        self, inventory: Inventory, group: Sequence[Manifest], claims: Claims = NO_CLAIMS
    ) -> tuple[Outcome, ...]:
        """Server-side apply; by force only where an object's claim allows it."""
        del (
            inventory
        )  # its guard is the write before this; the caller reads it again before each phase
        self._lately.made(manifest.ref for manifest in group)
        try:
            return await self._applier.apply(group, claims)
        finally:  # a list that was read meanwhile need not show them either
            self._lately.made(manifest.ref for manifest in group)

    async def delete(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> tuple[Outcome, ...]:
        """Delete what still carries the instance's ApplySet label, and see it gone."""
        return await self._deleter.delete(inventory.instance, entries)

    async def release(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> tuple[Outcome, ...]:
        """Take label, digest and managed fields of ours off objects that stay."""
        return await self._releaser.release(inventory.instance, entries)

    async def owned(self, instance: str) -> Survey:
        """All objects, of any kind, that carry the instance's label and that we applied."""
        return await self._surveyor.owned(instance)

    async def scopes(self, kinds: Collection[GroupKind]) -> Mapping[GroupKind, bool]:
        """As discovery has them; it is asked again for a kind that was not there."""
        return await self._placer.scopes(kinds)

    async def taken_along(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> Mapping[ObjectRef, Taken]:
        """By the parents of other ApplySets, and by all that lives in a Namespace or is of a kind."""
        return await self._surveyor.taken_along(inventory, entries)

    async def autoscaled(self, refs: Collection[ObjectRef]) -> Collection[ObjectRef]:
        """Those that a HorizontalPodAutoscaler of their namespace names, whoever made it."""
        return await self._surveyor.autoscaled(refs)

    async def rehearse(
        self, group: Sequence[Manifest], claims: Claims, there: Mapping[ObjectRef, LiveObject]
    ) -> tuple[Rehearsal, ...]:
        """By the same server-side apply as the real one, with ``dryRun``."""
        return await self._rehearser.rehearse(group, claims, there)

    async def aclose(self) -> None:
        """Connections are shared; ``KubeConnections.aclose`` closes them."""
