"""Extended headers of tars, judged before the library reads them.

Python's ``tarfile`` takes quadratic time, and memory, for headers that nobody writes in good faith
(CVE-2024-6232 is one such). Here each is looked at once, in linear time, and only what is well-formed gets
further. Records are ``LENGTH KEYWORD=VALUE`` and a newline, as POSIX.1-2017 (pax, "pax Extended Header")
says.
"""

from __future__ import annotations

import io
import tarfile
from typing import Self

from distributor.errors.vendoring import HostileArchive

MAX_HEADER = 64 << 10
"""Bytes of one extended header: paths and attributes of one file."""
MAX_HEADERS = 8 << 20
"""Bytes of all of them together: some hundred for each file that an archive may hold."""
MAX_GLOBAL = 4 << 10
"""Bytes of the headers that count for all files: the library goes over them again with every file."""
_MAX_RUN = 64
"""Digits in a row: longer than any time, size or checksum, short enough to try from each of them."""
_LENGTH_DIGITS = 9
_PAX = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE})
_LONG = frozenset({tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK})
_DIGITS = bytes(c if c in b"0123456789" else 0x20 for c in range(256))


class HeaderGuard:
    """Judges the headers of one archive as ``tarfile`` comes to them, where it comes to them."""

    def __init__(self, source: io.BytesIO) -> None:
        self._source = source
        self._headers = 0
        self._globals = 0

    def entries(self) -> type[tarfile.TarInfo]:
        """The class to open the archive with; it raises ``HostileArchive``."""
        guard = self

        class Entry(tarfile.TarInfo):
            @classmethod
            def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
                entry = super().frombuf(buf, encoding, errors)
                guard.judge(entry)
                return entry

        return Entry

    def judge(self, entry: tarfile.TarInfo) -> None:
        """Refuse an extended header that no tool writes; the source stands at its first byte."""
        if entry.type not in _PAX | _LONG:
            return
        if not 0 <= entry.size <= MAX_HEADER:
            raise HostileArchive(f"(a header in it claims {entry.size} bytes)")
        self._headers += entry.size
        self._globals += entry.size if entry.type == tarfile.XGLTYPE else 0
        if self._headers > MAX_HEADERS or self._globals > MAX_GLOBAL:
            raise HostileArchive("(it has far more headers than files need)")
        if entry.type in _PAX:
            start = self._source.tell()
            with self._source.getbuffer() as stream:
                _check_records(bytes(stream[start : start + entry.size]))


def _check_records(body: bytes) -> None:
    """Every byte belongs to one record that is what it says, and none is about sparse files."""
    if any(len(run) > _MAX_RUN for run in body.translate(_DIGITS).split()):
        raise HostileArchive(f"(a header in it has more than {_MAX_RUN} digits in a row)")
    start = 0
    while start < len(body):
        length, space, _ = body[start : start + _LENGTH_DIGITS + 1].partition(b" ")
        end = start + (int(length) if space and length.isdigit() else 0)
        record = body[start:end]
        keyword, equals, _ = record[len(length) + 1 :].partition(b"=")
        if len(record) != end - start or not record.endswith(b"\n") or not keyword or not equals:
            raise HostileArchive("(a header in it is broken)")
        if keyword.startswith(b"GNU.sparse."):
            raise HostileArchive("(it holds a sparse file)")
        start = end
