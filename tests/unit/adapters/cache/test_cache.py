"""The render cache: what was put comes back, or nothing does."""

from __future__ import annotations

import os
import stat
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
