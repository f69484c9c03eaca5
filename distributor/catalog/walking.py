"""Git trees, walked with suspicion: plain files only, names that every file system carries, bounded size."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from distributor.errors import Where
from distributor.errors.catalog import BadPath, TooLarge, UnsafeEntry
from distributor.errors.service import NotReadable
from distributor.model.findings import Finding
from distributor.model.refs import ObjectId
from distributor.model.trees import EntryKind, TreeEntry, TreeReader

MAX_BYTES = 32 << 20
MAX_FILES = 10_000
MAX_DEPTH = 64
_FORBIDDEN_NAMES = frozenset({"", ".", "..", ".git", "git~1"})
_FORBIDDEN_CHARACTERS = frozenset('/\\:*?"<>|')


@dataclass(frozen=True, slots=True, order=True)
class TreeFile:
    """One file of a tree: its path from the tree's root, octal Git mode, and blob."""

    path: str
    mode: int
    id: ObjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The files of a tree in Git's order, and what is wrong with it. No blob was read."""

    files: tuple[TreeFile, ...] = ()
    findings: tuple[Finding, ...] = ()


class _TooMuch(Exception):
    """A limit was reached."""


def walk(reader: TreeReader, tree: ObjectId, folder: str) -> Walk:
    """Every file below ``tree``; ``folder`` is its path, for findings. Stops at the limits."""
    steps = _Steps(reader, folder)
    try:
        steps.into(tree, "", 0)
    except _TooMuch as error:
        finding = Finding.of(TooLarge, str(error), Where(file=folder))
        return Walk(findings=(*steps.findings, finding))
    return Walk(files=tuple(steps.files), findings=tuple(steps.findings))


def check_entries(entries: tuple[TreeEntry, ...], folder: str) -> tuple[Finding, ...]:
    """What is wrong with the entries of one folder: kinds, names, and pairs of names."""
    found = [f for entry in entries for f in _check_entry(entry, folder)]
    seen: dict[str, str] = {}
    for entry in entries:
        folded = unicodedata.normalize("NFC", entry.name).casefold()
        if folded in seen:
            message = f"It differs from {seen[folded]!r} only in case or form."
            found.append(Finding.of(BadPath, message, Where(file=_join(folder, entry.name))))
        seen.setdefault(folded, entry.name)
    return tuple(found)


class _Steps:
    def __init__(self, reader: TreeReader, folder: str) -> None:
        self.reader = reader
        self.folder = folder
        self.files: list[TreeFile] = []
        self.findings: list[Finding] = []
        self._bytes = 0
        self._entries = 0

    def into(self, tree: ObjectId, prefix: str, depth: int) -> None:
        entries = self.reader.entries(tree)
        self._entries += len(entries)
        if depth > MAX_DEPTH or self._entries > 2 * MAX_FILES:
            raise _TooMuch(f"It has more than {MAX_FILES} files or {MAX_DEPTH} levels.")
        self.findings += check_entries(entries, _join(self.folder, prefix))
        for entry in entries:
            path = _join(prefix, entry.name)
            if entry.kind is EntryKind.TREE:
                self.into(entry.id, path, depth + 1)
            elif entry.kind is EntryKind.BLOB:
                self._file(entry, path)

    def _file(self, entry: TreeEntry, path: str) -> None:
        self._bytes += self.reader.size(entry.id)
        self.files.append(TreeFile(path, entry.mode, entry.id))
        if len(self.files) > MAX_FILES:
            raise _TooMuch(f"It has more than {MAX_FILES} files.")
        if self._bytes > MAX_BYTES:
            raise _TooMuch(f"It has more than {MAX_BYTES} bytes.")


def _join(folder: str, name: str) -> str:
    if not folder or not name:
        return folder or name
    return f"{folder}/{name}"


def _check_entry(entry: TreeEntry, folder: str) -> Iterator[Finding]:
    where = Where(file=_join(folder, printable(entry.name)))
    if entry.kind is EntryKind.LINK:
        yield Finding.of(UnsafeEntry, "It is a symbolic link.", where)
    elif entry.kind is EntryKind.SUBMODULE:
        yield Finding.of(UnsafeEntry, "It is a submodule.", where)
    elif entry.kind is EntryKind.UNREADABLE:
        yield Finding.of(NotReadable, "It is no plain file, or may not be read.", where)
    reason = bad_name(entry.name)
    if reason:
        yield Finding.of(BadPath, reason, where)


def bad_name(name: str) -> str:
    """Why a file or folder may not be called so; empty if it may."""
    if name.casefold() in _FORBIDDEN_NAMES:
        return "The name leaves its folder or belongs to Git."
    if printable(name) != name or not _FORBIDDEN_CHARACTERS.isdisjoint(name):
        return "The name has a character that not every file system carries."
    if not unicodedata.is_normalized("NFC", name):
        return "The name is not in Unicode form NFC."
    if name.endswith((" ", ".")):
        return "The name ends with a dot or a space."
    return ""


def printable(name: str) -> str:
    """The name with control characters and undecodable bytes replaced."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
