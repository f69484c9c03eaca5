"""OpenPGP as far as it is read here: armour, the borders of packets, fingerprints. No cryptography.

The form is RFC 4880's. Whether a signature is good is another program's affair; this says what it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

_BLOCK = re.compile(
    rb"-----BEGIN PGP (?P<what>[A-Z ]+)-----\n(?:[^\n]+\n)*?\n(?P<body>[A-Za-z0-9+/=\n]+)"
    rb"-----END PGP (?P=what)-----\n*"
)  # 6.2: headers, a blank line, the data
_SUM = re.compile(rb"\n=[A-Za-z0-9+/]{4}\n*\Z")
_TAG = 0x80
_NEW = 0x40
_TWO_BYTES, _PARTIAL, _FOUR_BYTES = 192, 224, 255
_UNTOLD = 3
"""The kind of length of a packet that goes on to the end (4.2.1)."""
_V4 = 4
SIGNATURE, SECRET, PUBLIC, SECRET_SUB = 2, 5, 6, 7
"""Tags of packets (RFC 4880, 4.3)."""


class NotOpenPgp(ValueError):
    """The bytes are not what they should be; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PgpKey:
    """A public key of a principal: its binary form with all that hangs on it, and its fingerprints."""

    principal: str
    data: bytes
    fingerprints: frozenset[str]
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PgpSeal:
    """A good signature: which key made it, and until when that key and the signature itself count.

    ``fingerprint`` is that of the key that signed, ``primary`` that of the key that it belongs to; for
    both ``revoked`` and ``key_expires`` speak. ``None`` is for ever, or for longer than until now.
    """

    fingerprint: str
    primary: str
    expires: datetime | None = None
    key_expires: datetime | None = None
    revoked: bool = False


def packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag and body of each packet (4.2); raises ``NotOpenPgp``. Partial lengths are refused."""
    rest = data
    while rest:
        head = rest[0]
        if not head & _TAG:
            raise NotOpenPgp("what it holds are no packets")
        if head & _NEW:
            tag, size, start = head & 0x3F, *_new_length(rest)
        else:
            width = 1 << (head & _UNTOLD)
            if head & _UNTOLD == _UNTOLD:
                raise NotOpenPgp("a packet has no length")
            tag, size, start = (head >> 2) & 0xF, int.from_bytes(rest[1 : 1 + width]), 1 + width
        body, rest = rest[start : start + size], rest[start + size :]
        if len(body) != size or not size:
            raise NotOpenPgp("a packet ends too early")
        yield tag, body


def dearmour(text: bytes, what: str) -> bytes:
    """The bytes of exactly one armoured block of a kind; raises ``NotOpenPgp``."""
    match = _BLOCK.fullmatch(text.replace(b"\r\n", b"\n").lstrip(b"\n"))
    if match is None or match["what"] != what.encode():
        raise NotOpenPgp(f"it is no single armoured {what.lower()}")
    try:
        return base64.b64decode(_SUM.sub(b"\n", match["body"]).replace(b"\n", b""), validate=True)
    except binascii.Error as error:
        raise NotOpenPgp("its armour is not base64") from error


def fingerprint(body: bytes) -> str:
    """The fingerprint of a version 4 key (12.2); raises ``NotOpenPgp`` for other versions."""
    if body[0] != _V4:
        raise NotOpenPgp(f"keys of version {body[0]} are not read, only those of version 4")
    whole = b"\x99" + len(body).to_bytes(2) + body
    return hashlib.sha1(whole, usedforsecurity=False).hexdigest().upper()


def _new_length(rest: bytes) -> tuple[int, int]:
    """The length of a packet in the new form, and where its body begins."""
    first = rest[1] if len(rest) > 1 else 0
    if first < _TWO_BYTES:
        return first, 2
    if first < _PARTIAL:
        return ((first - _TWO_BYTES) << 8) + int.from_bytes(rest[2:3]) + _TWO_BYTES, 3
    if first == _FOUR_BYTES:
        return int.from_bytes(rest[2:6]), 6
    raise NotOpenPgp("a packet comes in parts")
