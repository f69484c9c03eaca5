"""The tables, as SQLAlchemy Core sees them; ``migrations`` makes them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

REVISION = "0001"
"""The newest of ``migrations``."""
metadata = MetaData()
versions = Table("alembic_version", MetaData(), Column("version_num", String(32), nullable=False))
"""What says of a database how far it is migrated."""

meta = Table(
    "meta",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("value", Text, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("environment", String(63), primary_key=True),
    Column("instance", String(63), primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

targets = Table(
    "targets",
    metadata,
    Column("environment", String(63), primary_key=True),
    Column("instance", String(63), primary_key=True),
    Column("cluster", String(63), primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("actuation", String(16), nullable=False),
    Column("health", String(16), nullable=False),
    Column("message", Text, nullable=False, default=""),
    Column("observed_at", String(40), nullable=False),
    Column("detail", Text, nullable=False, default="{}"),
    Index("targets_by_health", "environment", "instance", "health"),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("environment", String(63), nullable=False, default=""),
    Column("instance", String(63), nullable=False, default=""),
    Column("cluster", String(63), nullable=False, default=""),
    Column("message", Text, nullable=False, default=""),
)
