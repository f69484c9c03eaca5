"""Extended headers: the real ones pass, those that cost the library its time do not reach it."""

from __future__ import annotations

import gzip
import io
import tarfile
import time

import pytest

from distributor.adapters.oci.archive import read_archive
from distributor.adapters.oci.headers import MAX_GLOBAL, MAX_HEADER
from distributor.errors.vendoring import HostileArchive
from tests.contract.oci.tars import entry, tgz

XHD, XGL, SOLARIS = tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE
LONGNAME = tarfile.GNUTYPE_LONGNAME
END = b"\0" * 1024


def block(kind: bytes, body: bytes, size: int | None = None) -> bytes:
    """One header of a type, by hand: the library would not write these."""
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, len(body)
    head = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    if size is not None:
        head[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + body.ljust(-(-len(body) // 512) * 512, b"\0")


FILE = block(tarfile.REGTYPE, b"x")
HOSTILE = {
    "digits without an end": block(XHD, b"9" * 20_000 + b" " * 20_000),
    "digits in a value": block(XHD, b"60012 path=" + b"9" * 60_000 + b"\n"),
    "records inside each other": block(XHD, b"2 " * 30_000 + b"="),
    "Solaris": block(SOLARIS, b"2 " * 30_000 + b"="),
    "a record of nothing": block(XHD, b"0 a=b\n"),
    "a record longer than its header": block(XHD, b"99 a=b\n"),
    "a record without a value": block(XHD, b"5 ab\n"),
    "a record without a name": block(XHD, b"5 =b\n"),
    "a record without an end": block(XHD, b"6 a=bc"),
    "no length": block(XHD, b"path=x\n"),
    "a length in other digits": block(XHD, "\u0666 a=b\n".encode()),
    "too long": block(XHD, b"x" * (MAX_HEADER + 1)),
    "a long name": block(LONGNAME, b"x" * (MAX_HEADER + 1)),
    "less than nothing": block(XHD, b"", size=-512),
    "for all files": block(XGL, b"6 a=b\n" * (MAX_GLOBAL // 6 + 1)),
    "for all files, in parts": block(XGL, b"6 a=b\n" * 300) * 4,
    "many": (block(XHD, b"6 a=b\n" * 10_000) + FILE) * 160,
    "sparse": block(XHD, b"22 GNU.sparse.major=1\n"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_headers_that_nobody_writes_are_refused_at_once(what: str) -> None:
    data = gzip.compress(HOSTILE[what] + FILE + END, compresslevel=0)
    began = time.process_time()
    with pytest.raises(HostileArchive, match=r"header|sparse"):
        read_archive(data)
    assert time.process_time() - began < 5


def test_headers_of_the_usual_tools_pass() -> None:
    long = "/".join(["folder" * 10] * 4) + "/file-\u00e9.yaml"
    times = {"mtime": "1700000000.123456789", "atime": "1700000000.1", "comment": "a" * 40}
    git = block(XGL, b"52 comment=" + b"0123456789abcdef0123456789abcdef01234567" + b"\n")
    members = gzip.decompress(tgz(entry(long, b"x", pax_headers=times)))
    (file,) = read_archive(gzip.compress(git + members))
    assert (file.path, file.data) == (long, b"x")


def test_long_names_of_gnu_tar_pass() -> None:
    stream = io.BytesIO()
    name = "folder/" * 30 + "x"
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(*_readable(name, b"x"))
    assert [file.path for file in read_archive(gzip.compress(stream.getvalue()))] == [name]


def test_every_file_of_a_full_archive_may_have_headers() -> None:
    times = {"mtime": "1700000000.123456789", "atime": "1700000000.1", "ctime": "1700000000.2"}
    many = [entry(f"{n:04d}", b"x", pax_headers=times) for n in range(2000)]
    assert len(read_archive(tgz(*many))) == 2000


def _readable(name: str, data: bytes) -> tuple[tarfile.TarInfo, io.BytesIO]:
    info, content = entry(name, data)
    return info, io.BytesIO(content)
