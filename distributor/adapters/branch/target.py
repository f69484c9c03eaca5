"""One cluster's objects in one branch, behind the port."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import orjson

from distributor.adapters.branch.head import Head
from distributor.adapters.branch.layout import Tree, inventory_path, joined, object_path
from distributor.errors.cluster import Fenced, ForeignObject, InventoryBroken
from distributor.errors.secrets import SecretNotExternal
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
from distributor.model.inventories import from_json, to_json
from distributor.model.manifest import Manifest, body_digest
from distributor.model.ownership import NO_CLAIMS, Claims
from distributor.model.refs import GroupKind, ObjectId, ObjectRef, is_label
from distributor.model.rehearsals import Rehearsal
from distributor.ports import TreeChange
from distributor.render.documents import delivered, dump
from distributor.render.scopes import namespaced

_SECRET = GroupKind("", "Secret")


class BranchTarget:
    """A cluster whose Argo CD or Flux follows a branch. Nothing but ``delivered`` can be said of it.

    Each change is one commit, pushed fast-forward only; the inventory at the very head it builds upon
    says whether a newer decision has begun. Methods raise ``ClusterUnreachable`` and
    ``TargetNotWritable``; a later call goes on from whatever was pushed.
    """

    delivered_only = True
    ordered = False

    def __init__(self, cluster: Cluster, head: Head, *, folder: str = "") -> None:
        self._cluster = cluster
        self._head = head
        self._folder = folder

    async def read_inventory(self, environment: str, instance: str) -> Inventory | None:
        """The inventory; raises ``InventoryBroken`` also where files are there and it is not."""
        tree = self._tree(await self._head.tree())
        inventory = self._inventory(tree, environment, instance)
        if inventory is None and tree.occupied(instance):
            raise InventoryBroken(
                f"{self._place(instance)} holds objects, and there is no inventory: it was lost."
            )
        return inventory

    async def write_inventory(self, inventory: Inventory) -> Inventory:
        """Push it; raises ``Fenced`` where somebody else was first, ``ForeignObject`` in a strange tree."""
        kept = replace(inventory, entries={r: _veiled(e) for r, e in inventory.entries.items()})
        data = orjson.dumps(to_json(kept), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

        def edit(tree: Tree) -> Mapping[str, TreeChange]:
            self._refuse_foreign(tree)
            there = self._inventory(tree, inventory.environment, inventory.instance)
            if (there.token if there else "") != inventory.token:
                raise Fenced(f"({self._place(inventory.instance)} was written since it was read)")
            self._refuse_older(there, inventory)
            return {inventory_path(inventory.instance): self._blob(data)}

        await self._change(inventory, "Record", edit)
        return replace(kept, token=body_digest(data))

    async def read_live(
        self, entries: Sequence[InventoryEntry], *, new: bool = False
    ) -> Mapping[ObjectRef, LiveObject]:
        """What the files hold; a change by hand shows as another ``applied``.

        Entries name no instance, so every instance's files are looked at.
        """
        del new  # everything is looked at anyway
        if not entries:
            return {}
        found = self._tree(await self._head.tree()).live(entry.ref for entry in entries)
        return {ref: delivered(manifest) for ref, manifest in found.items()}

    async def apply(
        self, inventory: Inventory, group: Sequence[Manifest], claims: Claims = NO_CLAIMS
    ) -> tuple[Outcome, ...]:
        """Write all objects in one commit; a Secret with values is never written."""
        del claims  # a file has no owners of fields
        instance = inventory.instance
        writable = [m for m in group if not _has_values(m)]
        done: dict[ObjectRef, Action] = {}

        def edit(tree: Tree) -> Mapping[str, TreeChange]:
            self._require(tree, inventory)
            done.update((m.ref, _action(tree.object(instance, m.ref), m)) for m in writable)
            return {object_path(instance, m.ref): self._blob(dump(m)) for m in writable}

        if writable:
            await self._change(inventory, "Deliver", edit)
        return tuple(_outcome(m.ref, done.get(m.ref)) for m in group)

    async def delete(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> tuple[Outcome, ...]:
        """Take the objects' files away, in one commit; what follows the branch prunes them."""
        instance = inventory.instance

        def edit(tree: Tree) -> Mapping[str, TreeChange]:
            self._require(tree, inventory)
            gone = [entry.ref for entry in entries if tree.has(instance, entry.ref)]
            return {object_path(instance, ref): None for ref in gone}

        if entries:
            await self._change(inventory, "Prune", edit)
        return tuple(Outcome(ref=entry.ref, action=Action.PRUNED) for entry in entries)

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
        """As the definitions say that are in the branch, whichever instance brought them; no cluster is asked."""
        definitions = self._tree(await self._head.tree()).definitions()
        return namespaced(kinds, (m.data() for m in definitions))

    async def taken_along(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> Mapping[ObjectRef, Taken]:
        """Nothing: what the followers of a branch hold cannot be seen."""
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

    async def _change(
        self, inventory: Inventory, what: str, edit: Callable[[Tree], Mapping[str, TreeChange]]
    ) -> None:
        def rooted(root: ObjectId | None) -> Mapping[str, TreeChange]:
            changes = edit(self._tree(root))
            return {joined(self._folder, path): change for path, change in changes.items()}

        message = (
            f"{what} {inventory.instance} on {inventory.cluster}\n\n"
            f"Environment: {inventory.environment}\nSequence: {inventory.sequence}\n"
            f"Revision: {inventory.revision}\nLedger: {inventory.ledger_commit}"
        )
        await self._head.change(message, rooted)

    def _inventory(self, tree: Tree, environment: str, instance: str) -> Inventory | None:
        if not is_label(instance):
            raise InventoryBroken(f"{instance!r} is no instance's name.")
        data = tree.inventory(instance)
        if data is None:
            return None
        place = self._place(inventory_path(instance))
        try:
            inventory = from_json(orjson.loads(data), token=body_digest(data))
        except orjson.JSONDecodeError as error:
            raise InventoryBroken(f"{place}: {error}.") from error
        except InventoryBroken as error:
            raise InventoryBroken(f"{place}: {error.detail}") from error
        owner = (inventory.environment, inventory.instance, inventory.cluster)
        if owner != (environment, instance, self._cluster.name):
            raise ForeignObject(f"{place} belongs to {'/'.join(owner)}.")
        return inventory

    def _require(self, tree: Tree, inventory: Inventory) -> None:
        """Raise unless the stored inventory still lets ``inventory``'s holder write."""
        there = self._inventory(tree, inventory.environment, inventory.instance)
        if there is None:
            raise InventoryBroken(f"{self._place(inventory_path(inventory.instance))} is gone.")
        self._refuse_older(there, inventory)

    def _refuse_older(self, there: Inventory | None, inventory: Inventory) -> None:
        if there and there.sequence > inventory.sequence:
            place = self._place(inventory.instance)
            raise Fenced(f"({place} is at {there.sequence}, above {inventory.sequence})")

    def _refuse_foreign(self, tree: Tree) -> None:
        if tree.foreign:
            raise ForeignObject(
                f"{self._place('')} holds something that Distributor did not write.",
                remedy="Name a branch or a path of its own in the cluster's connection.",
            )

    def _tree(self, root: ObjectId | None) -> Tree:
        return Tree(self._head.objects, root, self._folder)

    def _blob(self, data: bytes) -> TreeChange:
        return ("blob", self._head.objects.write_blob(data))

    def _place(self, path: str) -> str:
        return f"{self._head.branch}:{joined(self._folder, path)}"


def _veiled(entry: InventoryEntry) -> InventoryEntry:
    """A Secret's digest would let anybody who reads the branch try values out."""
    if entry.ref.group_kind != _SECRET:
        return entry
    return replace(entry, digest=body_digest(str(entry.ref).encode()))


def _has_values(manifest: Manifest) -> bool:
    if manifest.ref.group_kind != _SECRET:
        return False
    secret = manifest.data()
    return bool(secret.get("data") or secret.get("stringData"))


def _action(before: Manifest | None, after: Manifest) -> Action:
    if before is None:
        return Action.CREATED
    return Action.UNCHANGED if before.digest == after.digest else Action.CONFIGURED


def _outcome(ref: ObjectRef, action: Action | None) -> Outcome:
    if action is not None:
        return Outcome(ref=ref, action=action)
    error = Finding.of(SecretNotExternal, f"({ref})")
    return Outcome(ref=ref, action=Action.SKIPPED, error=error)
