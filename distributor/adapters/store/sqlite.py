"""The store on SQLite: one writer thread, short transactions, write-ahead logging."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from distributor.adapters.store.tables import (
    REVISION,
    events,
    meta,
    rollouts,
    targets,
    versions,
)
from distributor.errors.service import DatabaseFailed, StateNotWritable
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
        self._connection: sa.Connection | None = None  # of that thread alone

    async def open(self) -> None:
        """Open and migrate; raises ``DatabaseNewer``, ``StateNotWritable`` or ``DatabaseFailed``."""
        await self._threaded(self._open)

    def _open(self) -> None:
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
                if not _is_current(connection):
                    from distributor.adapters.store.migrating import migrate

                    migrate(connection)
            self._connection = engine.connect()
        except BaseException:
            engine.dispose()
            raise
        self._engine = engine

    async def aclose(self) -> None:
        """Close the database and end the thread."""
        if self._engine is not None:
            await self._threaded(self._close)
        self._thread.shutdown(wait=True)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._engine is not None:
            self._engine.dispose()

    async def _run(self, work: Callable[[sa.Connection], _T]) -> _T:
        """Work on the connection, in a transaction of its own."""
        return await self._threaded(functools.partial(self._transacted, work))

    def _transacted(self, work: Callable[[sa.Connection], _T]) -> _T:
        connection = self._connection or _NO_CONNECTION
        with connection.begin():
            return work(connection)

    async def _threaded(self, work: Callable[[], _T]) -> _T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, work)
        except sa.exc.OperationalError as error:
            text = str(error.orig)
            if "readonly" in text or "unable to open" in text:
                raise StateNotWritable(f"({self._path}: {text})") from error
            raise DatabaseFailed(f"({text})") from error
        except sa.exc.DatabaseError as error:
            raise DatabaseFailed(f"({error.orig})") from error

    async def get(self, key: str) -> str | None:
        """A single value by key."""
        return await self._run(lambda connection: _scalar(connection, _VALUE, {"key": key}))

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
        rows = await self._run(lambda connection: _all(connection, sa.select(rollouts)))
        return tuple(StoredRollout(**row) for row in rows)

    async def drop_rollout(self, environment: str, instance: str) -> None:
        """Forget a rollout that ended."""
        place = {"environment": environment, "instance": instance}
        await self._write(_drop(rollouts, tuple(place)), [place])

    async def note_seen(
        self, places: Sequence[tuple[str, str, str]], at: str
    ) -> frozenset[tuple[str, str, str]]:
        """Note when targets (environment, instance, cluster) were seen; those of them that are known."""

        def work(connection: sa.Connection) -> frozenset[tuple[str, str, str]]:
            return frozenset(
                place
                for place in places
                if connection.execute(
                    _NOTE_SEEN, dict(zip(_SEEN, (*place, at), strict=True))
                ).rowcount
            )

        return await self._run(work)

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
        given = {"environment": environment, "instance": instance, "cluster": cluster}
        values: dict[str, Any] = {name: value for name, value in given.items() if value}
        query = _targets(tuple(values), paged=after is not None, limited=bool(limit))
        if after is not None:
            values |= dict(zip(_AFTER, after, strict=True))
        if limit:
            values["most"] = limit
        rows = await self._run(lambda connection: _all(connection, query, values))
        return tuple(StoredTarget(**row) for row in rows)

    async def drop_target(self, environment: str, instance: str, cluster: str) -> None:
        """Forget a target that is no more."""
        place = {"environment": environment, "instance": instance, "cluster": cluster}
        await self._write(_drop(targets, tuple(place)), [place])

    async def add_event(self, event: StoredEvent) -> int:
        """Append an event and answer its number; the oldest are dropped beyond a bound."""
        row = {name: getattr(event, name) for name in StoredEvent.__slots__ if name != "id"}

        def work(connection: sa.Connection) -> int:
            number: int = connection.execute(_ADD_EVENT, row).scalar_one()
            if number % 1000 == 0:
                connection.execute(sa.delete(events).where(events.c.id <= number - _KEPT_EVENTS))
            return number

        return await self._run(work)

    async def events(self, after: int = 0, limit: int = 500) -> tuple[StoredEvent, ...]:
        """Events after a number, oldest first."""
        query = sa.select(events).where(events.c.id > after).order_by(events.c.id).limit(limit)
        rows = await self._run(lambda connection: _all(connection, query))
        return tuple(StoredEvent(**row) for row in rows)

    async def last_event(self) -> int:
        """The number of the newest event; 0 before the first."""
        query = sa.select(sa.func.coalesce(sa.func.max(events.c.id), 0))

        def work(connection: sa.Connection) -> int:
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
        def work(connection: sa.Connection) -> None:
            connection.execute(statement, rows)

        await self._run(work)


_NO_CONNECTION: Any = None
_VALUE = sa.select(meta.c.value).where(meta.c.key == sa.bindparam("key"))
_ADD_EVENT = sa.insert(events).returning(events.c.id)
_SEEN = ("of_environment", "of_instance", "of_cluster", "at")
_NOTE_SEEN = (
    sa.update(targets)
    .where(
        targets.c.environment == sa.bindparam("of_environment"),
        targets.c.instance == sa.bindparam("of_instance"),
        targets.c.cluster == sa.bindparam("of_cluster"),
    )
    .values(observed_at=sa.bindparam("at"))
)
_AFTER = ("after_environment", "after_instance", "after_cluster")


def _scalar(
    connection: sa.Connection, query: sa.Select[Any], values: Mapping[str, Any]
) -> str | None:
    value: str | None = connection.execute(query, values).scalar_one_or_none()
    return value


def _all(
    connection: sa.Connection, query: sa.Select[Any], values: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    found = connection.execute(query, values)
    names = tuple(found.keys())
    return [dict(zip(names, row, strict=True)) for row in found]


@functools.cache
def _targets(by: tuple[str, ...], *, paged: bool, limited: bool) -> sa.Select[Any]:
    """The targets with some columns given, after one of them, and so many; composed once each."""
    c = targets.c
    query = sa.select(targets).order_by(c.environment, c.instance, c.cluster)
    query = query.where(*(c[name] == sa.bindparam(name) for name in by))
    if paged:
        last = sa.tuple_(*(sa.bindparam(name, type_=sa.String()) for name in _AFTER))
        query = query.where(sa.tuple_(c.environment, c.instance, c.cluster) > last)
    return query.limit(sa.bindparam("most", type_=sa.Integer())) if limited else query


@functools.cache
def _drop(table: sa.Table, keys: tuple[str, ...]) -> sa.Executable:
    """Delete by key."""
    return sa.delete(table).where(*(table.c[key] == sa.bindparam(key) for key in keys))


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
"""What makes the tables is one for the process."""


def _is_current(connection: sa.Connection) -> bool:
    """Whether the tables are this program's, so that what makes them need not be loaded."""
    if not sa.inspect(connection).has_table(versions.name):
        return False
    return connection.execute(sa.select(versions.c.version_num)).scalars().all() == [REVISION]
