"""What a database file can meet: restarts, newer programs, other processes, bad disks."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from distributor.adapters.store import SqlStore
from distributor.adapters.store.migrating import scripts
from distributor.adapters.store.tables import REVISION, metadata
from distributor.errors.service import DatabaseFailed, DatabaseNewer, StateNotWritable
from distributor.model.stored import StoredEvent

ROOT = Path(__file__).resolve().parents[3]


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqlStore]:
    store = SqlStore(path)
    try:
        await store.open()
        yield store
    finally:
        await store.aclose()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "db.sqlite"


async def test_what_was_written_is_there_after_a_restart(path):
    async with opened(path) as store:
        await store.set("head", "a")
        number = await store.add_event(StoredEvent(at="t", kind="k"))
    async with opened(path) as store:
        assert await store.get("head") == "a"
        assert await store.add_event(StoredEvent(at="t", kind="k")) > number


async def test_a_deleted_file_is_made_again(path):
    async with opened(path) as store:
        await store.set("head", "a")
    for file in path.parent.iterdir():
        file.unlink()
    async with opened(path) as store:
        assert await store.get("head") is None


async def test_migrations_make_exactly_the_tables_that_are_used(path):
    async with opened(path):
        pass
    engine = sa.create_engine(f"sqlite:///{path}")
    found = sa.inspect(engine)
    assert set(found.get_table_names()) == {*metadata.tables, "alembic_version"}
    for name, table in metadata.tables.items():
        made = {c["name"]: c for c in found.get_columns(name)}
        assert list(made) == [column.name for column in table.columns]
        for column in table.columns:
            # SQLAlchemy reads a primary key of one INTEGER as nullable where SQLite does not say so
            assert made[column.name]["nullable"] == column.nullable or column.primary_key
            assert made[column.name]["type"].python_type is column.type.python_type
        assert {i["name"] for i in found.get_indexes(name)} == {i.name for i in table.indexes}
    engine.dispose()


async def test_what_migrates_is_loaded_only_where_there_is_something_to_migrate(path):
    assert scripts().get_current_head() == REVISION
    async with opened(path):
        pass
    program = """
import asyncio, pathlib, sys
from distributor.adapters.store import SqlStore
async def main():
    store = SqlStore(pathlib.Path(sys.argv[1]))
    await store.open()
    await store.set("head", "a")
    await store.aclose()
asyncio.run(main())
print("alembic" in sys.modules)
"""
    for file, loaded in ((path, "False"), (path.with_name("new.sqlite"), "True")):
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", program, str(file)],
            check=True, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.stdout.strip() == loaded


async def test_a_newer_database_is_refused_and_left_alone(path):
    async with opened(path) as store:
        await store.set("head", "a")
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseNewer, match=r"DST702.*9999"):
        async with opened(path):
            pass
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT value FROM meta").fetchall() == [("a",)]


async def test_a_file_that_is_no_database_is_a_coded_error(path):
    path.parent.mkdir()
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(DatabaseFailed, match="DST710"):
        async with opened(path):
            pass
    assert path.read_bytes().startswith(b"this is no database")


async def test_a_folder_that_cannot_be_made_is_a_coded_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateNotWritable, match="DST703"):
        async with opened(tmp_path / "file" / "db.sqlite"):
            pass


@pytest.fixture
def not_root() -> None:
    """Permissions do not bind the superuser, who can still be kept out by a folder in the way."""
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")


@pytest.mark.usefixtures("not_root")
async def test_a_folder_without_permission_is_a_coded_error(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(StateNotWritable, match="DST703"):
            async with opened(tmp_path / "db.sqlite"):
                pass
    finally:
        tmp_path.chmod(stat.S_IRWXU)


async def test_something_else_in_the_files_place_is_a_coded_error(path):
    path.mkdir(parents=True)
    with pytest.raises(StateNotWritable, match="DST703"):
        async with opened(path):
            pass


async def test_two_processes_share_a_file(path):
    async with opened(path) as one, opened(path) as two:
        await asyncio.gather(
            *(s.add_event(StoredEvent(at="t", kind=k)) for k, s in (("1", one), ("2", two)) * 20)
        )
        events = await one.events()
        assert len(events) == len({e.id for e in events}) == 40
        assert await two.events() == events
        await one.set("head", "a")
        assert await two.get("head") == "a"


OPEN = """
import asyncio, pathlib, sys
from distributor.adapters.store import SqlStore
from distributor.errors import Retryable

async def main():
    store = SqlStore(pathlib.Path(sys.argv[1]))
    try:
        await store.open()
        return 0
    except Retryable:
        return 3
    finally:
        await store.aclose()

sys.exit(asyncio.run(main()))
"""


async def test_two_processes_that_make_the_file_at_once(path):
    """One makes the tables; the other finds them, or is told to try again."""
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", OPEN, str(path), cwd=ROOT)
        for _ in range(2)
    ]
    codes = [await process.wait() for process in started]
    assert 0 in codes
    assert set(codes) <= {0, 3}
    async with opened(path) as store:
        await store.set("head", "a")


async def test_old_events_are_dropped_beyond_the_bound(path, monkeypatch):
    monkeypatch.setattr("distributor.adapters.store.sqlite._KEPT_EVENTS", 100)
    async with opened(path) as store:
        for _ in range(1001):
            await store.add_event(StoredEvent(at="t", kind="k"))
        kept = await store.events(limit=2000)
        assert [e.id for e in kept] == list(range(901, 1002))


async def test_the_thread_ends_with_the_store(path):
    before = set(threading.enumerate())  # other tests' stores may end in this moment
    async with opened(path):
        ours = [t for t in set(threading.enumerate()) - before if t.name.startswith("store")]
        assert ours
    assert not any(thread.is_alive() for thread in ours)


async def test_what_fails_leaves_the_store_as_it_was_and_the_next_call_works(path):
    async with opened(path) as store:
        await store.set("head", "a")
        with closing(sqlite3.connect(path)) as raw, raw:
            raw.execute("ALTER TABLE events RENAME TO gone")
        for _ in range(3):
            with pytest.raises(DatabaseFailed, match="DST710"):
                await store.add_event(StoredEvent(at="t", kind="k"))
        await store.set("head", "b")
        assert await store.get("head") == "b"
        with closing(sqlite3.connect(path)) as raw, raw:
            raw.execute("ALTER TABLE gone RENAME TO events")
        await store.add_event(StoredEvent(at="t", kind="k"))
        assert [event.kind for event in await store.events()] == ["k"]
