"""The inventory as Kubernetes objects: an ApplySet parent (KEP-3659) and, where it is large, shards."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import orjson

from distributor.errors.cluster import InventoryBroken
from distributor.model.changes import Inventory
from distributor.model.inventories import from_json, to_json
from distributor.model.refs import ObjectRef
from distributor.render.applyset import PARENT_NAMESPACE, applyset_id, parent_name

TOOLING = "distributor/v1"
SHARD_BYTES = 700 * 1024
"""An object may hold 1 MiB; base64 and everything else in it need their part."""
_UNPACKED = 128 * 1024 * 1024
ID = "applyset.kubernetes.io/id"
_TOOLING = "applyset.kubernetes.io/tooling"
_KINDS = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
SHARD_OF = "distributor.dev/inventory-of"
WRITE = "distributor.dev/write"
"""Marks each write of a parent, so that a writer knows its own again."""
SHARD_GENERATION = "distributor.dev/inventory-generation"
_HEADER, _ENTRIES, _SHARDS = "inventory.json", "entries.json.zz", "shards.json"

Object = dict[str, Any]


def encode(
    inventory: Inventory, *, generation: int = 1, shard_bytes: int = SHARD_BYTES
) -> tuple[Object, list[Object]]:
    """The parent, and the shards that must be there before it.

    ``generation`` counts the writes of a parent: a shard of that or a lower one that the parent does
    not name is dead, one of a higher may belong to a writer at work. A shard is named after its content and the token that the write is based on, so no two writers
    that start from different inventories share one.
    """
    value = to_json(inventory)
    packed = zlib.compress(orjson.dumps(value.pop("entries")), 6)
    value["generation"] = generation
    value["entriesDigest"] = hashlib.sha256(packed).hexdigest()
    data = {_HEADER: orjson.dumps(value, option=orjson.OPT_SORT_KEYS)}
    shards: list[Object] = []
    if len(packed) <= shard_bytes:
        data[_ENTRIES] = packed
    else:
        pieces = [packed[at : at + shard_bytes] for at in range(0, len(packed), shard_bytes)]
        shards = [
            _shard(inventory, piece, number, generation) for number, piece in enumerate(pieces)
        ]
        data[_SHARDS] = orjson.dumps([shard["metadata"]["name"] for shard in shards])
    return _parent(inventory, data), shards


def decode(parent: Mapping[str, Any], shards: Sequence[Mapping[str, Any]]) -> Inventory:
    """The inventory that a parent and its shards, in order, hold; raises ``InventoryBroken``."""
    metadata = parent.get("metadata") or {}
    if (metadata.get("annotations") or {}).get(_TOOLING) != TOOLING:
        raise InventoryBroken(f"{metadata.get('name')} is no ApplySet of {TOOLING}.")
    header = _loads(_bytes(parent, _HEADER))
    if not isinstance(header, dict):
        raise InventoryBroken("Its header is not a JSON object.")
    packed = (
        b"".join(_bytes(shard, _ENTRIES) for shard in shards)
        if shards
        else _bytes(parent, _ENTRIES)
    )
    if hashlib.sha256(packed).hexdigest() != header.get("entriesDigest"):
        raise InventoryBroken("Its entries are not those that were written.")
    value = {**header, "entries": _loads(_unpacked(packed))}
    return from_json(value, token=str(metadata.get("resourceVersion", "")))


def shard_names(parent: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a parent's shards, in order; raises ``InventoryBroken``."""
    if _SHARDS not in (parent.get("data") or {}):
        return ()
    names = _loads(_bytes(parent, _SHARDS))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InventoryBroken("Its list of shards is not a list of names.")
    return tuple(names)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a writer must know of the parent that it replaces."""

    token: str
    sequence: int
    generation: int
    shards: frozenset[str]


def standing(parent: Mapping[str, Any]) -> Standing:
    """Read it; raises ``InventoryBroken``."""
    header = _loads(_bytes(parent, _HEADER))
    if not isinstance(header, dict):
        raise InventoryBroken("Its header is not a JSON object.")
    sequence, generation = header.get("sequence"), header.get("generation")
    if not isinstance(sequence, int) or not isinstance(generation, int):
        raise InventoryBroken("Its header has no sequence number, or no generation.")
    return Standing(
        token=str(parent["metadata"]["resourceVersion"]),
        sequence=sequence,
        generation=generation,
        shards=frozenset(shard_names(parent)),
    )


def _parent(inventory: Inventory, data: Mapping[str, bytes]) -> Object:
    labelled = inventory.entries.keys() | {run.ref for run in inventory.hooks.runs.values()}
    metadata: Object = {
        "name": parent_name(inventory.instance),
        "namespace": PARENT_NAMESPACE,
        "labels": {
            ID: applyset_id(inventory.instance),
            "app.kubernetes.io/managed-by": "distributor",
        },
        "annotations": {
            _TOOLING: TOOLING,
            _KINDS: _group_kinds(labelled),
            NAMESPACES: _namespaces(labelled),
        },
    }
    if inventory.token:
        metadata["resourceVersion"] = inventory.token
    return _secret(metadata, data)


def _shard(inventory: Inventory, piece: bytes, number: int, generation: int) -> Object:
    key = hashlib.sha256(f"{inventory.token}/{number}/".encode() + piece).hexdigest()[:12]
    metadata = {
        "name": f"{parent_name(inventory.instance)}-{key}",
        "namespace": PARENT_NAMESPACE,
        "labels": {
            SHARD_OF: inventory.instance,
            "app.kubernetes.io/managed-by": "distributor",
        },
        "annotations": {SHARD_GENERATION: str(generation)},
    }
    return _secret(metadata, {_ENTRIES: piece})


def _secret(metadata: Object, data: Mapping[str, bytes]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "distributor.dev/inventory",
        "metadata": metadata,
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }


def _group_kinds(refs: AbstractSet[ObjectRef]) -> str:
    kinds = {ref.group_kind for ref in refs}
    return ",".join(sorted(f"{k.kind}.{k.group}" if k.group else k.kind for k in kinds))


def _namespaces(refs: AbstractSet[ObjectRef]) -> str:
    return ",".join(sorted({ref.namespace for ref in refs} - {"", PARENT_NAMESPACE}))


def _bytes(secret: Mapping[str, Any], key: str) -> bytes:
    text = (secret.get("data") or {}).get(key)
    if not isinstance(text, str):
        raise InventoryBroken(f"It has no {key}.")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise InventoryBroken(f"Its {key} is not base64.") from error


def _loads(data: bytes) -> object:
    try:
        value: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InventoryBroken(f"It is not JSON: {error}.") from error
    return value


def _unpacked(packed: bytes) -> bytes:
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(packed, _UNPACKED)
    except zlib.error as error:
        raise InventoryBroken(f"Its entries cannot be unpacked: {error}.") from error
    if not unpacker.eof:
        raise InventoryBroken("Its entries end too soon, or are too large.")
    return data
