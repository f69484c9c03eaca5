"""Git trees in memory, with the ids that Git itself would give them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

from distributor.errors.git import ObjectMissing
from distributor.model.refs import ObjectId
from distributor.model.trees import EntryKind, TreeEntry

FILE = 0o100644
EXECUTABLE = 0o100755
LINK = 0o120000
SUBMODULE = 0o160000
_FOLDER = 0o040000
_KINDS = {LINK: EntryKind.LINK, SUBMODULE: EntryKind.SUBMODULE, _FOLDER: EntryKind.TREE}

Folder = dict[str, "Folder | tuple[int, ObjectId]"]


def git_id(kind: str, data: bytes) -> ObjectId:
    """The SHA-1 object id that Git gives to content of a kind: blob, tree, commit or tag."""
    header = f"{kind} {len(data)}\0".encode()
    return ObjectId(hashlib.sha1(header + data, usedforsecurity=False).hexdigest())


class MemoryTrees:
    """A ``TreeReader`` over trees that tests build; ``reads`` counts what was asked for.

    ``add({path: bytes})`` stores a root tree and returns its id. Content is kept by id: trees share it.
    """

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self._blobs: dict[ObjectId, bytes] = {}
        self._trees: dict[ObjectId, tuple[TreeEntry, ...]] = {}

    def add(
        self, files: Mapping[str, bytes], *, modes: Mapping[str, int] | None = None
    ) -> ObjectId:
        """Store a tree; ``modes`` makes single paths executables, links or submodules."""
        root: Folder = {}
        for path, data in files.items():
            mode = (modes or {}).get(path, FILE)
            oid = ObjectId(data.decode()) if mode == SUBMODULE else self.add_blob(data)
            *folders, name = path.split("/")
            folder = root
            for part in folders:
                inner = folder.setdefault(part, {})
                if not isinstance(inner, dict):
                    raise TypeError(f"{path} lies below a file")
                folder = inner
            folder[name] = (mode, oid)
        return self._store(root)

    def add_blob(self, data: bytes) -> ObjectId:
        """Store bytes."""
        oid = git_id("blob", data)
        self._blobs[oid] = data
        return oid

    def add_tree(self, entries: tuple[TreeEntry, ...]) -> ObjectId:
        """Store entries as they are, in Git's order: also such as Git itself would refuse."""
        ordered = tuple(sorted(entries, key=_git_order))
        body = b"".join(
            b"%o %s\0%s" % (e.mode, e.name.encode("utf-8", "surrogateescape"), bytes.fromhex(e.id))
            for e in ordered
        )
        oid = git_id("tree", body)
        self._trees[oid] = ordered
        return oid

    def _store(self, folder: Folder) -> ObjectId:
        entries = []
        for name, inner in folder.items():
            mode, oid = (_FOLDER, self._store(inner)) if isinstance(inner, dict) else inner
            entries.append(TreeEntry(name, mode, oid, _KINDS.get(mode, EntryKind.BLOB)))
        return self.add_tree(tuple(entries))

    def entries(self, tree: ObjectId) -> tuple[TreeEntry, ...]:
        """The entries of a tree in Git's order; raises ``ObjectMissing``."""
        self.reads["entries"] += 1
        if tree not in self._trees:
            raise ObjectMissing(tree)
        return self._trees[tree]

    def blob(self, blob: ObjectId) -> bytes:
        """The bytes of a blob; raises ``ObjectMissing``."""
        self.reads["blob"] += 1
        if blob not in self._blobs:
            raise ObjectMissing(blob)
        return self._blobs[blob]

    def size(self, blob: ObjectId) -> int:
        """The size of a blob; raises ``ObjectMissing``."""
        self.reads["size"] += 1
        if blob not in self._blobs:
            raise ObjectMissing(blob)
        return len(self._blobs[blob])


def _git_order(entry: TreeEntry) -> bytes:
    """Git sorts a folder as if its name ended with a slash."""
    name = entry.name.encode("utf-8", "surrogateescape")
    return name + b"/" if entry.kind is EntryKind.TREE else name
