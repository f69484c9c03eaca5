"""Keys: ed25519 key files in OpenSSH form, and signatures made with them in process.

What lives here: loading and making key files, the ``Signer`` port. What never does: deciding whose key
counts (``policy``), encrypted keys, agents. Called by: ``app.py`` and the command line.
"""

from distributor.adapters.keys.sshkey import SshKey, generate, load

__all__ = ["SshKey", "generate", "load"]
