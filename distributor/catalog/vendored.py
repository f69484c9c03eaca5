"""What was vendored into a version, compared with its lock: from the tree alone, wherever it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from distributor.catalog.descriptors import Findings
from distributor.catalog.digests import digest_files
from distributor.catalog.documents import LIMIT
from distributor.catalog.vendor_lock import FILE, read_lock
from distributor.catalog.walking import TreeFile
from distributor.errors import Where
from distributor.errors.catalog import TooLarge
from distributor.errors.vendoring import VendoredDiffers
from distributor.model.artifacts import Vendored
from distributor.model.findings import Finding
from distributor.model.trees import TreeReader


def check_vendored(reader: TreeReader, files: Mapping[str, TreeFile], folder: str) -> Findings:
    """Every folder of the lock whose files are not what was vendored, and what is wrong with the lock.

    ``files`` are those of the version's folder, by path below it; a version without a lock is fine.
    """
    lock = files.get(FILE)
    if lock is None:
        return ()
    file = f"{folder}/{FILE}"
    if reader.size(lock.id) > LIMIT:
        return (Finding.of(TooLarge, f"At most {LIMIT} bytes are read.", Where(file=file)),)
    found: list[Finding] = []
    for entry in read_lock(reader.blob(lock.id), file):
        found += (
            [entry] if isinstance(entry, Finding) else _difference(reader, files, folder, entry)
        )
    return tuple(found)


def _difference(
    reader: TreeReader, files: Mapping[str, TreeFile], folder: str, entry: Vendored
) -> Iterator[Finding]:
    prefix = f"{entry.path}/"
    where = Where(file=f"{folder}/{entry.path}")
    there = [
        replace(file, path=path.removeprefix(prefix))
        for path, file in files.items()
        if path.startswith(prefix)
    ]
    if not there:
        remedy = f"`distributor vendor --package {folder}` brings it back; commit it with the lock."
        yield Finding.of(VendoredDiffers, "(the folder is missing)", where, remedy=remedy)
        return
    digest, _ = digest_files(reader, there, "")
    if digest != entry.files:
        remedy = (
            f"`distributor vendor --replace --package {folder}` writes it anew; a change of your own"
            " belongs in values, patches or a Component, not in what was vendored."
        )
        message = f"(its files are {digest}, not {entry.files})"
        yield Finding.of(VendoredDiffers, message, where, remedy=remedy)
