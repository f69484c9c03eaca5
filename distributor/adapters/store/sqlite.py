"""The store on SQLite: one writer thread, short transactions, write-ahead logging."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects.sqlite import insert

from distributor.adapters.store.tables import events, meta, rollouts, targets
from distributor.errors.service import DatabaseFailed, DatabaseNewer, StateNotWritable
from distributor.model.stored import StoredEvent, StoredRollout, StoredTarget

_T = TypeVar("_T")
_KEPT_EVENTS = 20_000


class SqlStore:
    """Implements ``ports.Store``. Every call runs on one thread of its own, in order."""

    def __init__(self, path: Path | None) -> None:
        """``path`` is the database file; ``None`` keeps it in memory (tests, ``--dry-run``)."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._path = path
        self._engine: sa.Engine | None = None

    async def open(self) -> None:
        """Open and migrate; raises ``DatabaseNewer``, ``StateNotWritable`` or ``DatabaseFailed``."""
        await self._run(self._open)

    def _open(self, _: object = None) -> None:
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StateNotWritable(f"({self._path.parent}: {error.strerror})") from error
        url = f"sqlite:///{self._path}" if self._path else "sqlite://"
        pool = {} if self._path else {"poolclass": sa.StaticPool}
        engine = sa.create_engine(url, connect_args={"check_same_thread": False}, **pool)
        sa.event.listen(engine, "connect", _pragmas)
        try:
            with _MIGRATING, engine.begin() as connection:
                _migrate(connection)
        except BaseException:
            engine.dispose()
            raise
        self._engine = engine

    async def aclose(self) -> None:
        """Close the database and end the thread."""
        if self._engine is not None:
            await self._run(lambda engine: engine.dispose())
        self._thread.shutdown(wait=True)

    async def _run(self, work: Callable[[sa.Engine], _T]) -> _T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._thread, functools.partial(work, self._engine or _NO_ENGINE)
            )
        except sa.exc.OperationalError as error:
            text = str(error.orig)
            if "readonly" in text or "unable to open" in text:
                raise StateNotWritable(f"({self._path}: {text})") from error
            raise DatabaseFailed(f"({text})") from error
        except sa.exc.DatabaseError as error:
            raise DatabaseFailed(f"({error.orig})") from error

    async def get(self, key: str) -> str | None:
        """A single value by key."""
        query = sa.select(meta.c.value).where(meta.c.key == key)
        return await self._run(lambda engine: _scalar(engine, query))

    async def set(self, key: str, value: str) -> None:
        """Keep a single value."""
        await self._write(_upsert(meta, ("key",)), [{"key": key, "value": value}])

    async def save_rollout(self, rollout: StoredRollout) -> None:
        """Replace the state of an instance's rollout."""
        row = {
            "environment": rollout.environment,
            "instance": rollout.instance,
            "sequence": rollout.sequence,
            "state": rollout.state,
        }
        await self._write(_upsert(rollouts, ("environment", "instance")), [row])

    async def rollouts(self) -> tuple[StoredRollout, ...]:
        """All stored rollout states."""
        rows = await self._run(lambda engine: _all(engine, sa.select(rollouts)))
        return tuple(StoredRollout(**row) for row in rows)

    async def drop_rollout(self, environment: str, instance: str) -> None:
        """Forget a rollout that ended."""
        await self._write(
            sa.delete(rollouts).where(
                rollouts.c.environment == environment, rollouts.c.instance == instance
            )
        )

    async def save_targets(self, rows: Sequence[StoredTarget]) -> None:
        """Replace what is known of some targets."""
        if not rows:
            return
        values = [{name: getattr(row, name) for name in StoredTarget.__slots__} for row in rows]
        await self._write(
            _upsert(targets, ("environment", "instance", "cluster"), newest="sequence"), values
        )

    async def targets(
        self,
        environment: str = "",
        instance: str = "",
        cluster: str = "",
        *,
        after: tuple[str, str, str] | None = None,
        limit: int = 0,
    ) -> tuple[StoredTarget, ...]:
        """Targets in the order (environment, instance, cluster), filtered and paged."""
        c = targets.c
        query = sa.select(targets).order_by(c.environment, c.instance, c.cluster)
        for column, value in (
            (c.environment, environment),
            (c.instance, instance),
            (c.cluster, cluster),
        ):
            query = query.where(column == value) if value else query
        if after is not None:
            query = query.where(sa.tuple_(c.environment, c.instance, c.cluster) > sa.tuple_(*after))
        query = query.limit(limit) if limit else query
        rows = await self._run(lambda engine: _all(engine, query))
        return tuple(StoredTarget(**row) for row in rows)

    async def drop_target(self, environment: str, instance: str, cluster: str) -> None:
        """Forget a target that is no more."""
        c = targets.c
        await self._write(
            sa.delete(targets).where(
                c.environment == environment, c.instance == instance, c.cluster == cluster
            )
        )

    async def add_event(self, event: StoredEvent) -> int:
        """Append an event and answer its number; the oldest are dropped beyond a bound."""
        row = {name: getattr(event, name) for name in StoredEvent.__slots__ if name != "id"}

        def work(engine: sa.Engine) -> int:
            with engine.begin() as connection:
                result = connection.execute(sa.insert(events).values(row).returning(events.c.id))
                number: int = result.scalar_one()
                if number % 1000 == 0:
                    connection.execute(
                        sa.delete(events).where(events.c.id <= number - _KEPT_EVENTS)
                    )
                return number

        return await self._run(work)

    async def events(self, after: int = 0, limit: int = 500) -> tuple[StoredEvent, ...]:
        """Events after a number, oldest first."""
        query = sa.select(events).where(events.c.id > after).order_by(events.c.id).limit(limit)
        rows = await self._run(lambda engine: _all(engine, query))
        return tuple(StoredEvent(**row) for row in rows)

    async def last_event(self) -> int:
        """The number of the newest event; 0 before the first."""
        query = sa.select(sa.func.coalesce(sa.func.max(events.c.id), 0))

        def work(engine: sa.Engine) -> int:
            with engine.connect() as connection:
                number: int = connection.execute(query).scalar_one()
                return number

        return await self._run(work)

    async def clear(self) -> None:
        """Forget the read model: rollouts, targets and single values; events stay."""
        for table in (rollouts, targets, meta):
            await self._write(sa.delete(table))

    async def _write(
        self, statement: sa.Executable, rows: Sequence[dict[str, Any]] | None = None
    ) -> None:
        def work(engine: sa.Engine) -> None:
            with engine.begin() as connection:
                connection.execute(statement, rows)

        await self._run(work)


_NO_ENGINE: Any = None


def _scalar(engine: sa.Engine, query: sa.Select[Any]) -> str | None:
    with engine.connect() as connection:
        value: str | None = connection.execute(query).scalar_one_or_none()
        return value


def _all(engine: sa.Engine, query: sa.Select[Any]) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


@functools.cache
def _upsert(table: sa.Table, keys: tuple[str, ...], *, newest: str = "") -> sa.Executable:
    """Insert or replace by key; with ``newest``, never a row by one whose value there is lower."""
    statement = insert(table)
    changed = {c.name: statement.excluded[c.name] for c in table.c if c.name not in keys}
    where = statement.excluded[newest] >= table.c[newest] if newest else None
    return statement.on_conflict_do_update(index_elements=list(keys), set_=changed, where=where)


def _pragmas(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


_MIGRATING = threading.Lock()
"""Alembic's context is one for the process."""


def _migrate(connection: sa.Connection) -> None:
    """Bring the tables to this program's newest revision; refuse a newer database."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        return
    if current is not None and current not in {s.revision for s in scripts.walk_revisions()}:
        raise DatabaseNewer(f"(revision {current})")
    command.upgrade(config, "head")
