"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make meta, rollouts, targets and events."""
    op.create_table(
        "meta",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "rollouts",
        sa.Column("environment", sa.String(63), primary_key=True),
        sa.Column("instance", sa.String(63), primary_key=True),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "targets",
        sa.Column("environment", sa.String(63), primary_key=True),
        sa.Column("instance", sa.String(63), primary_key=True),
        sa.Column("cluster", sa.String(63), primary_key=True),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("actuation", sa.String(16), nullable=False),
        sa.Column("health", sa.String(16), nullable=False),
        sa.Column("message", sa.Text, nullable=False, server_default=""),
        sa.Column("observed_at", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text, nullable=False, server_default="{}"),
    )
    op.create_index("targets_by_health", "targets", ["environment", "instance", "health"])
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("environment", sa.String(63), nullable=False, server_default=""),
        sa.Column("instance", sa.String(63), nullable=False, server_default=""),
        sa.Column("cluster", sa.String(63), nullable=False, server_default=""),
        sa.Column("message", sa.Text, nullable=False, server_default=""),
    )


def downgrade() -> None:
    """There is nothing before the first tables; a database is rebuilt from Git instead."""
    for table in ("events", "targets", "rollouts", "meta"):
        op.drop_table(table)
