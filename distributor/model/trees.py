"""Git trees as values: what the pure rooms need to read content by object id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from distributor.model.refs import ObjectId


class EntryKind(StrEnum):
    """What a tree entry is."""

    BLOB = "blob"
    TREE = "tree"
    LINK = "link"  # a symbolic link
    SUBMODULE = "submodule"
    UNREADABLE = "unreadable file"  # on a disk only: it may not be read, or is no plain file


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a tree: its name, octal Git mode such as ``0o100644``, object id and kind."""

    name: str
    mode: int
    id: ObjectId
    kind: EntryKind


class TreeReader(Protocol):
    """Reads trees and blobs by id; content of an id never changes, so answers may be kept for ever."""

    def entries(self, tree: ObjectId) -> tuple[TreeEntry, ...]:
        """The entries of a tree in Git's order; raises ``ObjectMissing``."""
        ...

    def blob(self, blob: ObjectId) -> bytes:
        """The bytes of a blob; raises ``ObjectMissing``."""
        ...

    def size(self, blob: ObjectId) -> int:
        """The size of a blob in bytes, without reading it; raises ``ObjectMissing``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommit:
    """A commit to write: parents in order; ``signature`` is added by the writer's signer."""

    tree: ObjectId
    parents: tuple[ObjectId, ...]
    message: str
    at: datetime
