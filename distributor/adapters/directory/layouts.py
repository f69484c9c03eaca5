"""How the objects of one instance lie in a manifests folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from distributor.adapters.directory.disk import Disk
from distributor.adapters.directory.order import apply_order, rank
from distributor.errors.cluster import ForeignObject, InventoryBroken
from distributor.model.changes import Action
from distributor.model.manifest import Manifest, body_digest
from distributor.model.refs import GroupKind, ObjectRef
from distributor.render.documents import Unreadable, dump, parse

PUBLIC_MODE = 0o644
SECRET_MODE = 0o600
_MEND = (
    "Mend the file by hand or bring back a copy: objects that it no longer lists would be pruned."
)
_CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
_LONGEST_NAME = 200  # file systems take 255 bytes; the rest is for the temporary name

Objects = Mapping[ObjectRef, Manifest]


class Layout(Protocol):
    """Where an instance's objects are, how they are read, set and dropped. Called under the lock."""

    def occupied(self) -> bool:
        """Whether files with objects of the instance are there."""
        ...

    def live(self, refs: Iterable[ObjectRef]) -> Objects:
        """Those of the objects that are there; a file that cannot be read holds none."""
        ...

    def definitions(self) -> Sequence[Manifest]:
        """The CustomResourceDefinitions that are there, as far as they can be read."""
        ...

    def put(
        self, manifests: Sequence[Manifest], tracked: frozenset[ObjectRef]
    ) -> Mapping[ObjectRef, Action]:
        """Set these beside what is there. ``tracked`` is all that the inventory lists."""
        ...

    def drop(self, refs: frozenset[ObjectRef], tracked: frozenset[ObjectRef]) -> None:
        """Write what is there without these."""
        ...


def has_plaintext(manifest: Manifest) -> bool:
    """Whether it is a Secret that carries values."""
    return (manifest.ref.group, manifest.ref.kind) == ("", "Secret") and _carries(manifest.data())


def _carries(secret: Mapping[str, Any]) -> bool:
    return bool(secret.get("data") or secret.get("stringData"))


class OneFile:
    """k3s: all objects in ``dst-<instance>.yaml``.

    k3s prunes only when the *same file* is rewritten without the object; deleting the file removes
    nothing. So the file is never deleted: without objects it stays as comments, a tombstone.
    """

    def __init__(self, disk: Disk, folder: Path, instance: str) -> None:
        self._disk = disk
        self._folder = folder
        self._instance = instance
        self._path = folder / f"dst-{instance}.yaml"

    def occupied(self) -> bool:
        """See ``Layout``."""
        try:
            return bool(self._read())
        except Unreadable:
            return True

    def live(self, refs: Iterable[ObjectRef]) -> Objects:
        """See ``Layout``."""
        data = self._disk.read(self._path) or b""
        wanted = [ref for ref in refs if ref.name.encode() in data]
        try:
            there = parse(data) if wanted else {}
        except Unreadable:
            return {}
        return {ref: there[ref] for ref in wanted if ref in there}

    def definitions(self) -> Sequence[Manifest]:
        """See ``Layout``."""
        data = self._disk.read(self._path) or b""
        try:
            there = parse(data) if _CRD.kind.encode() in data else {}
        except Unreadable:
            return ()
        return tuple(m for ref, m in there.items() if ref.group_kind == _CRD)

    def put(
        self, manifests: Sequence[Manifest], tracked: frozenset[ObjectRef]
    ) -> Mapping[ObjectRef, Action]:
        """See ``Layout``."""
        self._refuse_namesakes()
        new = {m.ref: m for m in manifests}
        there = self._known(tracked - new.keys())
        self._write({**there, **new})
        return {m.ref: action(there.get(m.ref), m) for m in manifests}

    def drop(self, refs: frozenset[ObjectRef], tracked: frozenset[ObjectRef]) -> None:
        """See ``Layout``."""
        self._refuse_namesakes()
        there = self._known(tracked - refs)
        # Written even if the file had none of them, or was deleted by hand: k3s may still hold them.
        self._write({ref: m for ref, m in there.items() if ref not in refs})

    def _read(self) -> Objects:
        """See ``Layout``."""
        data = self._disk.read(self._path)
        return {} if data is None else parse(data)

    def _known(self, needed: frozenset[ObjectRef]) -> Objects:
        """What the file holds; an unreadable one may only be replaced if nothing needs its content."""
        try:
            return self._read()
        except Unreadable as error:
            if needed:
                lost = ", ".join(map(str, sorted(needed)[:3]))
                raise InventoryBroken(
                    f"{self._path}: {error} It also holds {lost}.", remedy=_MEND
                ) from error
            return {}

    def _write(self, objects: Objects) -> None:
        data = self._text(objects)
        mode = SECRET_MODE if any(map(has_plaintext, objects.values())) else PUBLIC_MODE
        put_changed(self._disk, self._path, data, temporary=f".dst-{self._instance}.tmp", mode=mode)

    def _text(self, objects: Objects) -> bytes:
        if not objects:
            return (
                f"# The instance {self._instance} was removed by Distributor. k3s prunes its objects because\n"
                "# this file no longer lists them; deleting the file instead would leave them running.\n"
            ).encode()
        head = f"# Written by Distributor: instance {self._instance}. Changes by hand are undone.\n"
        ordered = sorted(objects.values(), key=lambda m: apply_order(m.ref))
        return head.encode() + b"".join(map(dump, ordered))

    def _refuse_namesakes(self) -> None:
        """k3s names an add-on after the base name up to the first dot, over all sub-folders."""
        mine = f"dst-{self._instance}"
        for path in self._folder.rglob(f"{mine}.*"):
            if path != self._path and path.suffix in {".yaml", ".yml", ".json"}:
                raise ForeignObject(f"{path} gives k3s an add-on of the same name.")


