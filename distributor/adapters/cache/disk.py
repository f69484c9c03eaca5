"""The render cache: a folder of verified entries with a small memory in front."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from distributor import log
from distributor.adapters.cache import entry
from distributor.adapters.cache.memory import MemoryCache
from distributor.errors.render import CacheNotWritable

MIB = 1 << 20
_SUFFIX = ".render"
_TEMPORARY = ".tmp-"
_KEEP = 0.9  # a sweep goes down to this share of the bound, so that not every write sweeps
_SWEEP_EVERY = 1 / 16  # sweep after writing this share of the bound
_OWNER_ENTERS, _OWNER_READS = 0o700, 0o600
_STALE_SECONDS = 3600  # a temporary file this old belongs to a process that died


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """Bounds of the cache on disk and in memory, in bytes."""

    max_bytes: int = 1024 * MIB
    memory_bytes: int = 16 * MIB


class DiskRenderCache:
    """Implements ``RenderCache`` on a folder that several processes may share.

    Every entry is written aside and renamed into place, so a reader sees all of it or nothing, and its
    checksum is verified on each read: what a crash or a disk has damaged is dropped, never served. A
    folder that cannot be written costs one warning, and the cache goes on in memory.
    """

    def __init__(self, folder: Path, settings: CacheSettings | None = None) -> None:
        self._folder = folder
        self._settings = settings or CacheSettings()
        self._memory = MemoryCache(self._settings.memory_bytes)
        self._names = itertools.count()
        self._unswept = self._settings.max_bytes  # the first write looks at what is there
        self._degraded = False

    @property
    def degraded(self) -> bool:
        """Whether entries go to memory alone, as of the last write."""
        return self._degraded

    def get(self, key: str) -> tuple[bytes, ...] | None:
        """What was put under the key, or ``None``; never something half or wrong."""
        objects = self._memory.get(key)
        if objects is not None:
            return objects
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        objects = entry.decode(key, data)
        with suppress(OSError):
            if objects is None:
                path.unlink()
                return None
            os.utime(path)  # the sweep drops what was used longest ago
        if objects is not None:
            self._memory.put(key, objects)
        return objects

    def put(self, key: str, objects: Sequence[bytes]) -> None:
        """Keep the objects; failing to is no error."""
        kept = tuple(objects)
        self._memory.put(key, kept)
        data = entry.encode(key, kept)
        if len(data) > self._settings.max_bytes:
            return
        try:
            self._write(self._path(key), data)
        except OSError as error:
            self._degrade(error)
            return
        self._degraded = False
        self._unswept += len(data)
        if self._unswept > self._settings.max_bytes * _SWEEP_EVERY:
            self._unswept = 0
            self._sweep()

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._folder / name[:2] / (name + _SUFFIX)

    def _write(self, path: Path, data: bytes) -> None:
        self._make(path.parent)
        aside = path.parent / f"{_TEMPORARY}{os.getpid()}-{next(self._names)}"
        try:
            _write_private(aside, data)
            aside.replace(path)
        except OSError:
            with suppress(OSError):
                aside.unlink()
            raise

    def _make(self, folder: Path) -> None:
        """Folders that only their owner enters, whatever the umask: renders may name what is secret."""
        if folder.is_dir():
            return
        self._folder.mkdir(mode=_OWNER_ENTERS, parents=True, exist_ok=True)
        self._folder.chmod(_OWNER_ENTERS)
        folder.mkdir(mode=_OWNER_ENTERS, exist_ok=True)

    def _degrade(self, error: OSError) -> None:
        """Go on in memory alone; said once each time that it begins."""
        if not self._degraded:
            warning = CacheNotWritable(f"({self._folder}: {error.strerror or error})")
            log.get("cache").warning(str(warning), remedy=warning.hint)
        self._degraded = True

    def _sweep(self) -> None:
        """Drop what was used longest ago beyond the bound, and what dead writers left behind."""
        entries = []
        total = 0
        for path, status in _files(self._folder):
            if path.name.startswith(_TEMPORARY):
                if time.time() - status.st_mtime > _STALE_SECONDS:
                    _remove(path)
                continue
            entries.append((status.st_mtime_ns, status.st_size, path))
            total += status.st_size
        if total <= self._settings.max_bytes:
            return
        for _, size, path in sorted(entries):
            _remove(path)
            total -= size
            if total <= self._settings.max_bytes * _KEEP:
                break


def _write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads; one that a dead writer of the same number left goes first."""
    with suppress(FileNotFoundError):
        path.unlink()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _OWNER_READS)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The files of the cache; another process may remove any of them at any time."""
    for path in folder.glob("??/*"):
        if path.suffix != _SUFFIX and not path.name.startswith(_TEMPORARY):
            continue
        with suppress(OSError):
            yield path, path.stat()


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
