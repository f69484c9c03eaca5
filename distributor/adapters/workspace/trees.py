"""A work tree as Git trees in memory: what a commit of it would hold, without writing anything."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pygit2
from pygit2.enums import FileMode, FileStatus

from distributor.errors import Where
from distributor.errors.catalog import TooLarge
from distributor.errors.git import NotARepository, ObjectMissing
from distributor.errors.service import NotReadable
from distributor.model.refs import ObjectId
from distributor.model.trees import EntryKind, TreeEntry

LARGEST = 64 << 20
"""Bytes of the largest file that is read; the catalog refuses larger ones by their size alone."""
_FROM_DISK = (
    FileStatus.WT_NEW
    | FileStatus.WT_MODIFIED
    | FileStatus.WT_TYPECHANGE
    | FileStatus.WT_RENAMED
    | FileStatus.WT_UNREADABLE
    | FileStatus.CONFLICTED
)
_KINDS = {
    int(FileMode.TREE): EntryKind.TREE,
    int(FileMode.LINK): EntryKind.LINK,
    int(FileMode.COMMIT): EntryKind.SUBMODULE,
}
_BLOBS = frozenset({int(FileMode.BLOB), int(FileMode.BLOB_EXECUTABLE)})
_UNREADABLE = 0o020000
"""The mode of what is there and cannot be read: Git has none such."""
_KINDS[_UNREADABLE] = EntryKind.UNREADABLE
_NOTHING = ObjectId("0" * 40)


@dataclass(frozen=True, slots=True)
class _File:
    """One file: its octal Git mode, its id, and its bytes where they are not in the repository."""

    mode: int
    id: ObjectId
    data: bytes | None = None
    size: int = -1


@dataclass(frozen=True, slots=True)
class WorkTree:
    """A ``TreeReader`` over the files of a folder as they are on disk; ``root`` is their tree.

    In a Git work tree what is ignored is left out, and what did not change is read from the repository.
    """

    root: ObjectId
    _trees: Mapping[ObjectId, tuple[TreeEntry, ...]]
    _files: Mapping[ObjectId, _File]
    _repository: pygit2.Repository | None = field(default=None, repr=False)

    def entries(self, tree: ObjectId) -> tuple[TreeEntry, ...]:
        """The entries of a tree in Git's order; raises ``ObjectMissing``."""
        try:
            return self._trees[tree]
        except KeyError as error:
            raise ObjectMissing(f"(tree {tree})") from error

    def blob(self, blob: ObjectId) -> bytes:
        """The bytes of a file; raises ``ObjectMissing``, and ``TooLarge`` for one that was not read."""
        file = self._files.get(blob)
        if file is None:
            raise ObjectMissing(f"(blob {blob})")
        if file.data is not None:
            return file.data
        if self._repository is None:
            raise TooLarge(f"({file.size} bytes, the limit is {LARGEST})")
        return bytes(self._stored(blob).data)

    def size(self, blob: ObjectId) -> int:
        """The size of a file in bytes; raises ``ObjectMissing``."""
        file = self._files.get(blob)
        if file is None:
            raise ObjectMissing(f"(blob {blob})")
        return file.size if file.size >= 0 else int(self._stored(blob).size)

    def _stored(self, blob: ObjectId) -> pygit2.Blob:
        found = self._repository.get(blob) if self._repository is not None else None
        if not isinstance(found, pygit2.Blob):
            raise ObjectMissing(f"(blob {blob})")
        return found


_Read = Callable[[Path], _File]
"""Reads one file from disk."""


def work_tree_of(path: Path) -> Path | None:
    """The top of the Git work tree that a path lies in, or ``None``; raises ``NotARepository``.

    A bare repository has no work tree.
    """
    folder = path if path.is_dir() else path.parent
    try:
        found = pygit2.discover_repository(str(folder))
        work = pygit2.Repository(found).workdir if found else None
    except pygit2.GitError as error:
        raise NotARepository(f"({error})") from error
    return Path(work).resolve() if work else None


def read_work_tree(
    folder: Path,
    *,
    only: Iterable[str] = (),
    more: Mapping[str, bytes] | None = None,
    raw: bool = False,
    lenient: bool = False,
) -> WorkTree:
    """The files below a folder as trees.

    ``only`` names the top folders that are of interest (all, if empty); ``more`` are files that are not
    on disk (yet), by path from the folder. ``raw`` reads every file from disk, so that line endings and
    filters show. ``lenient`` makes what cannot be read an entry of its own kind, for whoever comes upon it.
    Raises ``NotReadable`` and ``NotARepository``.
    """
    folder = folder.resolve()
    work = work_tree_of(folder)
    repository = pygit2.Repository(str(work)) if work is not None else None
    tops = frozenset(only)
    read = _or_unreadable if lenient else _on_disk
    listed = (
        _tracked(repository, folder, tops, read, raw=raw)
        if repository
        else _walked(folder, folder, tops, read)
    )
    files = dict(listed) | {p: _of_bytes(d, 0o100644) for p, d in (more or {}).items()}
    trees: dict[ObjectId, tuple[TreeEntry, ...]] = {}
    root = _tree(files, trees)
    return WorkTree(root, trees, {f.id: f for f in files.values()}, repository)


