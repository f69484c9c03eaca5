"""OpenSSH signatures: write the armour, read it strictly, check the signature against the key inside it.

The format is OpenSSH's PROTOCOL.sshsig. Everything here is hostile input: whatever is not exactly the
format, or uses a hash or a key that is too weak, raises ``BadArmour``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from distributor.policy import security_keys

MAGIC = b"SSHSIG"
_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
_VERSION = (1).to_bytes(4)
_SIZE = 4
"""Bytes that a length takes."""
_KEPT_KEYS = 256
"""Public keys that are remembered as they were read: few keys sign very many tags and commits."""
_LINE = 76
_LIMIT = 16 * 1024
_MIN_RSA_BITS = 2048
_HASHES = frozenset({"sha256", "sha512"})
_CURVES: dict[bytes, hashes.HashAlgorithm] = {
    b"ecdsa-sha2-nistp256": hashes.SHA256(),
    b"ecdsa-sha2-nistp384": hashes.SHA384(),
    b"ecdsa-sha2-nistp521": hashes.SHA512(),
}  # RFC 5656, 6.2.1
_RSA_HASHES: dict[bytes, hashes.HashAlgorithm] = {
    b"rsa-sha2-256": hashes.SHA256(),
    b"rsa-sha2-512": hashes.SHA512(),
}  # RFC 8332; ssh-rsa itself means SHA-1 and is refused


class BadArmour(ValueError):
    """The signature is malformed, weak or wrong; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureParts:
    """A signature's parts, as the armour holds them; ``extra`` is what a security key adds."""

    key: bytes
    namespace: bytes
    hash_name: str
    algorithm: bytes
    signature: bytes
    extra: bytes = b""

    @property
    def kind(self) -> bytes:
        """The type of the key; raises ``BadArmour``."""
        return Wire(self.key).string()


class Wire:
    """Reads the strings of an SSH wire blob (RFC 4251, section 5) one after another."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """Exactly ``size`` bytes."""
        start, end = self._at, self._at + size
        if len(self._data) < end:
            raise BadArmour("it ends too early")
        self._at = end
        return self._data[start:end]

    def string(self) -> bytes:
        """A string with its length before it."""
        return self.take(int.from_bytes(self.take(_SIZE)))

    def strings(self) -> tuple[bytes, ...]:
        """All strings up to the end."""
        found: list[bytes] = []
        while self._at < len(self._data):
            found.append(self.string())
        return tuple(found)

    def end(self) -> None:
        """Nothing may be left."""
        if self._at < len(self._data):
            raise BadArmour("something follows its end")


def wire_string(data: bytes) -> bytes:
    """A string in wire form: its length in four bytes, then itself."""
    return len(data).to_bytes(4) + data


def read(armour: bytes) -> SignatureParts:
    """Take an armoured signature apart; raises ``BadArmour``."""
    if len(armour) > _LIMIT:
        raise BadArmour("it is too long")
    match [line.rstrip(b"\r") for line in armour.strip().split(b"\n")]:
        case [begin, *body, end] if body and begin == _BEGIN and end == _END:
            pass
        case _:
            raise BadArmour("it is no SSH signature")
    try:
        wire = Wire(base64.b64decode(b"".join(body), validate=True))
    except binascii.Error as error:
        raise BadArmour("its armour is not base64") from error
    if wire.take(len(MAGIC)) != MAGIC or wire.take(len(_VERSION)) != _VERSION:
        raise BadArmour("it is of another format or version")
    key, namespace, _reserved, hashed, inner = (wire.string() for _ in range(5))
    wire.end()
    signature = Wire(inner)
    algorithm, value = signature.string(), signature.string()
    extra = signature.take(security_keys.EXTRA) if algorithm in security_keys.KINDS else b""
    signature.end()
    hash_name = hashed.decode("ascii", errors="replace")
    if hash_name not in _HASHES:
        raise BadArmour(f"its hash {hash_name[:20]!r} is not accepted")
    return SignatureParts(
        key=key,
        namespace=namespace,
        hash_name=hash_name,
        algorithm=algorithm,
        signature=value,
        extra=extra,
    )


def write(parts: SignatureParts) -> bytes:
    """The armour of a signature, in lines as ssh-keygen breaks them; what ``read`` takes apart."""
    head = (parts.key, parts.namespace, b"", parts.hash_name.encode())
    inner = wire_string(parts.algorithm) + wire_string(parts.signature) + parts.extra
    wire = MAGIC + _VERSION + b"".join(map(wire_string, (*head, inner)))
    text = base64.b64encode(wire)
    lines = (text[start : start + _LINE] for start in range(0, len(text), _LINE))
    return b"\n".join((_BEGIN, *lines, _END, b""))


def preimage(data: bytes, namespace: bytes, hash_name: str) -> bytes:
    """What is signed: the namespace and a hash of the data, never the data itself."""
    digest = hashlib.new(hash_name, data).digest()
    parts = (namespace, b"", hash_name.encode(), digest)
    return MAGIC + b"".join(wire_string(part) for part in parts)


def check(data: bytes, parts: SignatureParts) -> str:
    """The key's text form (type and blob) if it signed ``data``; raises ``BadArmour`` if not."""
    kind = parts.kind
    signed = preimage(data, parts.namespace, parts.hash_name)
    try:
        if kind in security_keys.KINDS and parts.algorithm == kind:
            key = Wire(parts.key).strings()
            security_keys.check(key, signed, parts.signature, parts.extra, _der)
        else:
            _check_with(_public_key(parts.key), kind, parts, signed)
    except InvalidSignature as error:
        raise BadArmour("it does not fit the content") from error
    except (UnsupportedAlgorithm, ValueError) as error:
        raise BadArmour(str(error)[:120]) from error
    return _text(kind, parts.key).decode("ascii")


def _text(kind: bytes, key: bytes) -> bytes:
    return kind + b" " + base64.b64encode(key)


@lru_cache(maxsize=_KEPT_KEYS)
def _public_key(key: bytes) -> object:
    """A key by its blob; raises what the reader of keys raises, which is not remembered."""
    return load_ssh_public_key(_text(Wire(key).string(), key))


def _check_with(key: object, kind: bytes, parts: SignatureParts, signed: bytes) -> None:
    match key:
        case ed25519.Ed25519PublicKey() if parts.algorithm == b"ssh-ed25519":
            key.verify(parts.signature, signed)
        case rsa.RSAPublicKey() if parts.algorithm in _RSA_HASHES:
            if key.key_size < _MIN_RSA_BITS:
                raise BadArmour(f"an RSA key of {key.key_size} bits is too short")
            whole = parts.signature.rjust(key.key_size // 8, b"\0")  # some agents leave zeros out
            key.verify(whole, signed, padding.PKCS1v15(), _RSA_HASHES[parts.algorithm])
        case ec.EllipticCurvePublicKey() if parts.algorithm == kind and kind in _CURVES:
            key.verify(_der(parts.signature), signed, ec.ECDSA(_CURVES[kind]))
        case _:
            shown = parts.algorithm[:40].decode(errors="replace")
            raise BadArmour(f"its algorithm {shown!r} is not accepted for that key")


def _der(signature: bytes) -> bytes:
    """An ECDSA signature in the form that the verifier reads (RFC 5656, 3.1.2: two mpints)."""
    wire = Wire(signature)
    r, s = (int.from_bytes(wire.string(), signed=True) for _ in range(2))
    wire.end()
    if r <= 0 or s <= 0:
        raise BadArmour("its numbers are not positive")
    return utils.encode_dss_signature(r, s)
