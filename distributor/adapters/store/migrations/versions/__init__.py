"""One file a migration, in order. What never lives here: anything else. Called by: ``sqlite``."""
