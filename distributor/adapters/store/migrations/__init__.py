"""Alembic's migrations of the store. What never lives here: anything else. Called by: ``sqlite``."""
