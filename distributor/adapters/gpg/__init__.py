"""OpenPGP signatures, checked by the gpg program.

What lives here: running gpg with keys that it is handed, and reading what it says. What never does: the
keyring, agent or configuration of whoever runs this; whose a key is; times. Called by: ``app``.
"""

from distributor.adapters.gpg.program import GpgProgram

__all__ = ["GpgProgram"]
