"""The store: read model, rollout states and events in a database that may be deleted at any time.

What lives here: SQLAlchemy Core tables, Alembic migrations, and the ``Store`` port on SQLite. What never
does: anything that cannot be rebuilt from the ledger and the inventories, but for what
``docs/howto/recover-the-database.md`` lists as lost. Called by: ``app``.
"""

from distributor.adapters.store.sqlite import SqlStore

__all__ = ["SqlStore"]
