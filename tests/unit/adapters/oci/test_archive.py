"""Archives: what is unpacked, and everything that never is."""

from __future__ import annotations

import gzip
import os
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.adapters.oci.archive import EXECUTABLE, PLAIN, read_archive
from distributor.adapters.oci.contents import CHART as CHART_TYPE
from distributor.adapters.oci.contents import unpacked
from distributor.errors import DistributorError
from distributor.errors.vendoring import ArtifactTooLarge, HostileArchive, UnsupportedArtifact
from tests.contract.oci.tars import BUNDLE, CHART, entry, packed, tar, tgz

GENERIC = "application/vnd.cncf.flux.content.v1.tar+gzip"


def test_files_come_out_as_they_went_in() -> None:
    data = tgz(
        entry("./", type=tarfile.DIRTYPE),
        entry("./a", type=tarfile.DIRTYPE),
        entry("./a/run.sh", b"#!/bin/sh\n", mode=0o4755),
        entry("a/b.yaml", b"x: 1\n", mode=0o640),
        entry("empty", b""),
    )
    assert [(f.path, f.mode, f.data) for f in read_archive(data)] == [
        ("a/run.sh", EXECUTABLE, b"#!/bin/sh\n"),
        ("a/b.yaml", PLAIN, b"x: 1\n"),
        ("empty", PLAIN, b""),
    ]


LINK, HARD, SPARSE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.GNUTYPE_SPARSE
HOSTILE = {
    "parent": [entry("../x", b"x")],
    "parent in the middle": [entry("a/../../x", b"x")],
    "parent after dots": [entry("./../x", b"x")],
    "absolute": [entry("/etc/passwd", b"x")],
    "drive": [entry("C:x", b"x")],
    "backslash": [entry("a\\..\\x", b"x")],
    "dot inside": [entry("a/./x", b"x")],
    "empty part": [entry("a//x", b"x")],
    "git": [entry(".git/hooks/post-checkout", b"x")],
    "git in capitals": [entry("a/.GIT/config", b"x")],
    "git's short name": [entry("git~1/config", b"x")],
    "symbolic link": [entry("a", type=LINK, linkname="/etc")],
    "through a link": [entry("a", type=LINK, linkname="/etc"), entry("a/x", b"x")],
    "hard link": [entry("a", b"x"), entry("b", type=HARD, linkname="a")],
    "device": [entry("a", type=tarfile.CHRTYPE)],
    "block device": [entry("a", type=tarfile.BLKTYPE)],
    "pipe": [entry("a", type=tarfile.FIFOTYPE)],
    "contiguous": [entry("a", type=tarfile.CONTTYPE)],
    "unknown type": [entry("a", b"x"), entry("b", type=b"Z")],
    "sparse by header": [entry("a", b"x" * 512, pax_headers={"GNU.sparse.size": "99999999999", "GNU.sparse.map": "0,1"})],
    "case": [entry("a/Values.yaml", b"x"), entry("a/values.yaml", b"y")],
    "case of folders": [entry("A/x", b"x"), entry("a/y", b"y")],
    "twice": [entry("a", b"x"), entry("a", b"y")],
    "file and folder": [entry("a", b"x"), entry("a/b", b"y")],
    "folder and file": [entry("a/b", b"x"), entry("a", b"y")],
    "file, then its folder": [entry("a", b"x"), entry("a", type=tarfile.DIRTYPE)],
    "not NFC": [entry("cafe\u0301", b"x")],
    "control character": [entry("a\nb", b"x")],
    "escape": [entry("a\x1b[2Jb", b"x")],
    "not UTF-8": [entry("a\udcffb", b"x")],
    "right to left": [entry("a\u202eb", b"x")],
    "trailing dot": [entry("a.", b"x")],
    "trailing space": [entry("a ", b"x")],
    "deep": [entry("a/" * 80 + "x", b"x")],
    "only folders": [entry("a", type=tarfile.DIRTYPE)],
    "nothing": [],
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_what_may_not_be_unpacked_is_refused(what: str) -> None:
    good = entry("good.yaml", b"x") if HOSTILE[what] and what != "only folders" else None
    with pytest.raises(HostileArchive) as caught:
        read_archive(tgz(*([good] if good else []), *HOSTILE[what]))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no gzip",
        gzip.compress(b"no tar" * 200),
        gzip.compress(b""),
        tgz(entry("a", b"x" * 5000))[:-20],
        tgz(entry("a", b"x")) + b"more",
        tgz(entry("a", b"x")) + gzip.compress(b"more"),
        gzip.compress(tar(entry("a", b"x" * 5000))[:2000]),
        gzip.compress(
            tar(entry("a", b"x"), entry("b", b"y")).replace(b"ustar\x0000", b"ustar\x0099", 1)[
                :1024
            ]
            + b"\xff" * 512
        ),
    ],
    ids=range(9),
)
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(HostileArchive):
        read_archive(data)


