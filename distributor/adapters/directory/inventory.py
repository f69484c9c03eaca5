"""The inventory of one instance: a dot-file in the manifests folder, guarded by its own digest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson

from distributor.adapters.directory.disk import Disk
from distributor.errors.cluster import Fenced, ForeignObject, InventoryBroken
from distributor.model.changes import Inventory
from distributor.model.inventories import from_json, to_json
from distributor.model.manifest import body_digest

_MODE = 0o600


class InventoryFile:
    """``.dst-<instance>.inventory``: never in a k0s stack, never ending in .yaml or .json.

    A folder holds one environment's and one cluster's instance of a name; another's is refused.
    """

    def __init__(self, disk: Disk, folder: Path, instance: str) -> None:
        self._disk = disk
        self._instance = instance
        self._path = folder / f".dst-{instance}.inventory"

    def read(self, environment: str, cluster: str) -> Inventory | None:
        """The inventory with its token; ``None`` where there is none."""
        data = self._disk.read(self._path)
        if data is None:
            return None
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise InventoryBroken(f"{self._path}: {error}.") from error
        try:
            inventory = from_json(value, token=body_digest(data))
        except InventoryBroken as error:
            raise InventoryBroken(f"{self._path}: {error.detail}") from error
        owner = (inventory.environment, inventory.instance, inventory.cluster)
        if owner != (environment, self._instance, cluster):
            raise ForeignObject(f"{self._path} belongs to {'/'.join(owner)}.")
        return inventory

    def write(self, inventory: Inventory) -> Inventory:
        """Replace what was read under ``inventory.token``; call it under the lock."""
        there = self.read(inventory.environment, inventory.cluster)
        if (there.token if there else "") != inventory.token:
            raise Fenced(f"{self._path} was written since it was read.")
        if there and there.sequence > inventory.sequence:
            raise Fenced(f"{self._path} is at {there.sequence}, above {inventory.sequence}.")
        data = orjson.dumps(
            to_json(inventory), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        )
        self._disk.put(
            self._path, data, temporary=f".dst-{self._instance}.inventory.tmp", mode=_MODE
        )
        return replace(inventory, token=body_digest(data))

    def require(self, inventory: Inventory) -> None:
        """Raise unless the stored inventory still lets ``inventory``'s holder write; under the lock."""
        there = self.read(inventory.environment, inventory.cluster)
        if there is None:
            raise InventoryBroken(f"{self._path} is gone.")
        if there.sequence > inventory.sequence:
            raise Fenced(f"{self._path} is at {there.sequence}, above {inventory.sequence}.")
