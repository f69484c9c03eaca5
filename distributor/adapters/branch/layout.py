"""How one cluster's objects and inventories lie in a branch's tree.

``<instance>/<Kind>[.<group>]-<name>.yaml``, below a folder of the namespace's name where there is one, and
``.distributor/<instance>.inventory``, which neither ends in .yaml nor in .json: Argo CD and Flux do not
read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from distributor.catalog.digests import find
from distributor.model.manifest import Manifest, body_digest
from distributor.model.refs import ObjectId, ObjectRef, is_label
from distributor.model.trees import EntryKind, TreeReader
from distributor.render.documents import Unreadable, parse

OWN = ".distributor"
_LONGEST_NAME = 200  # file systems take 255 bytes


_DEFINITION = "CustomResourceDefinition.apiextensions.k8s.io-"


def inventory_path(instance: str) -> str:
    """Where an instance's inventory lies."""
    return f"{OWN}/{instance}.inventory"


def object_path(instance: str, ref: ObjectRef) -> str:
    """Where one object lies: never shared, and safe on any file system."""
    kind = f"{ref.kind}.{ref.group}" if ref.group else ref.kind
    name = f"{quote(kind, safe='.').replace('-', '%2D')}-{quote(ref.name, safe='-.')}"
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 65]}~{body_digest(str(ref).encode())[7:]}"
    folder = f"{quote(ref.namespace, safe='').replace('.', '%2E')}/" if ref.namespace else ""
    return f"{instance}/{folder}{name}.yaml"


def joined(folder: str, path: str) -> str:
    """A path below a folder; the empty folder is the root."""
    return f"{folder}/{path}" if folder else path


class Tree:
    """A read-only look at the folder of one cluster in one root tree; ``root`` is ``None`` before the first."""

    def __init__(self, reader: TreeReader, root: ObjectId | None, folder: str) -> None:
        self._reader = reader
        self._root = root
        self._folder = folder

    @property
    def foreign(self) -> bool:
        """Whether there is something here, and nothing that says it is ours."""
        top = self._entry("")
        return top is not None and self._entry(OWN) is None and bool(self._reader.entries(top))

    def inventory(self, instance: str) -> bytes | None:
        """The bytes of an inventory."""
        return self._blob(inventory_path(instance))

    def occupied(self, instance: str) -> bool:
        """Whether objects of the instance are there."""
        return self._entry(instance) is not None

    def live(self, refs: Iterable[ObjectRef]) -> Mapping[ObjectRef, Manifest]:
        """Those of the objects that are there, whichever instance has them."""
        found: dict[ObjectRef, Manifest] = {}
        instances = tuple(self._instances())
        for ref in refs:
            for instance in instances:
                manifest = self.object(instance, ref)
                if manifest is not None:
                    found[ref] = manifest
                    break
        return found

    def object(self, instance: str, ref: ObjectRef) -> Manifest | None:
        """One object of an instance; a file that cannot be read holds none."""
        data = self._blob(object_path(instance, ref))
        try:
            return None if data is None else parse(data).get(ref)
        except Unreadable:
            return None

    def definitions(self) -> Iterator[Manifest]:
        """The CustomResourceDefinitions of all instances, as far as they can be read."""
        for instance in self._instances():
            folder = self._entry(instance)
            for entry in self._reader.entries(folder) if folder else ():
                if entry.kind is EntryKind.BLOB and entry.name.startswith(_DEFINITION):
                    yield from _parsed(self._reader.blob(entry.id))

    def has(self, instance: str, ref: ObjectRef) -> bool:
        """Whether there is a file for an object, readable or not."""
        return self._entry(object_path(instance, ref)) is not None

    def _instances(self) -> Iterator[str]:
        top = self._entry("")
        for entry in self._reader.entries(top) if top else ():
            if entry.kind is EntryKind.TREE and is_label(entry.name):
                yield entry.name

    def _blob(self, path: str) -> bytes | None:
        entry = self._entry(path)
        return None if entry is None else self._reader.blob(entry)

    def _entry(self, path: str) -> ObjectId | None:
        whole = "/".join(filter(None, (self._folder, path)))
        if self._root is None or not whole:
            return self._root
        entry = find(self._reader, self._root, whole)
        return None if entry is None else entry.id


def _parsed(data: bytes) -> tuple[Manifest, ...]:
    try:
        return tuple(parse(data).values())
    except Unreadable:
        return ()
