"""OpenPGP: whose signature it is, by the keys of a policy at a given time. The signature itself was checked."""

from __future__ import annotations

from datetime import datetime

from distributor.errors.policy import KeyNotValid, UnknownSigner
from distributor.model.findings import Finding
from distributor.model.openpgp import PgpSeal
from distributor.model.policy import PolicySet
from distributor.policy.roles import ANONYMOUS

ARMOUR = b"-----BEGIN PGP"


def is_openpgp(signature: bytes) -> bool:
    """Whether a tag's signature is for gpg to check."""
    return signature.startswith(ARMOUR)


def owner(seal: PgpSeal, policies: PolicySet, *, at: datetime, claimed: str) -> str | Finding:
    """The principal of the key that made a good signature, if the key counted at that time.

    Where several principals share a key, the tagger's address chooses among them, as for SSH keys.
    """
    owners = sorted(k.principal for k in policies.pgp if seal.primary in k.fingerprints)
    owners = [name for name in owners if name != ANONYMOUS]
    if not owners:
        return Finding.of(UnknownSigner, f"The OpenPGP key is {seal.primary}.")
    if seal.revoked or {seal.primary, seal.fingerprint} & policies.revoked:
        return Finding.of(KeyNotValid, "It is revoked.")
    ends = [end for end in (seal.expires, seal.key_expires) if end is not None]
    if any(at >= end for end in ends):
        return Finding.of(
            KeyNotValid, f"That was {at.isoformat()}; it ended {min(ends).isoformat()}."
        )
    return claimed if claimed in owners else owners[0]
