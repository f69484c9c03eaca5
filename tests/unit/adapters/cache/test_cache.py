"""The render cache: what was put comes back, or nothing does."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from distributor import log
from distributor.adapters.cache import CacheSettings, DiskRenderCache, entry
from distributor.adapters.cache.memory import MemoryCache
from distributor.errors.render import CacheNotWritable

OBJECTS = (b'{"a":1}', b"", b'{"b":2}')
COLD = CacheSettings(memory_bytes=0)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@given(
    st.text(st.characters(exclude_categories=["Cs"])), st.lists(st.binary(max_size=40), max_size=5)
)
def test_an_entry_decodes_to_what_was_encoded(key, objects):
    assert entry.decode(key, entry.encode(key, objects)) == tuple(objects)


@given(st.data())
def test_any_change_of_one_byte_or_of_the_length_is_seen(data):
    encoded = bytearray(entry.encode("key", OBJECTS))
    position = data.draw(st.integers(0, len(encoded) - 1))
    if data.draw(st.booleans()):
        encoded[position] ^= data.draw(st.integers(1, 255))
    else:
        del encoded[position:]
    assert entry.decode("key", bytes(encoded)) is None


def test_an_entry_of_another_key_is_not_served():
    assert entry.decode("other", entry.encode("key", OBJECTS)) is None


@pytest.mark.parametrize("settings", [CacheSettings(), COLD])
def test_put_then_get(tmp_path, settings):
    cache = DiskRenderCache(tmp_path / "not" / "yet", settings)
    assert cache.get("a") is None
    cache.put("a", list(OBJECTS))
    cache.put("empty", ())
    assert cache.get("a") == OBJECTS
    assert cache.get("empty") == ()
    assert not cache.degraded


def test_another_process_reads_what_this_one_put(tmp_path):
    DiskRenderCache(tmp_path).put("a", OBJECTS)
    assert DiskRenderCache(tmp_path).get("a") == OBJECTS


FULL_DISK_WRITER = """
import resource, sys
from pathlib import Path
from distributor.adapters.cache import CacheSettings, DiskRenderCache
cache = DiskRenderCache(Path(sys.argv[1]), CacheSettings(memory_bytes=0))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # as on a full disk, a write stops half way
cache.put("a", [b"x" * 5000])
assert cache.degraded
assert cache.get("a") is None
cache.put("b", [b"small"])
assert not cache.degraded and cache.get("b") == (b"small",)
"""


def test_a_disk_that_is_full_half_way_leaves_nothing_half(tmp_path):
    subprocess.run([sys.executable, "-c", FULL_DISK_WRITER, str(tmp_path)], check=True)
    (kept,) = files(tmp_path)
    cache = DiskRenderCache(tmp_path, COLD)
    assert (cache.get("a"), cache.get("b")) == (None, (b"small",))
    assert kept.suffix == ".render"


@pytest.mark.parametrize("there", [False, True])
def test_only_the_owner_reads_entries(tmp_path, there):
    folder = tmp_path / "cache"
    if there:
        folder.mkdir(mode=0o777)
    before = os.umask(0)
    try:
        DiskRenderCache(folder).put("a", OBJECTS)
    finally:
        os.umask(before)
    modes = {p: stat.S_IMODE(p.stat().st_mode) for p in (folder, *folder.rglob("*"))}
    assert set(modes.values()) == {0o700, 0o600}
    assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in modes.items())


def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(tmp_path, monkeypatch):
    cache = DiskRenderCache(tmp_path / "cache")
    cache.put("a", OBJECTS)
    (entry_path,) = files(tmp_path / "cache")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (entry_path.parent / f".tmp-{os.getpid()}-1").symlink_to(victim)
    entry_path.unlink()
    cache.put("a", OBJECTS)
    assert victim.read_text() == "precious"
    assert DiskRenderCache(tmp_path / "cache", COLD).get("a") == OBJECTS


@pytest.mark.parametrize("keep", [0, 10, 40, 60, -1])
def test_a_damaged_entry_is_dropped(tmp_path, keep):
    cache = DiskRenderCache(tmp_path, COLD)
    cache.put("a", OBJECTS)
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    assert cache.get("a") is None
    assert files(tmp_path) == []
    cache.put("a", OBJECTS)
    assert cache.get("a") == OBJECTS


def sealed(body: bytes) -> bytes:
    """An entry whose checksum is right, whatever it holds."""
    return entry.MAGIC + hashlib.sha256(body).digest() + body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        struct.pack(">I", 0),
        struct.pack(">I", 5) + b"xx",
        struct.pack(">I", 0xFFFFFFFF),
        struct.pack(">II", 1, 2) + b"k",
        struct.pack(">II", 1, 1) + b"k" + b"more",
        struct.pack(">II", 2, 1) + b"k" + struct.pack(">I", 9) + b"short",
    ],
)
def test_a_malformed_entry_with_a_right_checksum_is_dropped(tmp_path, body):
    assert entry.decode("k", sealed(body)) is None
    cache = DiskRenderCache(tmp_path, COLD)
    cache.put("k", OBJECTS)
    (path,) = files(tmp_path)
    path.write_bytes(sealed(body))
    assert cache.get("k") is None
    assert files(tmp_path) == []


@given(st.binary(max_size=40))
def test_no_body_raises(body):
    assert entry.decode("no such key", sealed(body)) is None


def a_pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path, _: Path) -> None:
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "file").write_bytes(b"x")


def a_giant(path: Path, _: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def a_link(path: Path, elsewhere: Path) -> None:
    path.symlink_to(elsewhere)


def a_link_to_nothing(path: Path, elsewhere: Path) -> None:
    path.symlink_to(elsewhere / "nothing")


def a_folder_with_a_link(path: Path, elsewhere: Path) -> None:
    path.mkdir()
    (path / "link").symlink_to(elsewhere.parent)


IMPOSTORS = [a_pipe, a_folder, a_giant, a_link, a_link_to_nothing, a_folder_with_a_link]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("impostor", IMPOSTORS)
def test_what_is_no_file_is_not_served_and_is_replaced(tmp_path, impostor, seen):
    elsewhere = tmp_path / "of others" / "precious"
    elsewhere.parent.mkdir()
    cache = DiskRenderCache(tmp_path / "cache", COLD)
    cache.put("a", OBJECTS)
    (path,) = files(tmp_path / "cache")
    elsewhere.write_bytes(path.read_bytes())
    path.unlink()
    impostor(path, elsewhere)
    if seen:
        assert cache.get("a") is None
    cache.put("a", OBJECTS)
    assert not cache.degraded
    assert cache.get("a") == OBJECTS
    assert elsewhere.exists()


def test_a_subfolder_that_is_a_link_is_neither_read_written_nor_swept(tmp_path):
    folder, outside = tmp_path / "cache", tmp_path / "outside"
    warm = DiskRenderCache(folder, CacheSettings(max_bytes=400, memory_bytes=0))
    warm.put("a", OBJECTS)
    (path,) = files(folder)
    path.parent.rename(outside)
    path.parent.symlink_to(outside)
    before = {file: file.read_bytes() for file in files(outside)}
    cache = DiskRenderCache(folder, CacheSettings(max_bytes=400, memory_bytes=0))
    assert cache.get("a") is None
    cache.put("a", (b"new",))
    assert cache.degraded
    for key in "bcdef":
        cache.put(key, [b"x" * 200])
    assert {file: file.read_bytes() for file in files(outside)} == before
    assert not cache.degraded


def test_a_cache_may_itself_be_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "there")
    DiskRenderCache(tmp_path / "cache").put("a", OBJECTS)
    assert DiskRenderCache(tmp_path / "cache").get("a") == OBJECTS


def test_folders_that_others_enter_are_closed_to_them(tmp_path):
    cache = DiskRenderCache(tmp_path / "cache", COLD)
    cache.put("a", OBJECTS)
    (path,) = files(tmp_path)
    path.parent.chmod(0o777)
    path.parent.parent.chmod(0o755)
    cache.put("a", OBJECTS)
    assert [stat.S_IMODE(p.stat().st_mode) for p in path.parents[:2]] == [0o700, 0o700]


@pytest.mark.parametrize("depth", [0, 1])
def test_a_folder_of_another_user_is_not_written(tmp_path, monkeypatch, depth):
    cache = DiskRenderCache(tmp_path / "cache", COLD)
    cache.put("a", OBJECTS)
    (path,) = files(tmp_path)
    theirs = path.parents[depth]
    theirs.chmod(0o755)
    looked = Path.lstat if depth == 0 else Path.stat

    def status(self: Path, **how: bool) -> os.stat_result:
        found = looked(self, **how)
        if self != theirs:
            return found
        return os.stat_result([*found[:4], found.st_uid + 1, *found[5:]])

    monkeypatch.setattr(Path, looked.__name__, status)
    cache.put("a", [b"new"])
    assert cache.degraded
    monkeypatch.undo()
    assert cache.get("a") == OBJECTS
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o755


def test_an_entry_of_another_user_is_not_served(tmp_path, monkeypatch):
    cache = DiskRenderCache(tmp_path, COLD)
    cache.put("a", OBJECTS)
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert cache.get("a") is None
    monkeypatch.undo()
    assert cache.get("a") == OBJECTS, "nor is it removed"


CRASHING_WRITER = """
import os, sys
from pathlib import Path
from distributor.adapters.cache import DiskRenderCache
Path.replace = lambda *_: os._exit(9)  # the power goes just before the rename
DiskRenderCache(Path(sys.argv[1])).put("a", [b"x" * 1000])
"""


def test_a_writer_that_dies_before_the_rename_leaves_no_entry(tmp_path):
    DiskRenderCache(tmp_path).put("kept", OBJECTS)
    command = [sys.executable, "-c", CRASHING_WRITER, str(tmp_path)]
    done = subprocess.run(command, check=False)
    assert done.returncode == 9
    cache = DiskRenderCache(tmp_path, COLD)
    assert cache.get("a") is None
    assert cache.get("kept") == OBJECTS
    (leftover,) = tmp_path.rglob(".tmp-*")
    cache.put("b", OBJECTS)
    assert leftover.exists(), "a young temporary file may belong to a living writer"
    os.utime(leftover, (time.time() - 7200,) * 2)
    DiskRenderCache(tmp_path, COLD).put("c", OBJECTS)
    assert not leftover.exists()


def test_the_entry_used_longest_ago_goes_first(tmp_path):
    cache = DiskRenderCache(tmp_path, CacheSettings(max_bytes=5000, memory_bytes=0))
    for number, key in enumerate("abcd"):
        cache.put(key, [b"x" * 1000])
        newest = max(files(tmp_path), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (number, number))
    assert cache.get("a") is not None
    cache.put("e", [b"x" * 1000])
    assert cache.get("a") is not None
    assert cache.get("b") is None
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 5000


def test_an_entry_larger_than_the_cache_is_not_kept(tmp_path):
    cache = DiskRenderCache(tmp_path, CacheSettings(max_bytes=100, memory_bytes=0))
    cache.put("a", [b"x" * 1000])
    assert cache.get("a") is None
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_written_degrades_to_memory_with_one_warning(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    cache = DiskRenderCache(blocked / "cache")
    log.configure("info", "json")  # whatever an earlier test wanted to see
    with structlog.testing.capture_logs() as logs:
        cache.put("a", OBJECTS)
        cache.put("b", OBJECTS)
    assert (cache.get("a"), cache.get("b"), cache.degraded) == (OBJECTS, OBJECTS, True)
    (said,) = logs
    assert said["event"].startswith(f"{CacheNotWritable.code} ")
    assert str(blocked / "cache") in said["event"]
    assert (said["log_level"], said["remedy"]) == ("warning", CacheNotWritable.remedy)
    blocked.unlink()
    cache.put("a", OBJECTS)
    assert not cache.degraded
    assert DiskRenderCache(blocked / "cache").get("a") == OBJECTS


def test_memory_keeps_the_most_recently_used():
    memory = MemoryCache(10)
    memory.put("a", (b"12345",))
    memory.put("b", (b"12345",))
    assert memory.get("a") == (b"12345",)
    memory.put("c", (b"1",))
    assert memory.get("b") is None
    assert (memory.get("a"), memory.get("c")) == ((b"12345",), (b"1",))
    memory.put("a", (b"12345678901",))
    assert memory.get("a") is None
    memory.put("d", (b"123456789",))
    assert (memory.get("c"), memory.get("d")) == ((b"1",), (b"123456789",))