def _tracked(
    repository: pygit2.Repository, folder: Path, tops: frozenset[str], read: _Read, *, raw: bool
) -> Iterator[tuple[str, _File]]:
    """What Git tracks, and what it would: unchanged files by their id, all others from disk."""
    work = Path(repository.workdir).resolve()
    above = folder.relative_to(work).as_posix()
    prefix = "" if above == "." else f"{above}/"

    def inner(path: str) -> str:
        name = path.removeprefix(prefix)
        wanted = path.startswith(prefix) and (not tops or name.partition("/")[0] in tops)
        return name if wanted else ""

    status = {p: FileStatus(f) for p, f in repository.status(untracked_files="all").items()}
    for entry in repository.index:
        flags = status.get(entry.path, FileStatus.CURRENT)
        if not inner(entry.path) or flags & (_FROM_DISK | FileStatus.WT_DELETED):
            if flags & FileStatus.WT_DELETED and _in_its_place(work / entry.path):
                yield inner(entry.path), read(work / entry.path)
            continue
        if raw and entry.mode in _BLOBS:
            yield inner(entry.path), read(work / entry.path)
        else:
            yield inner(entry.path), _File(int(entry.mode), ObjectId(str(entry.id)))
    for path, flags in status.items():
        if not inner(path) or not flags & _FROM_DISK or flags & FileStatus.IGNORED:
            continue
        if path.endswith("/"):  # a repository inside this one, which Git would not look into
            yield inner(path).rstrip("/"), _File(int(FileMode.COMMIT), _NOTHING, b"", 0)
        elif os.path.lexists(work / path):
            yield inner(path), read(work / path)


def _in_its_place(path: Path) -> bool:
    """Whether something lies where Git misses a file: to Git a pipe or a device is nothing."""
    return os.path.lexists(path) and not path.is_dir()


def _walked(
    folder: Path, top: Path, tops: frozenset[str], read: _Read
) -> Iterator[tuple[str, _File]]:
    """Every file below a folder that no repository holds."""
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        if folder != top and read is _or_unreadable:
            yield folder.relative_to(top).as_posix(), _unreadable(folder)
            return
        raise NotReadable(f"({error.strerror})", where=Where(file=str(folder))) from error
    for child in children:
        path = child.relative_to(top).as_posix()
        if child.name == ".git" or (tops and path.partition("/")[0] not in tops):
            continue
        if child.is_dir() and not child.is_symlink():
            yield from _walked(child, top, frozenset(), read)
        else:
            yield path, read(child)


def _on_disk(path: Path) -> _File:
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            return _of_bytes(os.fsencode(path.readlink()), int(FileMode.LINK))
        if not stat.S_ISREG(found.st_mode):
            raise NotReadable("(it is no plain file)", where=Where(file=str(path)))
        executable = found.st_mode & stat.S_IXUSR
        mode = int(FileMode.BLOB_EXECUTABLE if executable else FileMode.BLOB)
        if found.st_size > LARGEST:
            known = f"{path}\0{found.st_size}\0{found.st_mtime_ns}".encode()
            return _File(mode, _id("blob", known), None, found.st_size)
        return _of_bytes(path.read_bytes(), mode)
    except OSError as error:
        raise NotReadable(f"({error.strerror})", where=Where(file=str(path))) from error


def _or_unreadable(path: Path) -> _File:
    try:
        return _on_disk(path)
    except NotReadable:
        return _unreadable(path)


def _unreadable(path: Path) -> _File:
    return _File(_UNREADABLE, _id("blob", os.fsencode(path)), None, 0)


def _of_bytes(data: bytes, mode: int) -> _File:
    return _File(mode, _id("blob", data), data, len(data))


def _id(kind: str, data: bytes) -> ObjectId:
    """The id that Git gives an object in its SHA-1 format; here it is a key, no protection."""
    head = f"{kind} {len(data)}\0".encode()
    return ObjectId(hashlib.sha1(head + data, usedforsecurity=False).hexdigest())


def _tree(files: Mapping[str, _File], trees: dict[ObjectId, tuple[TreeEntry, ...]]) -> ObjectId:
    """Put the tree of some files, and those below it, into ``trees``; its id."""
    below: dict[str, dict[str, _File]] = {}
    entries: list[TreeEntry] = []
    for path, file in files.items():
        head, _, rest = path.partition("/")
        if rest:
            below.setdefault(head, {})[rest] = file
        else:
            kind = _KINDS.get(file.mode, EntryKind.BLOB)
            entries.append(TreeEntry(head, file.mode, file.id, kind))
    for name, nested in below.items():
        entries.append(TreeEntry(name, int(FileMode.TREE), _tree(nested, trees), EntryKind.TREE))
    entries.sort(key=_order)
    raw = b"".join(
        b"%o %s\0" % (e.mode, os.fsencode(e.name)) + bytes.fromhex(e.id) for e in entries
    )
    tree = _id("tree", raw)
    trees[tree] = tuple(entries)
    return tree


def _order(entry: TreeEntry) -> bytes:
    """Git sorts a folder as if its name ended in a slash."""
    return os.fsencode(entry.name) + (b"/" if entry.kind is EntryKind.TREE else b"")
