"""Security keys (FIDO): what a key in a small device signs, and the check of it (OpenSSH's PROTOCOL.u2f).

The device signs more than it is handed: which application it was asked by, whether somebody touched it,
and how often it has signed. Neither is judged here: ssh-keygen(1) does not ask for a touch either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

ED25519 = b"sk-ssh-ed25519@openssh.com"
ECDSA = b"sk-ecdsa-sha2-nistp256@openssh.com"
KINDS = frozenset({ED25519, ECDSA})
EXTRA = 5
"""Bytes that follow the signature: flags in one, a counter in four."""
_CURVE = b"nistp256"


def check(
    key: tuple[bytes, ...],
    signed: bytes,
    signature: bytes,
    extra: bytes,
    der: Callable[[bytes], bytes],
) -> None:
    """Raise ``InvalidSignature`` or ``ValueError`` unless the device's key signed.

    ``key`` are the strings of the key's blob; ``der`` turns an ECDSA signature into the verifier's form.
    """
    match key:
        case (kind, raw, application) if kind == ED25519:
            whole = _whole(application, extra, signed)
            ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, whole)
        case (kind, curve, point, application) if kind == ECDSA and curve == _CURVE:
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
            whole = _whole(application, extra, signed)
            public.verify(der(signature), whole, ec.ECDSA(hashes.SHA256()))
        case _:
            msg = "its key cannot be read"
            raise ValueError(msg)


def _whole(application: bytes, extra: bytes, signed: bytes) -> bytes:
    return hashlib.sha256(application).digest() + extra + hashlib.sha256(signed).digest()
