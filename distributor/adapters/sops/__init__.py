"""SOPS: opens files that were encrypted for an age recipient.

What lives here: the data key from an age stanza, values by AES-256-GCM, the MAC. What never does: reading
repositories, Kubernetes objects, writing or keeping plaintext. Called by: ``app``, which hands the opener
to what splices secrets.
"""

from distributor.adapters.sops.opening import SopsOpener

__all__ = ["SopsOpener"]