def test_a_broken_header_in_the_middle_is_no_end() -> None:
    whole = tar(entry("a", b"x"), entry("b", b"y"), entry("c", b"z"))
    broken = whole[:1024] + b"\xff" * 512 + whole[1536:]
    with pytest.raises(HostileArchive, match="middle"):
        read_archive(gzip.compress(broken))


def test_bombs_are_stopped_by_their_size_and_by_their_ratio() -> None:
    with pytest.raises(ArtifactTooLarge, match="bomb"):
        read_archive(gzip.compress(tar(entry("a", b"\0" * (8 << 20)))))
    with pytest.raises(ArtifactTooLarge, match="more than"):
        read_archive(gzip.compress(b"\0" * (200 << 20)))


def test_an_archive_holds_no_more_than_a_package_may() -> None:
    half = entry("a", os.urandom(17 << 20))
    assert len(read_archive(tgz(half))) == 1
    with pytest.raises(ArtifactTooLarge, match="its files have more than 33554432 bytes"):
        read_archive(tgz(half, entry("b", half[1])))


def test_too_many_entries_are_stopped() -> None:
    many = [entry(f"{n:05d}", os.urandom(1)) for n in range(10_001)]
    with pytest.raises(ArtifactTooLarge, match="10000 files"):
        read_archive(tgz(*many))


@settings(max_examples=60)
@given(st.data())
def test_any_damage_is_a_coded_error_or_harmless(data: st.DataObject) -> None:
    whole = bytearray(tar(entry("a/b.yaml", b"x: 1\n"), entry("c", b"y" * 700)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        files = read_archive(gzip.compress(bytes(whole)))
    except DistributorError:
        return
    assert all(not f.path.startswith("/") and ".." not in f.path.split("/") for f in files)


# -- charts ---------------------------------------------------------------------------------------


def test_a_chart_loses_its_folder_and_a_bundle_keeps_its_files() -> None:
    assert {f.path for f in unpacked(packed(CHART), CHART_TYPE)} == {
        "Chart.yaml", "values.yaml", "templates/config.yaml",
    }  # fmt: skip
    assert {f.path for f in unpacked(packed(BUNDLE), GENERIC)} == {
        "kustomization.yaml",
        "config.yaml",
    }
    assert {f.path for f in unpacked(packed(CHART), GENERIC)} == set(CHART)


DEPENDS = "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: redis, version: 1.x.x, repository: https://x}\n"


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"a/Chart.yaml": "name: a", "b/x": ""}, HostileArchive),
        ({"Chart.yaml": "name: a"}, HostileArchive),
        ({"a/values.yaml": ""}, UnsupportedArtifact),
        ({"a/Chart.yaml": "a: [", "a/x": ""}, UnsupportedArtifact),
        ({"a/Chart.yaml": "[]"}, UnsupportedArtifact),
        ({"a/Chart.yaml": DEPENDS}, UnsupportedArtifact),
        ({"a/Chart.yaml": DEPENDS, "a/charts/redis-ha/Chart.yaml": ""}, UnsupportedArtifact),
    ],
    ids=range(7),
)
def test_a_chart_that_is_none_or_not_whole(files: dict[str, str], kind: type) -> None:
    with pytest.raises(kind):
        unpacked(packed(files), CHART_TYPE)


@pytest.mark.parametrize("inside", ["redis/Chart.yaml", "redis-1.2.3.tgz"])
def test_a_chart_that_brings_what_it_depends_on(inside: str) -> None:
    assert unpacked(packed({"a/Chart.yaml": DEPENDS, f"a/charts/{inside}": ""}), CHART_TYPE)
