"""The holder: a locked file beside the database that says who this process is in claims.

What never lives here: claims themselves, they are in the ledger. Called by: ``app``.
"""

from distributor.adapters.holder.lockfile import Holder

__all__ = ["Holder"]
