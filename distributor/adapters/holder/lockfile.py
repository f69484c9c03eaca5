"""A random name in a file that is locked while its process lives."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from distributor.errors.service import AlreadyRunning, StateNotWritable


class Holder:
    """The same name comes back after a crash, so the same service resumes its claims at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> str:
        """Lock the file and answer the name in it; raises ``AlreadyRunning``, ``StateNotWritable``."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            name = os.pread(self._file, 64, 0).decode("ascii", "replace").strip()
            if not name:
                name = secrets.token_hex(8)
                os.pwrite(self._file, name.encode(), 0)
                os.fsync(self._file)
        except BlockingIOError as error:
            self.release()
            raise AlreadyRunning(f"({self._path.parent})") from error
        except OSError as error:
            self.release()
            raise StateNotWritable(f"({self._path}: {error.strerror})") from error
        return name

    def release(self) -> None:
        """Unlock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
