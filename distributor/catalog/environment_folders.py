"""Everything under ``environments/``: the pipeline, tiers, and one folder an environment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar

from distributor.catalog import fleet
from distributor.catalog.contents import KUSTOMIZATIONS, check_component
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
from distributor.catalog.walking import check_entries, walk
from distributor.errors import Where
from distributor.errors.catalog import NameMismatch, SchemaViolation, UnsafeEntry
from distributor.model.findings import Finding
from distributor.model.fleet import Cluster, Environment, Installation, Tier
from distributor.model.refs import Digest, ObjectId
from distributor.model.trees import EntryKind, TreeEntry, TreeReader

TIERS = "tiers"
"""The folder beside the environments that no environment can be called."""
_SUFFIX = ".yaml"
_NEARLY = (".yml", ".json", ".yaml.txt")

FileMemo: TypeAlias = Memo[Part[Any] | Findings]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFolder:
    """One environment: what of it is without findings, and the findings of the rest."""

    name: str
    environment: Part[Environment] | None = None
    clusters: Mapping[str, Part[Cluster]] = field(default_factory=dict)
    installations: Mapping[str, Part[Installation]] = field(default_factory=dict)
    overlay: ObjectId | None = None
    findings: Findings = ()


def read_tier(reader: TreeReader, name: str, tree: ObjectId) -> Part[Tier] | Findings:
    """One folder under ``environments/tiers/``."""
    path = f"environments/{TIERS}/{name}"
    entries = folder(reader, tree)
    component, findings = _component(reader, tree, path, optional=True)
    findings += check_name(name, path)
    if "tier.yaml" not in entries:
        return (missing(f"{path}/tier.yaml"), *findings)
    file = f"{path}/tier.yaml"
    document = descriptor(reader, entries["tier.yaml"], file, "Tier", name)
    if not isinstance(document, Document):
        return (*document, *findings)
    source = Source(file=file, blob=entries["tier.yaml"].id)
    return findings or Part(value=fleet.tier(document, tree, component=component), source=source)


def read_environment(
    reader: TreeReader, name: str, tree: ObjectId, memo: FileMemo
) -> EnvironmentFolder:
    """One environment's folder. Files that did not change are not read again."""
    path = f"environments/{name}"
    entries = folder(reader, tree)
    findings = [*check_name(name, path), *check_entries(tuple(entries.values()), path)]
    own = _environment(reader, name, entries)
    if not isinstance(own, Part):
        findings += own
    clusters, wrong = _files(reader, entries, f"{path}/clusters", memo, _cluster_reader(name))
    findings += wrong
    apps, wrong = _files(reader, entries, f"{path}/apps", memo, _installation_reader(name))
    findings += wrong
    overlay, wrong = _overlay(reader, entries, f"{path}/overlay")
    findings += wrong
    # without its overlay it would render as something else
    usable = not check_name(name, path) and not wrong
    return EnvironmentFolder(
        name=name,
        environment=own if isinstance(own, Part) and usable else None,
        clusters=clusters,
        installations=apps,
        overlay=overlay,
        findings=tuple(findings),
    )


def _environment(reader: TreeReader, name: str, entries: Folder) -> Part[Environment] | Findings:
    file = f"environments/{name}/environment.yaml"
    entry = entries.get("environment.yaml")
    if entry is None:
        return (missing(file),)
    document = descriptor(reader, entry, file, "Environment", name)
    if not isinstance(document, Document):
        return document
    return _part(document, entry, lambda: fleet.environment(document))


def _cluster_reader(environment: str) -> Callable[[TreeReader, TreeEntry, str, str], Any]:
    def read(
        reader: TreeReader, entry: TreeEntry, file: str, name: str
    ) -> Part[Cluster] | Findings:
        document = descriptor(reader, entry, file, "Cluster", name)
        if not isinstance(document, Document):
            return document
        content = hashlib.sha256(reader.blob(entry.id)).hexdigest()
        digest = Digest("sha256:" + content)
        return _part(document, entry, lambda: fleet.cluster(document, environment, digest))

    return read