class FilePerObject:
    """k0s and plain: a folder ``dst-<instance>/`` with a file an object, named in apply order.

    An empty folder stays: k0s forgets a stack whose folder vanishes while it is down, and prunes one
    that it finds empty.
    """

    def __init__(self, disk: Disk, folder: Path, instance: str) -> None:
        self._disk = disk
        self._folder = folder / f"dst-{instance}"
        self._temporary = f".dst-{instance}.tmp"  # not *.yaml: k0s reads dot-files that end so

    def occupied(self) -> bool:
        """See ``Layout``."""
        return any(name.endswith(".yaml") for name in self._disk.names(self._folder))

    def live(self, refs: Iterable[ObjectRef]) -> Objects:
        """See ``Layout``."""
        found = ((ref, self._read(ref)) for ref in refs)
        return {ref: manifest for ref, manifest in found if manifest is not None}

    def definitions(self) -> Sequence[Manifest]:
        """See ``Layout``."""
        mark = f"_{_CRD.kind}.{_CRD.group}_"
        names = (name for name in self._disk.names(self._folder) if mark in name)
        texts = (self._disk.read(self._folder / name) for name in sorted(names))
        return tuple(m for data in texts if data for m in _parsed(data))

    def put(
        self, manifests: Sequence[Manifest], tracked: frozenset[ObjectRef]
    ) -> Mapping[ObjectRef, Action]:
        """See ``Layout``."""
        del tracked  # each object has its own file, so no other can be lost
        self._disk.make_folder(self._folder)
        return {m.ref: self._put(m) for m in sorted(manifests, key=lambda m: apply_order(m.ref))}

    def drop(self, refs: frozenset[ObjectRef], tracked: frozenset[ObjectRef]) -> None:
        """See ``Layout``."""
        del tracked
        for ref in sorted(refs, key=apply_order, reverse=True):
            if self._disk.mode(self._path(ref)):
                self._disk.remove(self._path(ref))

    def _put(self, manifest: Manifest) -> Action:
        before = self._read(manifest.ref)
        mode = SECRET_MODE if has_plaintext(manifest) else PUBLIC_MODE
        path = self._path(manifest.ref)
        put_changed(self._disk, path, dump(manifest), temporary=self._temporary, mode=mode)
        return action(before, manifest)

    def _read(self, ref: ObjectRef) -> Manifest | None:
        data = self._disk.read(self._path(ref))
        try:
            return None if data is None else parse(data).get(ref)
        except Unreadable:
            return None

    def _path(self, ref: ObjectRef) -> Path:
        return self._folder / file_name(ref)


def _parsed(data: bytes) -> tuple[Manifest, ...]:
    try:
        return tuple(m for ref, m in parse(data).items() if ref.group_kind == _CRD)
    except Unreadable:
        return ()


def put_changed(disk: Disk, path: Path, data: bytes, *, temporary: str, mode: int) -> None:
    """Write a file unless it has these bytes and this mode already: k3s looks at times first."""
    if disk.read(path) != data or disk.mode(path) != mode:
        disk.put(path, data, temporary=temporary, mode=mode)


def action(before: Manifest | None, after: Manifest) -> Action:
    """What setting ``after`` in the place of ``before`` is called."""
    if before is None:
        return Action.CREATED
    return Action.UNCHANGED if before.body == after.body else Action.CONFIGURED


def file_name(ref: ObjectRef) -> str:
    """A file name for one object: sorts in apply order, never shared, safe on any file system."""
    kind = f"{ref.kind}.{ref.group}" if ref.group else ref.kind
    parts = (quote(part, safe="-.") for part in (kind, ref.namespace, ref.name))
    name = f"{rank(ref.group_kind):02d}_" + "_".join(part.replace("_", "%5F") for part in parts)
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 65]}~{body_digest(str(ref).encode())[7:]}"
    return f"{name}.yaml"
