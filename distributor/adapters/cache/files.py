"""Folders and files of the cache that are what they seem: no links, no pipes, nobody else's."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_OWNER_ENTERS, _OWNER_READS = 0o700, 0o600
_NAME = 2  # letters of the name of a subfolder


def make_private(root: Path, folder: Path) -> None:
    """Make the root and a folder in it that only their owner enters, whatever the umask and what was there.

    Renders may name what is secret. The root may be a link, the folder may not. Raises ``OSError`` where
    one of the two is no folder or not of this user.
    """
    root.mkdir(mode=_OWNER_ENTERS, parents=True, exist_ok=True)
    _tighten(root, root.stat())
    with suppress(FileExistsError):
        folder.mkdir(mode=_OWNER_ENTERS)
    _tighten(folder, folder.lstat())


def _tighten(folder: Path, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(f"{folder} is no folder")
    if status.st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user")
    if stat.S_IMODE(status.st_mode) != _OWNER_ENTERS:
        folder.chmod(_OWNER_ENTERS)


def read(path: Path, limit: int) -> bytes | None:
    """A file of at most ``limit`` bytes; ``None`` for anything else that stands in its place.

    Never waits, as on a pipe, and follows no link, in place of the file or of its folder. Raises ``OSError``
    where there is nothing, a link, what may not be read, or what another user put there.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
        handle = os.open(path.name, flags, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid():
            raise PermissionError(f"{path} belongs to another user")
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            return None
        return _all_of(handle, status.st_size)
    finally:
        os.close(handle)


def _all_of(handle: int, size: int) -> bytes:
    parts = []
    while size > 0 and (part := os.read(handle, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def write(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads; one that a dead writer of the same name left goes first."""
    remove(path)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _OWNER_READS)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def remove(path: Path) -> None:
    """Remove whatever stands there, if it can be: a folder with all that is in it, a link alone."""
    with suppress(OSError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()


def regular(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The files in the subfolders of the cache; another process may remove any of them at any time."""
    for folder in _scan(root):
        if len(folder.name) == _NAME and folder.is_dir(follow_symlinks=False):
            for file in _scan(Path(folder)):
                with suppress(OSError):
                    status = file.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        yield Path(file), status


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as found:
        return list(found)
    return []
