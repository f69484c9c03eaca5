"""One instance's objects in one manifests folder, behind the port."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from distributor.adapters.directory.disk import Disk
from distributor.adapters.directory.inventory import InventoryFile
from distributor.adapters.directory.layouts import FilePerObject, Layout, OneFile, has_plaintext
from distributor.errors.cluster import InventoryBroken, PlaintextSecret
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
from distributor.model.fleet import Cluster, Flavour
from distributor.model.manifest import Manifest
from distributor.model.ownership import NO_CLAIMS, Claims
from distributor.model.refs import GroupKind, ObjectRef, is_label
from distributor.model.rehearsals import Rehearsal
from distributor.render.documents import delivered
from distributor.render.scopes import namespaced


class DirectoryTarget:
    """A cluster that picks its objects up from a folder. Nothing but ``delivered`` can be said of it.

    Every method raises ``TargetNotWritable`` where the disk fails, the folder is missing, or another
    process keeps the lock; a later call goes on from whatever was done.
    """

    delivered_only = True
    ordered = False

    def __init__(self, cluster: Cluster, folder: Path, *, disk: Disk | None = None) -> None:
        self._cluster = cluster
        self._folder = folder
        self._disk = disk or Disk()

    async def read_inventory(self, environment: str, instance: str) -> Inventory | None:
        """The inventory; raises ``InventoryBroken`` also where files are there and it is not."""
        return await asyncio.to_thread(self._read_inventory, environment, instance)

    async def write_inventory(self, inventory: Inventory) -> Inventory:
        """Write it under the lock; raises ``Fenced`` where somebody else was first."""
        return await asyncio.to_thread(self._write_inventory, inventory)

    async def read_live(
        self, entries: Sequence[InventoryEntry], *, new: bool = False
    ) -> Mapping[ObjectRef, LiveObject]:
        """What the files hold; a change by hand shows as another ``applied``.

        Entries name no instance, so every instance's files in the folder are looked at.
        """
        del new  # everything is looked at anyway
        return await asyncio.to_thread(self._read_live, entries)

    async def apply(
        self, inventory: Inventory, group: Sequence[Manifest], claims: Claims = NO_CLAIMS
    ) -> tuple[Outcome, ...]:
        """Write the objects beside those that are there already."""
        del claims  # a file has no owners of fields
        return await asyncio.to_thread(self._apply, inventory, group)

    async def delete(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> tuple[Outcome, ...]:
        """Write the files without these objects."""
        return await asyncio.to_thread(self._delete, inventory, entries)

    async def release(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> tuple[Outcome, ...]:
        """Nothing: the files stay, and the inventory names them."""
        del inventory
        return tuple(Outcome(ref=entry.ref, action=Action.SKIPPED) for entry in entries)

    async def owned(self, instance: str) -> Survey:
        """Nothing: files without an inventory are an error when that is read."""
        del instance
        return Survey()

    async def scopes(self, kinds: Collection[GroupKind]) -> Mapping[GroupKind, bool]:
        """As the definitions say that are in the folder, whichever instance brought them; no cluster is asked."""
        definitions = await asyncio.to_thread(self._definitions)
        return namespaced(kinds, (m.data() for m in definitions))

    async def taken_along(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> Mapping[ObjectRef, Taken]:
        """Nothing: what a folder's cluster holds cannot be seen."""
        del inventory, entries
        return {}

    async def autoscaled(self, refs: Collection[ObjectRef]) -> Collection[ObjectRef]:
        """All of them: nobody can tell."""
        return refs

    async def rehearse(
        self, group: Sequence[Manifest], claims: Claims, there: Mapping[ObjectRef, LiveObject]
    ) -> tuple[Rehearsal, ...]:
        """Nothing: nobody can tell what becomes of files."""
        del group, claims, there
        return ()

    async def aclose(self) -> None:
        """Nothing is kept open."""

    def _read_inventory(self, environment: str, instance: str) -> Inventory | None:
        self._disk.require_folder(self._folder)
        inventory = self._inventory(instance).read(environment, self._cluster.name)
        if inventory is None and self._layout(instance).occupied():
            raise InventoryBroken(
                f"{self._folder} holds objects of {instance}, and no inventory: it was lost."
            )
        return inventory

    def _write_inventory(self, inventory: Inventory) -> Inventory:
        with self._locked(inventory.instance):
            return self._inventory(inventory.instance).write(inventory)

    def _definitions(self) -> list[Manifest]:
        self._disk.require_folder(self._folder)
        return [m for name in self._instances() for m in self._layout(name).definitions()]

    def _read_live(self, entries: Sequence[InventoryEntry]) -> dict[ObjectRef, LiveObject]:
        self._disk.require_folder(self._folder)
        missing = {entry.ref for entry in entries}
        found: dict[ObjectRef, LiveObject] = {}
        for instance in self._instances():
            if not missing:
                break
            for ref, manifest in self._layout(instance).live(missing).items():
                found[ref] = delivered(manifest)
            missing -= found.keys()
        return found

    def _apply(self, inventory: Inventory, group: Sequence[Manifest]) -> tuple[Outcome, ...]:
        refused = {m.ref for m in group if self._refuses(m)}
        writable = [m for m in group if m.ref not in refused]
        with self._locked(inventory.instance):
            self._inventory(inventory.instance).require(inventory)
            layout = self._layout(inventory.instance)
            done = layout.put(writable, frozenset(inventory.entries)) if writable else {}
        return tuple(_outcome(m.ref, done.get(m.ref)) for m in group)

    def _delete(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> tuple[Outcome, ...]:
        if entries:
            with self._locked(inventory.instance):
                self._inventory(inventory.instance).require(inventory)
                refs = frozenset(entry.ref for entry in entries)
                self._layout(inventory.instance).drop(refs, frozenset(inventory.entries))
        return tuple(Outcome(ref=entry.ref, action=Action.PRUNED) for entry in entries)

    def _refuses(self, manifest: Manifest) -> bool:
        return not self._cluster.plaintext_secrets and has_plaintext(manifest)

    def _inventory(self, instance: str) -> InventoryFile:
        return InventoryFile(self._disk, self._folder, _checked(instance))

    def _layout(self, instance: str) -> Layout:
        kind = OneFile if self._cluster.flavour is Flavour.K3S else FilePerObject
        return kind(self._disk, self._folder, _checked(instance))

    def _instances(self) -> Iterator[str]:
        for name in self._disk.names(self._folder):
            instance = name.removeprefix("dst-").removesuffix(".yaml")
            if name.startswith("dst-") and is_label(instance):
                yield instance

    @contextmanager
    def _locked(self, instance: str) -> Iterator[None]:
        self._disk.require_folder(self._folder)
        with self._disk.locked(self._folder / f".dst-{_checked(instance)}.lock"):
            yield


def _checked(instance: str) -> str:
    """The instance's name, once it is sure to stay in the folder."""
    if not is_label(instance):
        raise InventoryBroken(f"{instance!r} is no instance's name.")
    return instance


def _outcome(ref: ObjectRef, action: Action | None) -> Outcome:
    if action is not None:
        return Outcome(ref=ref, action=action)
    return Outcome(ref=ref, action=Action.SKIPPED, error=Finding.of(PlaintextSecret, f"{ref}"))
