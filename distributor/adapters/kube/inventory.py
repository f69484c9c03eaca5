"""Reading and guarded writing of inventories in one cluster."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import orjson

from distributor.adapters.kube import parents
from distributor.adapters.kube.messages import CONFLICT, METADATA_ONLY, NOT_FOUND, Answer, Request
from distributor.adapters.kube.presence import Lately, Listing
from distributor.adapters.kube.transport import Sender
from distributor.errors.cluster import Fenced, ForeignObject, InventoryBroken
from distributor.model.changes import Inventory
from distributor.model.refs import ObjectRef
from distributor.render.applyset import PARENT_NAMESPACE, parent_name

_SECRETS = f"/api/v1/namespaces/{PARENT_NAMESPACE}/secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What was read or written last, and how its parent stands."""

    inventory: Inventory
    standing: parents.Standing


class InventoryStore:
    """The inventories of one cluster: one Secret an instance in ``distributor-system``.

    A write counts only with the parent, which is written last and only if nobody wrote it since it
    was read (its resourceVersion). What was read or written last is held: as long as the parent's
    metadata have the same resourceVersion, neither its entries nor its shards are read again.
    """

    def __init__(
        self,
        transport: Sender,
        cluster: str,
        *,
        shard_bytes: int = parents.SHARD_BYTES,
        lately: Lately | None = None,
    ) -> None:
        self._transport = transport
        self._lately = lately
        self._cluster = cluster
        self._shard_bytes = shard_bytes
        self._held: _Held | None = None

    async def read(self, environment: str, instance: str) -> Inventory | None:
        """The inventory; ``None`` where there is none, ``ForeignObject`` where it is another's."""
        held = await self._unwritten(environment, instance)
        if held is not None:
            return held
        if await self._never_made(instance):
            return None
        parent = await self._get(parent_name(instance))
        if parent is None:
            return None
        inventory = parents.decode(parent, await self._shards(parent))
        owner = (inventory.environment, inventory.instance, inventory.cluster)
        if owner != (environment, instance, self._cluster):
            raise ForeignObject(f"The inventory {parent_name(instance)} is of {'/'.join(owner)}.")
        self._held = _Held(inventory=inventory, standing=parents.standing(parent))
        return inventory

    async def _never_made(self, instance: str) -> bool:
        """Whether a list showed a moment ago that there is none, and none was made here since.

        Whoever makes it now creates it, which the API server allows only where there is none.
        """
        if self._lately is None or self._held is not None:
            return False
        listing = Listing(path=_SECRETS, group="", namespace=PARENT_NAMESPACE)
        known = await self._lately.present(self._transport, listing, 1)
        ref = ObjectRef("", "Secret", PARENT_NAMESPACE, parent_name(instance))
        return known is not None and not ((ref.namespace, ref.name) in known or ref in self._lately)

    async def _unwritten(self, environment: str, instance: str) -> Inventory | None:
        """What is held, if it is this instance's and nobody wrote it since; asked by metadata alone."""
        held = self._held.inventory if self._held is not None else None
        if held is None or (held.environment, held.instance) != (environment, instance):
            return None
        path = _path(parent_name(instance))
        answer = await self._transport.send(Request(method="GET", path=path, accept=METADATA_ONLY))
        if not answer.good:
            return None  # whatever it is, the whole read tells
        metadata = answer.object(f"Secret {parent_name(instance)}").get("metadata") or {}
        return held if metadata.get("resourceVersion") == held.token else None

    async def write(self, inventory: Inventory) -> Inventory:
        """Write shards, then the parent; raises ``Fenced`` where it changed since it was read."""
        name = parent_name(inventory.instance)
        before = await self._before(inventory) if inventory.token else None
        if before is not None:
            _fence(before, inventory)
        generation = before.generation + 1 if before else 1
        parent, shards = parents.encode(
            inventory, generation=generation, shard_bytes=self._shard_bytes
        )
        parent["metadata"].setdefault("annotations", {})[parents.WRITE] = secrets.token_hex(8)
        for shard in shards:
            await self._create(shard, exists_is_fine=True)
        answer = await (self._replace(parent) if inventory.token else self._make(parent))
        if answer.status == CONFLICT:
            answer = await self._heard_late(parent) or answer
        if answer.status in {CONFLICT, NOT_FOUND}:
            raise Fenced(f"{name} was written since it was read.")
        written = answer.object("The inventory")
        if shards or (before and before.shards):
            named = {shard["metadata"]["name"] for shard in shards}
            await self._forget(inventory.instance, named, generation)
        kept = replace(inventory, token=str(written["metadata"]["resourceVersion"]))
        self._held = _Held(inventory=kept, standing=parents.standing(written))
        return kept

    async def _before(self, inventory: Inventory) -> parents.Standing | None:
        """The parent that is to be replaced: the one that is held, if that is it, else as it is there.

        Whether it is there still, the guarded write itself tells.
        """
        if self._held is not None and self._held.standing.token == inventory.token:
            return self._held.standing
        there = await self._get(parent_name(inventory.instance))
        return parents.standing(there) if there is not None else None

    async def _shards(self, parent: dict[str, Any]) -> list[dict[str, Any]]:
        shards = []
        for name in parents.shard_names(parent):
            shard = await self._get(name)
            if shard is None:
                raise InventoryBroken(f"Its shard {name} is gone.")
            shards.append(shard)
        return shards

    async def _forget(self, instance: str, kept: set[str], generation: int) -> None:
        """Remove the shards that nothing can refer to any more."""
        request = Request(
            method="GET",
            path=_SECRETS,
            query={"labelSelector": f"{parents.SHARD_OF}={instance}"},
            accept=METADATA_ONLY.replace("PartialObjectMetadata", "PartialObjectMetadataList"),
        )
        listed = (await self._transport.send(request)).object("The inventory's shards")
        for item in listed.get("items") or ():
            metadata = item["metadata"]
            number = (metadata.get("annotations") or {}).get(parents.SHARD_GENERATION, "")
            dead = number.isdecimal() and int(number) <= generation
            if dead and metadata["name"] not in kept:
                await self._delete(metadata["name"])

    async def _get(self, name: str) -> dict[str, Any] | None:
        answer = await self._transport.send(Request(method="GET", path=_path(name)))
        return None if answer.status == NOT_FOUND else answer.object(f"Secret {name}")

    async def _replace(self, secret: dict[str, Any]) -> Answer:
        path = _path(secret["metadata"]["name"])
        return await self._transport.send(
            Request(method="PUT", path=path, body=orjson.dumps(secret))
        )

    async def _make(self, parent: dict[str, Any]) -> Answer:
        """Create the parent. What a list shows that was read before or meanwhile says nothing of it."""
        ref = ObjectRef("", "Secret", PARENT_NAMESPACE, parent["metadata"]["name"])
        made = self._lately.made if self._lately is not None else list[ObjectRef]
        made([ref])
        try:
            return await self._create(parent)
        finally:
            made([ref])

    async def _heard_late(self, secret: dict[str, Any]) -> Answer | None:
        """What is there, if it is this very write: the answer to a first try was lost on its way.

        Another writer's may have the same content; the mark tells them apart.
        """
        path = _path(secret["metadata"]["name"])
        there = await self._transport.send(Request(method="GET", path=path))
        if not there.good:
            return None
        marks = there.object("The inventory").get("metadata", {}).get("annotations") or {}
        mark = secret["metadata"]["annotations"][parents.WRITE]
        return there if marks.get(parents.WRITE) == mark else None

    async def _create(self, secret: dict[str, Any], *, exists_is_fine: bool = False) -> Answer:
        request = Request(method="POST", path=_SECRETS, body=orjson.dumps(secret))
        answer = await self._transport.send(request)
        if answer.status == NOT_FOUND:
            await self._create_namespace()
            answer = await self._transport.send(request)
        if exists_is_fine and answer.status != CONFLICT:
            answer.object("A shard of the inventory")
        return answer

    async def _create_namespace(self) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": PARENT_NAMESPACE,
                "labels": {"app.kubernetes.io/managed-by": "distributor"},
            },
        }
        answer = await self._transport.send(
            Request(method="POST", path="/api/v1/namespaces", body=orjson.dumps(body))
        )
        if answer.status != CONFLICT:  # somebody else may just have made it
            answer.object(f"Namespace {PARENT_NAMESPACE}")

    async def _delete(self, name: str) -> None:
        answer = await self._transport.send(Request(method="DELETE", path=_path(name)))
        if answer.status != NOT_FOUND:
            answer.object(f"Secret {name}")


def _fence(before: parents.Standing, inventory: Inventory) -> None:
    if before.token != inventory.token or before.sequence > inventory.sequence:
        raise Fenced(f"It is at {before.sequence}, and {inventory.sequence} would be written.")


def _path(name: str) -> str:
    return f"{_SECRETS}/{quote(name, safe='')}"
