"""How a folder of a package is replaced: unpacked beside the package, and put in its place by renames.

Whoever ends in between leaves the old content, the new one, or none under that name; the next run
finishes or takes back what was begun.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distributor.adapters.oci.archive import EXECUTABLE, PLAIN, PackedFile
from distributor.adapters.oci.contents import unpacked
from distributor.catalog.digests import digest_files
from distributor.catalog.vendor_lock import FILE
from distributor.catalog.walking import TreeFile, printable
from distributor.errors import Where
from distributor.errors.service import NotWritable
from distributor.errors.vendoring import VendoredDiffers
from distributor.model.findings import Invalid
from distributor.model.refs import Digest, ObjectId
from distributor.model.trees import TreeEntry

_NEW, _OLD, _LOCK, _PATH = "new", "old", "lock.yaml", "path"
"""In the staging folder: what comes, what goes, the lock that goes with what comes, and where it goes."""


class Staging:
    """The folder beside a package where things lie while they are under way; call it under the lock.

    Every failure of the disk is a ``NotWritable``. Tests subclass it to stop between two steps.
    """

    def __init__(self, package: Path, folder: Path) -> None:
        self._package = package
        self._folder = folder

    def unpack(self, data: bytes, media_type: str) -> Digest:
        """Unpack a layer into the staging folder, and nowhere else; the digest of its files."""
        files = unpacked(data, media_type)
        with self._coded():
            self.recover()
            self._folder.mkdir()
            self._put(
                self._folder / ".gitignore", b"*\n"
            )  # what a killed run leaves is not committed
            new = self._folder / _NEW
            new.mkdir()
            for file in files:
                self._write(new.joinpath(*file.path.split("/")), file)
            return digest_folder(new)

    def commit(self, path: str, lock: bytes) -> None:
        """Put what was unpacked in the place of ``path``, and the lock that names it in the lock's."""
        place = self._package.joinpath(*path.split("/"))
        with self._coded():
            place.parent.mkdir(parents=True, exist_ok=True)
            self._put(self._folder / _PATH, path.encode())
            self._put(self._folder / _LOCK, lock)
            if os.path.lexists(place):
                self._rename(place, self._folder / _OLD)
            self._rename(self._folder / _NEW, place)
            self._rename(self._folder / _LOCK, self._package / FILE)
            _sync(self._package)
            self._remove()

    def recover(self) -> None:
        """Bring a replacement that was begun to one of its ends, and clean up.

        The new content in its place means that only the lock is missing; else the old one goes back.
        """
        with self._coded():
            if not os.path.lexists(self._folder):
                return
            name = self._folder / _PATH
            if (self._folder / _LOCK).is_file() and name.is_file():
                place = self._package.joinpath(*name.read_text("utf-8").split("/"))
                if not (self._folder / _NEW).exists():
                    self._rename(self._folder / _LOCK, self._package / FILE)
                elif not os.path.lexists(place) and (self._folder / _OLD).exists():
                    self._rename(self._folder / _OLD, place)
            self._remove()

    def _write(self, path: Path, file: PackedFile) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._put(path, file.data)
        path.chmod(0o755 if file.mode == EXECUTABLE else 0o644)

    def _put(self, path: Path, data: bytes) -> None:
        """Write a new file and bring it to the disk."""
        with path.open("xb") as written:
            written.write(data)
            written.flush()
            os.fsync(written.fileno())

    def _rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def _remove(self) -> None:
        (self._folder / _LOCK).unlink(missing_ok=True)  # first: without what comes it would mislead
        shutil.rmtree(self._folder)

    @contextmanager
    def _coded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = str(error.filename or self._folder)
            raise NotWritable(f"({error.strerror})", where=Where(file=place)) from error


def digest_folder(folder: Path) -> Digest:
    """The digest of a folder's files, built like a package digest.

    Raises ``VendoredDiffers`` for anything but files and folders, ``Invalid`` for LFS pointers.
    """
    files = [TreeFile(path, mode, ObjectId(path)) for path, mode in _walk(folder, "")]
    digest, findings = digest_files(_Disk(folder), files, "")
    if findings:
        raise Invalid(findings)
    return digest


class _Disk:
    """A ``TreeReader`` as far as digests need one: a file's id is its path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entries(self, tree: ObjectId) -> tuple[TreeEntry, ...]:
        """None: only files are read here."""
        del tree
        return ()

    def blob(self, blob: ObjectId) -> bytes:
        """The bytes of a file."""
        return (self._folder / blob).read_bytes()

    def size(self, blob: ObjectId) -> int:
        """The size of a file."""
        return (self._folder / blob).stat().st_size


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, int]]:
    """Path and Git mode of every file."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = prefix + entry.name
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            yield from _walk(folder / entry.name, f"{path}/")
        elif stat.S_ISREG(mode) and printable(entry.name) == entry.name:
            yield path, EXECUTABLE if mode & 0o100 else PLAIN
        else:
            where = Where(file=printable(str(folder / entry.name)))
            raise VendoredDiffers(
                "(it is neither a plain file nor a folder)",
                where=where,
                remedy="Remove it: nothing of a package may be a link, a pipe or a device.",
            )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
