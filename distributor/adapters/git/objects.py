"""The local object database, through libgit2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import pygit2
from pygit2.enums import FileMode, ObjectType, SortMode

from distributor.errors.git import NotARepository, ObjectMissing
from distributor.errors.service import StateNotWritable
from distributor.model.refs import ObjectId
from distributor.model.tags import SERVICE
from distributor.model.trees import EntryKind, NewCommit, TreeEntry
from distributor.ports import Signer, TreeChange

_KINDS = {
    int(FileMode.TREE): EntryKind.TREE,
    int(FileMode.LINK): EntryKind.LINK,
    int(FileMode.COMMIT): EntryKind.SUBMODULE,
}
_TYPES = {
    int(ObjectType.COMMIT): "commit",
    int(ObjectType.TREE): "tree",
    int(ObjectType.BLOB): "blob",
    int(ObjectType.TAG): "tag",
}
_KEPT_ENTRIES = 50_000
_KEPT_ANSWERS = 10_000
"""Bounds of what is remembered, so that memory is bounded too."""
"""Author and committer of what the service writes."""


class PygitObjects:
    """A repository's objects and refs. Not for use by several threads at once."""

    def __init__(self, path: Path) -> None:
        try:
            self._repo = pygit2.Repository(str(path))
        except pygit2.GitError as error:
            raise NotARepository(f"({path})") from error
        self._trees: dict[ObjectId, tuple[TreeEntry, ...]] = {}
        self._entries = 0  # of all of them
        self._ancestry: dict[tuple[ObjectId, ObjectId], bool] = {}

    @classmethod
    def create(cls, path: Path) -> PygitObjects:
        """Open a bare repository, made first if it is not there; raises ``StateNotWritable``."""
        if not (path / "HEAD").exists():
            try:
                path.mkdir(parents=True, exist_ok=True)
                pygit2.init_repository(str(path), bare=True, initial_head="main")
            except (OSError, pygit2.GitError) as error:
                raise StateNotWritable(f"({path}: {error})") from error
        return cls(path)

    @property
    def path(self) -> Path:
        """The Git folder."""
        return Path(self._repo.path)

    def entries(self, tree: ObjectId) -> tuple[TreeEntry, ...]:
        """The entries of a tree in Git's order."""
        known = self._trees.get(tree)
        if known is None:
            known = _parse_tree(self._read(tree, "tree"), len(tree) // 2)
            self._keep(tree, known)
        return known

    def _keep(self, tree: ObjectId, entries: tuple[TreeEntry, ...]) -> None:
        """Remember a tree in the place of those that were read first: each ledger commit has a large new one."""
        self._trees[tree] = entries
        self._entries += 1 + len(entries)
        while self._entries > _KEPT_ENTRIES:
            first = next(iter(self._trees))
            self._entries -= 1 + len(self._trees.pop(first))

    def blob(self, blob: ObjectId) -> bytes:
        """The bytes of a blob."""
        return self._read(blob, "blob")

    def size(self, blob: ObjectId) -> int:
        """The size of a blob, from its header alone."""
        try:
            return int(self._repo.odb.read_header(blob)[1])
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise ObjectMissing(blob) from error

    def _read(self, oid: ObjectId, kind: str) -> bytes:
        try:
            found, data = self._repo.read(oid)
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise ObjectMissing(f"({kind} {oid})") from error
        if _TYPES.get(int(found)) != kind:
            raise ObjectMissing(f"({oid} is no {kind})")
        return bytes(data)

    def resolve(self, ref: str) -> ObjectId | None:
        """The object id that a full ref name points at."""
        try:
            reference = self._repo.lookup_reference(ref).resolve()
        except (KeyError, ValueError, pygit2.GitError):
            return None
        return ObjectId(str(reference.target))

    def refs(self, prefix: str) -> dict[str, ObjectId]:
        """All refs under a prefix."""
        found: dict[str, ObjectId] = {}
        for reference in self._repo.references.iterator():
            if reference.name.startswith(prefix) and not isinstance(reference.target, str):
                found[_text(reference.name)] = ObjectId(str(reference.target))
        return found

    def object_type(self, oid: ObjectId) -> str:
        """commit, tree, blob or tag."""
        try:
            return _TYPES[int(self._repo.odb.read_header(oid)[0])]
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise ObjectMissing(oid) from error

    def raw(self, oid: ObjectId) -> bytes:
        """The raw bytes of any object."""
        try:
            return bytes(self._repo.read(oid)[1])
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise ObjectMissing(oid) from error

    def tree_of(self, commit: ObjectId) -> ObjectId:
        """The root tree of a commit."""
        raw = self._read(commit, "commit")
        return ObjectId(raw[5 : raw.index(b"\n")].decode())

    def is_ancestor(self, ancestor: ObjectId, descendant: ObjectId) -> bool:
        """Whether ``ancestor`` is ``descendant`` or reachable from it."""
        if ancestor == descendant:
            return True
        key = (ancestor, descendant)
        if key not in self._ancestry:
            if len(self._ancestry) > _KEPT_ANSWERS:
                self._ancestry.clear()
            try:
                self._ancestry[key] = bool(self._repo.descendant_of(descendant, ancestor))
            except (KeyError, ValueError, pygit2.GitError):
                return False  # an object that is not here is reachable from nothing
        return self._ancestry[key]

    def history(self, tip: ObjectId, until: ObjectId | None) -> Sequence[ObjectId]:
        """First-parent history, newest first, without ``until``."""
        line = self._line(tip, until) if until is not None else None
        if line is not None:
            return line
        walker = self._repo.walk(tip, SortMode.TOPOLOGICAL)
        walker.simplify_first_parent()
        if until is not None:
            walker.hide(until)
        return [ObjectId(str(commit.id)) for commit in walker]

    def _line(self, tip: ObjectId, until: ObjectId) -> list[ObjectId] | None:
        """The commits before ``until`` on the line of first parents; ``None`` where it is not on that line.

        The walker reads all that ``until`` descends from before it says the first commit.
        """
        found: list[ObjectId] = []
        at: ObjectId | None = tip
        try:
            while at is not None and at != until:
                found.append(at)
                at = self._first_parent(at)
        except ObjectMissing:
            return None  # a shallow clone ends somewhere
        return found if at == until else None

    def _first_parent(self, commit: ObjectId) -> ObjectId | None:
        second = self._read(commit, "commit").split(b"\n", 2)[1]
        known = second.startswith(b"parent ")
        return ObjectId(second.removeprefix(b"parent ").decode()) if known else None

    def write_blob(self, data: bytes) -> ObjectId:
        """Store bytes."""
        return ObjectId(str(self._repo.create_blob(data)))

    def write_tree(self, base: ObjectId | None, changes: Mapping[str, TreeChange]) -> ObjectId:
        """A tree like ``base`` with some paths set or removed; emptied folders vanish."""
        written = self._write_tree(base, changes)
        return written or ObjectId(str(self._repo.TreeBuilder().write()))

    def _write_tree(
        self, base: ObjectId | None, changes: Mapping[str, TreeChange]
    ) -> ObjectId | None:
        builder = self._repo.TreeBuilder(base) if base else self._repo.TreeBuilder()
        below: dict[str, dict[str, TreeChange]] = {}
        for path, change in changes.items():
            head, _, rest = path.partition("/")
            if rest:
                below.setdefault(head, {})[rest] = change
            else:
                _set_entry(builder, head, change)
        for name, nested in below.items():
            entry: pygit2.Object | None = builder.get(name)
            subtree = (
                ObjectId(str(entry.id)) if entry is not None and entry.type_str == "tree" else None
            )
            written = self._write_tree(subtree, nested)
            _set_entry(builder, name, ("tree", written) if written else None)
        return ObjectId(str(builder.write())) if len(builder) else None

    def write_commit(self, commit: NewCommit, signer: Signer | None) -> ObjectId:
        """Store a commit by the service; the signature covers the commit without it, as Git has it."""
        stamp = f"{SERVICE} {int(commit.at.timestamp())} +0000"
        head = f"tree {commit.tree}\n" + "".join(f"parent {p}\n" for p in commit.parents)
        head += f"author {stamp}\ncommitter {stamp}\n"
        body = f"\n{commit.message.rstrip()}\n"
        signature = ""
        if signer is not None:
            armour = signer.sign((head + body).encode(), "git").decode().rstrip("\n")
            signature = "gpgsig " + armour.replace("\n", "\n ") + "\n"
        raw = (head + signature + body).encode()
        return ObjectId(str(self._repo.write(ObjectType.COMMIT, raw)))

    def write_tag(
        self,
        name: str,
        target: ObjectId,
        *,
        message: str,
        at: datetime,
        tagger: str,
        signer: Signer | None,
    ) -> ObjectId:
        """Store an annotated tag; the signature stands at its end, as Git has it."""
        raw = (
            f"object {target}\ntype {self.object_type(target)}\ntag {name}\n"
            f"tagger {tagger} {int(at.timestamp())} +0000\n\n{message.rstrip()}\n"
        ).encode()
        if signer is not None:
            raw += signer.sign(raw, "git")
        return ObjectId(str(self._repo.write(ObjectType.TAG, raw)))

    def set_ref(self, ref: str, oid: ObjectId | None, expect: ObjectId | None) -> bool:
        """Move a local ref if it still is where it is expected to be."""
        if self.resolve(ref) != expect:
            return False
        if oid is None:
            if expect is not None:
                self._repo.references.delete(ref)
        else:
            self._repo.references.create(ref, oid, force=expect is not None)
        return True


def _text(ref: str) -> str:
    r"""A ref name as text. Git's names are bytes: what is not UTF-8 is shown as ``\xf6``.

    git-check-ref-format(1) allows no backslash, so that no two refs are shown alike, and nobody takes
    the result for a name of the grammar.
    """
    return ref.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _set_entry(builder: pygit2.TreeBuilder, name: str, change: TreeChange) -> None:
    if change is None:
        if builder.get(name) is not None:
            builder.remove(name)
        return
    kind, oid = change
    mode = FileMode.TREE if kind == "tree" else FileMode.BLOB
    builder.insert(name, oid, mode)


@lru_cache(maxsize=64)
def _mode(octal: bytes) -> int:
    """A mode as a number; one object for all that have it."""
    return int(octal, 8)


def _parse_tree(raw: bytes, hash_length: int) -> tuple[TreeEntry, ...]:
    """Split Git's binary tree form: ``mode SP name NUL id``, repeated."""
    entries: list[TreeEntry] = []
    at = 0
    kind_of: Callable[[int, EntryKind], EntryKind] = _KINDS.get
    while at < len(raw):
        space = raw.index(b" ", at)
        end = raw.index(b"\0", space)
        mode = _mode(raw[at:space])
        name = sys.intern(raw[space + 1 : end].decode("utf-8", "surrogateescape"))
        at = end + 1 + hash_length
        oid = ObjectId(sys.intern(raw[end + 1 : at].hex()))
        entries.append(TreeEntry(name, mode, oid, kind_of(mode, EntryKind.BLOB)))
    return tuple(entries)
