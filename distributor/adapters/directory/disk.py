"""The few steps on a disk that directory targets are made of, each of which may fail or be the last."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from distributor.errors.cluster import TargetNotWritable

LOCK_SECONDS = 10.0
"""How long to wait for another process that holds the lock; a write takes milliseconds."""
_LOCK_POLL = 0.01
_PERMISSIONS = 0o777


class Disk:
    """Reads and writes files so that a reader sees the old bytes or the new ones, never something between.

    Every failure of the disk is a ``TargetNotWritable``. Tests subclass it to stop between two steps.
    """

    def read(self, path: Path) -> bytes | None:
        """The bytes of a file, or ``None`` where there is none."""
        with _coded(path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def mode(self, path: Path) -> int:
        """The permission bits of a file; 0 where there is none."""
        with _coded(path):
            try:
                return stat.S_IMODE(path.stat().st_mode) & _PERMISSIONS
            except FileNotFoundError:
                return 0

    def names(self, folder: Path) -> tuple[str, ...]:
        """The names in a folder, sorted; none where it does not exist."""
        with _coded(folder):
            try:
                return tuple(sorted(path.name for path in folder.iterdir()))
            except FileNotFoundError:
                return ()

    def require_folder(self, folder: Path) -> None:
        """Raise where the folder is not there: a disk that is not mounted must not look empty."""
        with _coded(folder):
            if not folder.is_dir():
                raise TargetNotWritable(
                    f"{folder}: there is no such folder.",
                    remedy="Create it, or correct directory_root: it is never made here, because a "
                    "missing folder may be a disk that is not mounted.",
                )

    def make_folder(self, folder: Path) -> None:
        """Make one folder in a parent that exists."""
        with _coded(folder):
            folder.mkdir(exist_ok=True)
            self.sync_folder(folder.parent)

    def put(self, path: Path, data: bytes, *, temporary: str, mode: int) -> None:
        """Replace a file by way of ``temporary``, a dot-file in the same folder."""
        draft = path.with_name(temporary)
        with _coded(path):
            try:
                self.write(draft, data, mode)
                self.rename(draft, path)
            except OSError:
                with suppress(OSError):
                    draft.unlink()
                raise
            self.sync_folder(path.parent)

    def write(self, draft: Path, data: bytes, mode: int) -> None:
        """Write all bytes to the draft and bring them to the disk."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(draft, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask, and before any byte is there
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, draft: Path, path: Path) -> None:
        """Put the draft in the file's place, in one step."""
        draft.replace(path)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone already is no error."""
        with _coded(path):
            path.unlink(missing_ok=True)
            self.sync_folder(path.parent)

    def sync_folder(self, folder: Path) -> None:
        """Bring a folder's entries to the disk."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def locked(self, path: Path, *, wait: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold the exclusive lock on a lock file, against other processes and other threads."""
        with _coded(path):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
        try:
            _lock(descriptor, path, wait)
            yield
        finally:
            os.close(descriptor)  # closing releases the lock


def _lock(descriptor: int, path: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        with _coded(path), suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() >= deadline:
            raise TargetNotWritable(f"{path}: another process has held the lock for {wait:g} s.")
        time.sleep(_LOCK_POLL)


@contextmanager
def _coded(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TargetNotWritable(f"{path}: {error.strerror or error}.") from error
