"""Glances: the inventories and objects of many instances, read by one list a kind instead of one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import Any

from distributor.adapters.kube import parents
from distributor.adapters.kube.bodies import live_object, owner_of, version_of
from distributor.adapters.kube.discovery import Discovery, Resource
from distributor.adapters.kube.messages import Request
from distributor.adapters.kube.placing import Placer
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.together import together
from distributor.adapters.kube.transport import Sender
from distributor.errors.cluster import ApiRefused, InventoryBroken, Unauthorised
from distributor.model.changes import Glance, Inventory, LiveObject
from distributor.model.refs import ObjectRef
from distributor.render.applyset import PARENT_NAMESPACE, PART_OF, applyset_id

AT_ONCE = 64
"""Instances that one list asks for: their labels make an address of less than 4 KiB."""
_MOST = 1_000
"""Objects that are read at once: they are kept whole for a moment."""
_SECRETS = f"/api/v1/namespaces/{PARENT_NAMESPACE}/secrets"
_REFUSED = (ApiRefused, Unauthorised)


class Glancer:
    """Reads what it may and can by lists; an instance of which it does not see everything is left out."""

    def __init__(self, transport: Sender, discovery: Discovery, limits: Limits) -> None:
        self._transport = transport
        self._discovery = discovery
        self._limits = limits

    async def glance(self, cluster: str, instances: Collection[str]) -> dict[str, Glance]:
        """What each of some instances has there; raises ``ClusterUnreachable`` and the like."""
        found: dict[str, Glance] = {}
        names = sorted(instances)
        for start in range(0, len(names), AT_ONCE):
            inventories = await self._inventories(cluster, names[start : start + AT_ONCE])
            for some in _portions(inventories):
                found |= await self._seen(some)
        return found

    async def _inventories(self, cluster: str, instances: Collection[str]) -> list[Inventory]:
        selector = f"{parents.ID} in ({','.join(map(applyset_id, instances))})"
        try:
            listed = [secret async for secret in self._listed(_SECRETS, selector)]
        except _REFUSED:
            return []
        read = (_inventory(secret) for secret in listed)
        return [i for i in read if i and i.cluster == cluster and i.instance in instances]

    async def _seen(self, inventories: Collection[Inventory]) -> dict[str, Glance]:
        placer = Placer(self._discovery)
        inventories = [await placer.placed(inventory) for inventory in inventories]
        served = await self._discovery.served()
        owners = sorted(applyset_id(i.instance) for i in inventories)
        lists: set[tuple[Resource, str]] = set()
        for entry in (e for i in inventories for e in i.entries.values()):
            resource = served.any_version(entry.ref.group_kind, version_of(entry.api_version))
            if resource is not None and resource.listable:
                lists.add((resource, entry.ref.kind))
        selector = f"{PART_OF} in ({','.join(owners)})"
        read = await together(self._objects(r, kind, selector) for r, kind in lists)
        live: dict[tuple[str, ObjectRef], LiveObject] = {}
        for objects in read:
            live |= {(each.owner, each.ref): each for each in objects}
        made = ((i, _complete(i, live)) for i in inventories)
        return {i.instance: Glance(inventory=i, live=objects) for i, objects in made if objects}

    async def _objects(self, resource: Resource, kind: str, selector: str) -> list[LiveObject]:
        api_version = f"{resource.group}/{resource.version}".removeprefix("/")
        found: list[LiveObject] = []
        try:
            for path in resource.paths(self._limits.namespaces):
                async for item in self._listed(path, selector):
                    metadata = item.get("metadata") or {}
                    place = str(metadata.get("namespace") or ""), str(metadata.get("name", ""))
                    ref = ObjectRef(resource.group, kind, *place)
                    if owner_of(item):
                        found.append(live_object(ref, api_version, item))
        except _REFUSED:
            return []  # we may read what is ours one by one, and not everywhere at once
        return found

    async def _listed(self, path: str, selector: str) -> AsyncIterator[dict[str, Any]]:
        """Page by page; a list that expires between two pages shows less, and is no harm."""
        query = {"labelSelector": selector, "limit": str(self._limits.page)}
        while True:
            answer = await self._transport.send(Request(method="GET", path=path, query=query))
            page = answer.object(f"Listing {path}")
            for item in page.get("items") or ():
                yield item
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return
            query = {**query, "continue": str(following)}


def _inventory(secret: Mapping[str, Any]) -> Inventory | None:
    """The inventory of a parent that holds all of it; others are read, and complained of, one by one."""
    try:
        if parents.shard_names(secret):
            return None
        return parents.decode(secret, ())
    except InventoryBroken:
        return None


def _portions(inventories: Iterable[Inventory]) -> Iterable[list[Inventory]]:
    """Some at a time, so many that their objects are few enough; what has more alone is left out."""
    some: list[Inventory] = []
    count = 0
    for inventory in inventories:
        size = len(inventory.entries)
        if size > _MOST:
            continue
        if some and count + size > _MOST:
            yield some
            some, count = [], 0
        some.append(inventory)
        count += size
    if some:
        yield some


def _complete(
    inventory: Inventory, live: Mapping[tuple[str, ObjectRef], LiveObject]
) -> dict[ObjectRef, LiveObject]:
    """The objects of an inventory, if every one of them was seen; else nothing."""
    owner = applyset_id(inventory.instance)
    found = {e.ref: live.get((owner, e.ref)) for e in inventory.entries.values()}
    seen = {ref: each for ref, each in found.items() if each is not None}
    return seen if len(seen) == len(found) else {}
