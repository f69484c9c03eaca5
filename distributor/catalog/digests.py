"""The digests that name a revision: of a package's folder, and of the configuration beside it.

Both are SHA-256 over (mode, path, bytes as committed) of the files, sorted by mode and path, each part
preceded by its length. They do not depend on Git's own object format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from distributor.catalog.documents import LFS
from distributor.catalog.walking import TreeFile, walk
from distributor.errors import Where
from distributor.errors.catalog import UnsafeEntry
from distributor.model.findings import Finding, Invalid
from distributor.model.refs import Digest, ObjectId
from distributor.model.trees import EntryKind, TreeEntry, TreeReader


def package_digest(reader: TreeReader, tree: ObjectId) -> Digest:
    """The package digest of a version's folder.

    Raises ``Invalid`` if the tree holds anything but plain files with safe names, or too much.
    """
    found = walk(reader, tree, "")
    if found.findings:
        raise Invalid(found.findings, "The folder has no digest.")
    digest, findings = digest_files(reader, found.files, "")
    if findings:
        raise Invalid(findings, "The folder has no digest.")
    return digest


def digest_files(
    reader: TreeReader, files: Iterable[TreeFile], folder: str
) -> tuple[Digest, tuple[Finding, ...]]:
    """The digest over files, in whatever order they come, and the Git LFS pointers among them."""
    hasher = hashlib.sha256()
    findings: list[Finding] = []
    for file in sorted(files, key=_order):
        data = reader.blob(file.id)
        if data.startswith(LFS):
            path = f"{folder}/{file.path}" if folder else file.path
            findings.append(Finding.of(UnsafeEntry, "It is a Git LFS pointer.", Where(file=path)))
        for part in (*_order(file), data):
            hasher.update(b"%d:" % len(part))
            hasher.update(part)
    return Digest("sha256:" + hasher.hexdigest()), tuple(findings)


def config_paths(
    reader: TreeReader,
    root: ObjectId,
    *,
    environment: str,
    instance: str,
    tiers: Iterable[str],
) -> tuple[str, ...]:
    """The files and folders, from the root, that Config covers and that exist; sorted."""
    return tuple(sorted(_config_entries(reader, root, environment, instance, tiers)))


def config_digest(
    reader: TreeReader,
    root: ObjectId,
    *,
    environment: str,
    instance: str,
    tiers: Iterable[str],
) -> Digest:
    """Config: the digest over the configuration that an instance's renders see in an environment.

    ``tiers`` are those that the package fits. A missing file adds nothing. Raises ``Invalid`` where
    one of the folders holds anything but plain files.
    """
    files: list[TreeFile] = []
    findings: list[Finding] = []
    for path, entry in _config_entries(reader, root, environment, instance, tiers).items():
        if entry.kind is EntryKind.TREE:
            found = walk(reader, entry.id, path)
            findings += found.findings
            files += [TreeFile(f"{path}/{f.path}", f.mode, f.id) for f in found.files]
        elif entry.kind is EntryKind.BLOB:
            files.append(TreeFile(path, entry.mode, entry.id))
        else:
            findings.append(Finding.of(UnsafeEntry, "It is a link.", Where(file=path)))
    if findings:
        raise Invalid(findings, "The configuration has no digest.")
    digest, pointers = digest_files(reader, files, "")
    if pointers:
        raise Invalid(pointers, "The configuration has no digest.")
    return digest


def find(reader: TreeReader, tree: ObjectId, path: str) -> TreeEntry | None:
    """The entry at a slash-separated path below a tree, or ``None``."""
    *folders, name = path.split("/")
    for folder in folders:
        entry = _child(reader, tree, folder)
        if entry is None or entry.kind is not EntryKind.TREE:
            return None
        tree = entry.id
    return _child(reader, tree, name)


def _child(reader: TreeReader, tree: ObjectId, name: str) -> TreeEntry | None:
    return next((e for e in reader.entries(tree) if e.name == name), None)


def _config_entries(
    reader: TreeReader, root: ObjectId, environment: str, instance: str, tiers: Iterable[str]
) -> dict[str, TreeEntry]:
    paths = [f"environments/tiers/{tier}" for tier in tiers]
    here = f"environments/{environment}"
    paths += [f"{here}/environment.yaml", f"{here}/overlay", f"{here}/apps/{instance}.yaml"]
    found = ((path, find(reader, root, path)) for path in paths)
    return {path: entry for path, entry in found if entry is not None}


def _order(file: TreeFile) -> tuple[bytes, bytes]:
    return (b"%06o" % file.mode, file.path.encode())
