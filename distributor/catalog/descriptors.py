"""Descriptors out of a tree: size, kind of entry, YAML, schema and name are checked on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from distributor.catalog.documents import LIMIT, Document, FieldPath, locate, read
from distributor.catalog.names import check_same
from distributor.catalog.schema import check
from distributor.errors import Where
from distributor.errors.catalog import MissingFile, TooLarge, UnsafeEntry
from distributor.model.findings import Finding
from distributor.model.refs import ObjectId
from distributor.model.trees import EntryKind, TreeEntry, TreeReader

Findings = tuple[Finding, ...]
Folder = dict[str, TreeEntry]
"""The entries of one folder by name."""

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file that something was read from: enough to find a line in it later."""

    file: str
    blob: ObjectId

    def where(self, reader: TreeReader, path: FieldPath) -> Where:
        """The place of a field; reads the file again."""
        found = read(reader.blob(self.blob), self.file)
        if isinstance(found, Document):
            return locate(found.text, self.file, path)
        return Where(file=self.file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Generic[T_co]):
    """Something that was read without errors, and from where; ``notes`` are warnings about it."""

    value: T_co
    source: Source
    notes: Findings = ()


def folder(reader: TreeReader, tree: ObjectId) -> Folder:
    """The entries of a tree by name."""
    return {entry.name: entry for entry in reader.entries(tree)}


def missing(file: str, message: str = "") -> Finding:
    """The finding for a file that must be there."""
    return Finding.of(MissingFile, message, Where(file=file))


def data_of(reader: TreeReader, entry: TreeEntry, file: str) -> bytes | Findings:
    """The bytes of a file that is no larger than a descriptor may be; larger ones are not read."""
    if entry.kind is not EntryKind.BLOB:
        message = f"A file is needed here, not a {entry.kind}."
        return (Finding.of(UnsafeEntry, message, Where(file=file)),)
    size = reader.size(entry.id)
    if size > LIMIT:
        message = f"It has {size} bytes; at most {LIMIT} are read."
        return (Finding.of(TooLarge, message, Where(file=file)),)
    return reader.blob(entry.id)


def descriptor(
    reader: TreeReader, entry: TreeEntry, file: str, kind: str, name: str
) -> Document | Findings:
    """A document of a kind that is called ``name``; its schema holds."""
    data = data_of(reader, entry, file)
    if isinstance(data, tuple):
        return data
    document = read(data, file)
    if isinstance(document, tuple):
        return document
    findings = check(document, kind)
    if not findings:
        findings = check_same(document, name)
    return findings or document
