"""A package's folder on disk: its lock, and the folders that it names.

Reading only; ``staging`` writes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from distributor.adapters.oci.staging import Staging, digest_folder
from distributor.catalog.documents import Document, read
from distributor.catalog.vendor_lock import FILE, read_lock
from distributor.errors import Where
from distributor.errors.service import AlreadyRunning, NotFound, NotReadable
from distributor.errors.vendoring import VendoredDiffers
from distributor.model.artifacts import Vendored
from distributor.model.findings import Invalid
from distributor.model.refs import Digest


class PackageFolder:
    """The folder of one version, with its ``package.yaml``. Raises ``NotReadable``, ``NotWritable``."""

    def __init__(self, folder: Path, *, stage: Callable[[Path, Path], Staging] = Staging) -> None:
        self._folder = folder.resolve()
        self._stage = stage
        self._staging = self._folder.with_name(f".{self._folder.name}.vendor")
        if not (self._folder / "package.yaml").is_file():
            raise NotFound(
                "(there is no package.yaml)",
                where=Where(file=str(folder)),
                remedy="Name the folder of a version with --package: catalog/APP/VERSION.",
            )

    def described(self) -> tuple[str, str]:
        """The app's name, and the folder that its renderer reads; raises ``Invalid``."""
        file = self._folder / "package.yaml"
        document = read(_bytes(file), str(file))
        if not isinstance(document, Document):
            raise Invalid(document)
        data = document.data if isinstance(document.data, dict) else {}
        metadata, spec = data.get("metadata"), data.get("spec")
        app = metadata.get("name") if isinstance(metadata, dict) else None
        path = spec.get("path") if isinstance(spec, dict) else None
        return str(app or self._folder.parent.name), str(path or "")

    def lock(self) -> tuple[Vendored, ...]:
        """The entries of the lock; raises ``Invalid`` where it cannot be used."""
        file = self._folder / FILE
        if not os.path.lexists(file):
            return ()
        found = read_lock(_bytes(file), str(file))
        entries = tuple(e for e in found if isinstance(e, Vendored))
        if len(entries) != len(found):
            raise Invalid(f for f in found if not isinstance(f, Vendored))
        return entries

    def require_inside(self, path: str) -> None:
        """Raise ``VendoredDiffers`` where a link on the way to a folder would lead elsewhere."""
        self._inside(path)

    def digest(self, path: str) -> Digest | None:
        """The digest of a folder in the package as it is on disk; ``None`` where there is none.

        Raises ``VendoredDiffers`` where something in it is neither a file nor a folder.
        """
        folder = self._inside(path)
        if not os.path.lexists(folder):
            return None
        try:
            return digest_folder(folder)
        except OSError as error:
            raise NotReadable(f"({error.strerror})", where=Where(file=str(folder))) from error

    @property
    def interrupted(self) -> bool:
        """Whether an earlier run ended in the middle; the next ``staging`` puts that right."""
        return os.path.lexists(self._staging)

    @contextmanager
    def staging(self) -> Iterator[Staging]:
        """Hold the package against other runs; what an earlier one left is finished or taken back first."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(f"(on {self._folder})") from None
            staging = self._stage(self._folder, self._staging)
            staging.recover()
            try:
                yield staging
            finally:
                staging.recover()
        finally:
            os.close(descriptor)  # closing releases the lock

    def _inside(self, path: str) -> Path:
        """A folder in the package; raises where a link on the way would lead elsewhere."""
        place = self._folder
        for part in path.split("/"):
            place = place / part
            if place.is_symlink():
                raise VendoredDiffers(
                    "(it is a symbolic link)",
                    where=Where(file=str(place)),
                    remedy="Remove the link: what a package renders lies in its own folder.",
                )
        return place


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotReadable(f"({error.strerror})", where=Where(file=str(file))) from error
