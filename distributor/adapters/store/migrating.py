"""Migrating: bringing the tables of a database to this program's newest revision."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from distributor.errors.service import DatabaseNewer


def scripts() -> ScriptDirectory:
    """All revisions that this program knows."""
    return ScriptDirectory.from_config(_config())


def migrate(connection: sa.Connection) -> None:
    """Bring the tables to the newest revision; raises ``DatabaseNewer`` for one that nobody here knows.

    One at a time: Alembic's context is one for the process.
    """
    config = _config()
    config.attributes["connection"] = connection
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts().walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseNewer(f"(revision {current})")
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
