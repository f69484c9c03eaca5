"""Placing: which kinds a cluster says are cluster-wide, and inventories read by that."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from distributor.adapters.kube.discovery import Discovery
from distributor.model.changes import Inventory
from distributor.model.refs import GroupKind
from distributor.plan import inventory_placed, unsure


class Placer:
    """Asks the cluster only of kinds that nobody else can know, and again only of those that are missing."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery
        self._last: tuple[Inventory, Inventory] | None = None

    async def scopes(self, kinds: Collection[GroupKind]) -> Mapping[GroupKind, bool]:
        """Whether each of these kinds is namespaced, without those that are not served."""
        if not kinds:
            return {}
        served = await self._discovery.served()
        if not served.kinds.keys() >= frozenset(kinds):
            served = await self._discovery.refresh(served)
        return {kind: served.kinds[kind][0].namespaced for kind in kinds if kind in served.kinds}

    async def placed(self, inventory: Inventory) -> Inventory:
        """The inventory with references as the cluster has them.

        The same one is looked through once, unless a kind in it is not served yet.
        """
        if self._last is not None and self._last[0] is inventory:
            return self._last[1]
        runs = inventory.hooks.runs.values()
        kinds = unsure([*inventory.entries, *(run.ref for run in runs)])
        scopes = await self.scopes(kinds)
        found = inventory_placed(inventory, [kind for kind, inside in scopes.items() if not inside])
        if scopes.keys() == kinds:
            self._last = (inventory, found)
        return found
