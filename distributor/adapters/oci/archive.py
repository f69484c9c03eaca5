"""Gzipped tars, read with suspicion: plain files with plain names, bounded, nothing written before it was judged."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from distributor.catalog.walking import MAX_BYTES, MAX_DEPTH, MAX_FILES, bad_name, printable
from distributor.errors import Where
from distributor.errors.vendoring import ArtifactTooLarge, HostileArchive

EXECUTABLE, PLAIN = 0o100755, 0o100644
_BLOCK = 512
_STREAM = MAX_BYTES + MAX_FILES * 4 * _BLOCK
"""Bytes that an archive may unpack to, headers and padding included."""
_RATIO = 200
_FREE = 4 << 20
"""From this size on, content that shrinks to less than 1/200 is taken for a bomb, not for files."""
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedFile:
    """One file of an archive: its path, octal Git mode and bytes."""

    path: str
    mode: int
    data: bytes = field(repr=False)


def read_archive(data: bytes) -> tuple[PackedFile, ...]:
    """All files of a gzipped tar; raises ``HostileArchive`` and ``ArtifactTooLarge``."""
    stream = _inflate(data)
    names = _Names()
    files: list[PackedFile] = []
    total = 0
    for member, content in _members(stream):
        path = names.take(member)
        if content is None:
            continue
        total += len(content)
        if total > MAX_BYTES:
            raise ArtifactTooLarge(f"(its files have more than {MAX_BYTES} bytes)")
        mode = EXECUTABLE if member.mode & 0o100 else PLAIN
        files.append(PackedFile(path=path, mode=mode, data=content))
    if not files:
        raise HostileArchive("(it holds no file)")
    return tuple(files)


def _inflate(data: bytes) -> bytes:
    """The bytes of one gzip stream, no more of them than an archive may have."""
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        stream = inflater.decompress(data, _STREAM + 1)
    except zlib.error as error:
        raise HostileArchive(f"(it is no gzip: {error})") from error
    if len(stream) > _STREAM:
        raise ArtifactTooLarge(f"(it unpacks to more than {_STREAM} bytes)")
    if len(stream) > _FREE and len(stream) > _RATIO * len(data):
        raise ArtifactTooLarge(f"({len(data)} bytes unpack to {len(stream)}: that is a bomb)")
    if not inflater.eof:
        raise HostileArchive("(its gzip stream ends in the middle)")
    if inflater.unused_data.strip(b"\0"):
        raise HostileArchive("(something follows its gzip stream)")
    return stream


def _members(stream: bytes) -> Iterator[tuple[tarfile.TarInfo, bytes | None]]:
    """Entries and the bytes of files; ``None`` for folders."""
    try:
        with tarfile.open(fileobj=io.BytesIO(stream), mode="r:", encoding="utf-8") as archive:
            for member in archive:
                _check_kind(member)
                yield member, None if member.isdir() else _content(archive, member, len(stream))
            rest = stream[archive.offset : archive.offset + _BLOCK]
    except _BROKEN as error:
        raise HostileArchive(f"(it is no tar: {printable(str(error))[:200]})") from error
    if rest.strip(b"\0"):  # the library takes a broken header for the end
        raise HostileArchive("(it is broken in the middle)")


_BROKEN = (tarfile.TarError, EOFError, OSError, ValueError, OverflowError, RecursionError, KeyError)


def _check_kind(member: tarfile.TarInfo) -> None:
    if member.type in {tarfile.REGTYPE, tarfile.AREGTYPE} and not member.issparse():
        return
    if member.type != tarfile.DIRTYPE:
        kind = _KINDS.get(member.type, f"of the type {member.type!r}")
        raise HostileArchive(f"(it is {kind})", where=_where(member))


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    if not 0 <= member.size <= most:
        raise HostileArchive(f"(it claims {member.size} bytes)", where=_where(member))
    file = archive.extractfile(member)
    content = file.read(member.size) if file is not None else b""
    if len(content) != member.size:
        raise HostileArchive("(it is cut off)", where=_where(member))
    return content


class _Names:
    """The paths taken so far; no two of them may meet on any file system."""

    def __init__(self) -> None:
        self._spelt: dict[str, str] = {}  # folded path -> the path
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._entries = 0

    def take(self, member: tarfile.TarInfo) -> str:
        """The path of an entry; raises where it may not be unpacked beside the others."""
        self._entries += 1
        if self._entries > 2 * MAX_FILES or len(self._files) >= MAX_FILES:
            raise ArtifactTooLarge(f"(it holds more than {MAX_FILES} files)")
        path = self._safe(member)
        if not path:
            return path
        parts = path.split("/")
        folders = ["/".join(parts[:n]) for n in range(1, len(parts))]
        for one in (*folders, path):
            if self._spelt.setdefault(one.casefold(), one) != one:
                self._refuse(member, f"differs from {self._spelt[one.casefold()]!r} only in case")
        self._place(member, path, folders)
        return path

    def _place(self, member: tarfile.TarInfo, path: str, folders: list[str]) -> None:
        if not self._files.isdisjoint(folders):
            self._refuse(member, "lies in a file")
        self._folders.update(folders)
        if member.isdir():
            if path in self._files:
                self._refuse(member, "is there twice")
            self._folders.add(path)
            return
        if path in self._files or path in self._folders:
            self._refuse(member, "is there twice")
        self._files.add(path)

    def _safe(self, member: tarfile.TarInfo) -> str:
        """The path without the ``./`` that tar writes for a folder's own content."""
        path = member.name
        while path.startswith("./"):
            path = path[2:]
        if path in {"", "."} and member.isdir():
            return ""
        parts = path.split("/")
        if len(parts) > MAX_DEPTH:
            self._refuse(member, f"lies deeper than {MAX_DEPTH} folders")
        reason = next(filter(None, map(bad_name, parts)), "")
        if reason:
            self._refuse(member, reason[0].lower() + reason[1:].removesuffix("."))
        return path

    def _refuse(self, member: tarfile.TarInfo, reason: str) -> None:
        raise HostileArchive(f"({reason})", where=_where(member))


def _where(member: tarfile.TarInfo) -> Where:
    return Where(file=printable(member.name)[:200])