def _installation_reader(environment: str) -> Callable[[TreeReader, TreeEntry, str, str], Any]:
    def read(
        reader: TreeReader, entry: TreeEntry, file: str, name: str
    ) -> Part[Installation] | Findings:
        document = descriptor(reader, entry, file, "Installation", name)
        if not isinstance(document, Document):
            return document
        return _part(document, entry, lambda: fleet.installation(document, environment))

    return read


def _part(document: Document, entry: TreeEntry, make: Callable[[], T]) -> Part[T] | Findings:
    """The noun of a document; a value that the schema let through and the noun refuses is a finding."""
    try:
        value = make()
    except ValueError as error:
        return (Finding.of(SchemaViolation, f"{error}.", document.where(("spec",))),)
    source = Source(file=document.file, blob=entry.id)
    return Part(value=value, source=source, notes=unused(document, document.data["kind"]))


def _files(
    reader: TreeReader,
    entries: Folder,
    path: str,
    memo: FileMemo,
    read: Callable[[TreeReader, TreeEntry, str, str], Part[T] | Findings],
) -> tuple[dict[str, Part[T]], Findings]:
    """Each descriptor of a folder, by the name of its file."""
    found: dict[str, Part[T]] = {}
    inner = entries.get(path.rpartition("/")[2])
    if inner is None:
        return found, ()
    if inner.kind is not EntryKind.TREE:
        return found, (Finding.of(UnsafeEntry, "A folder is needed here.", Where(file=path)),)
    listed = reader.entries(inner.id)
    findings = [*check_entries(listed, path)]
    for entry in listed:
        file = f"{path}/{entry.name}"
        if entry.kind not in {EntryKind.BLOB, EntryKind.TREE}:
            continue  # check_entries said so
        if not entry.name.endswith(_SUFFIX):
            findings += _stray(entry, file)
            continue
        name = entry.name.removesuffix(_SUFFIX)
        key = (str(entry.mode), file, entry.id)
        part = memo.get(key, partial(_named, reader, entry, file, read))
        if isinstance(part, Part):
            found[name] = part
        else:
            findings += part
    return found, tuple(findings)


def _named(
    reader: TreeReader,
    entry: TreeEntry,
    file: str,
    read: Callable[[TreeReader, TreeEntry, str, str], Part[T] | Findings],
) -> Part[T] | Findings:
    name = entry.name.removesuffix(_SUFFIX)
    wrong = check_name(name, file)
    part = read(reader, entry, file, name)
    return wrong or part


def _stray(entry: TreeEntry, file: str) -> Findings:
    """A finding for what was surely meant to be a descriptor; other files are nobody's business."""
    if entry.kind is EntryKind.TREE:
        message = "Folders are not read here; each file lies directly in this folder."
    elif entry.name.lower().endswith(_NEARLY) or entry.name.lower().endswith(_SUFFIX):
        message = f"Only files that end in {_SUFFIX} are read here."
    else:
        return ()
    return (Finding.of(NameMismatch, message, Where(file=file)),)


def _overlay(reader: TreeReader, entries: Folder, path: str) -> tuple[ObjectId | None, Findings]:
    entry = entries.get("overlay")
    if entry is None or entry.kind is not EntryKind.TREE:
        return None, ()
    component, findings = _component(reader, entry.id, path, optional=False)
    return (entry.id if component else None), findings


def _component(
    reader: TreeReader, tree: ObjectId, path: str, *, optional: bool
) -> tuple[bool, Findings]:
    """Whether a folder is a usable Component; an optional one may hold no kustomization at all."""
    walked = walk(reader, tree, path)
    files = {file.path: file for file in walked.files}
    if walked.findings:
        return False, walked.findings
    if optional and not any(name in files for name in KUSTOMIZATIONS):
        return False, ()
    findings = check_component(reader, files, "", path)
    return not findings, findings
