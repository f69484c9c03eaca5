"""Everything under ``catalog/``: one folder an app, one folder in it a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from distributor.catalog import packages
from distributor.catalog.descriptors import (
    Findings,
    Folder,
    Part,
    Source,
    descriptor,
    folder,
    missing,
)
from distributor.catalog.documents import Document
from distributor.catalog.memo import Memo
from distributor.catalog.names import check_name
from distributor.catalog.unused import unused
from distributor.catalog.version_folders import read_version
from distributor.catalog.walking import check_entries
from distributor.model.package import App, Package
from distributor.model.refs import ObjectId
from distributor.model.trees import EntryKind, TreeReader

NOT_VERSIONS = frozenset({"status", "attestations"})
"""Folders of an app that hold what arrives after a release."""

VersionMemo: TypeAlias = Memo[Part[Package] | Findings]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFolder:
    """One app: its card and packages, as far as they are without findings.

    ``versions`` names every folder of a version, readable or not.
    """

    name: str
    app: Part[App] | None = None
    packages: Mapping[str, Part[Package]] = field(default_factory=dict)
    versions: frozenset[str] = frozenset()
    findings: Findings = ()


def read_app(reader: TreeReader, name: str, tree: ObjectId, memo: VersionMemo) -> AppFolder:
    """One folder under ``catalog/``."""
    path = f"catalog/{name}"
    entries = folder(reader, tree)
    findings = [*check_name(name, path), *check_entries(tuple(entries.values()), path)]
    card = _card(reader, name, entries)
    if not isinstance(card, Part):
        findings += card
    found: dict[str, Part[Package]] = {}
    trees = {n: e for n, e in entries.items() if e.kind is EntryKind.TREE and n not in NOT_VERSIONS}
    for version, entry in trees.items():
        key = ("version", f"{path}/{version}", entry.id)
        part = memo.get(key, partial(read_version, reader, name, version, entry.id))
        if isinstance(part, Part):
            found[version] = part
        else:
            findings += part
    usable = not check_name(name, path)
    return AppFolder(
        name=name,
        app=card if isinstance(card, Part) and usable else None,
        packages=found if usable else {},
        versions=frozenset(trees),
        findings=tuple(findings),
    )


def _card(reader: TreeReader, name: str, entries: Folder) -> Part[App] | Findings:
    file = f"catalog/{name}/app.yaml"
    if "app.yaml" not in entries:
        return (missing(file),)
    document = descriptor(reader, entries["app.yaml"], file, "App", name)
    if not isinstance(document, Document):
        return document
    source = Source(file=file, blob=entries["app.yaml"].id)
    return Part(value=packages.app(document), source=source, notes=unused(document, "App"))
