"""The package digest of a folder: as it is committed, and whether the files on disk differ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distributor.adapters.git import PygitObjects
from distributor.adapters.workspace import read_work_tree, work_tree_of
from distributor.catalog.digests import find, package_digest
from distributor.cli.local import open_catalog
from distributor.cli.rendering import place_of_packages
from distributor.errors import Where
from distributor.errors.service import NotFound
from distributor.model.findings import Finding, Invalid, errors
from distributor.model.refs import Digest, ObjectId
from distributor.model.trees import EntryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Digested:
    """A digest, where it was read (``HEAD`` or ``disk``), and what there is to say about it."""

    path: str
    digest: Digest
    source: str
    note: str = ""


def digest_at(path: Path) -> Digested:
    """The digest of a folder; raises ``NotFound``, and ``Invalid`` where it can have none."""
    if not path.is_dir():
        raise NotFound(where=Where(file=str(path)))
    folder = path.resolve()
    committed = _committed(folder)
    try:
        tree = read_work_tree(folder, raw=True)
        on_disk = package_digest(tree, tree.root)
    except Invalid:
        if committed is None:
            raise
        note = "the files on disk differ from what is committed, and could not be a package"
        return Digested(path=str(path), digest=committed, source="HEAD", note=note)
    if committed is None:
        note = "nothing of this is committed: the digest is that of the files on disk"
        return Digested(path=str(path), digest=on_disk, source="disk", note=note)
    note = "" if on_disk == committed else f"the files on disk differ: they would be {on_disk}"
    return Digested(path=str(path), digest=committed, source="HEAD", note=note)


def findings_at(path: Path) -> tuple[Finding, ...]:
    """What keeps a folder where packages lie from being one; nothing is said about other folders."""
    if not place_of_packages(path):
        return ()
    app, version = path.resolve().parts[-2:]
    local = open_catalog(path.resolve().parents[2])
    return errors(local.catalog.findings_under(f"catalog/{app}/{version}"))


def _committed(folder: Path) -> Digest | None:
    """The digest of the folder's tree at HEAD; ``None`` where it is not there."""
    work = work_tree_of(folder)
    objects = PygitObjects(work) if work is not None else None
    head = objects.resolve("HEAD") if objects is not None else None
    if work is None or objects is None or head is None:
        return None
    root = objects.tree_of(head)
    inside = folder.relative_to(work).as_posix()
    if inside == ".":
        return package_digest(objects, root)
    entry = find(objects, root, inside)
    if entry is None or entry.kind is not EntryKind.TREE:
        return None
    return package_digest(objects, ObjectId(entry.id))
