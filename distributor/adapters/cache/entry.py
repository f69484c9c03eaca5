"""The form of one cache entry: bytes that prove what they are, without I/O."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

MAGIC = b"distributor render 1\n"
_DIGEST_SIZE = hashlib.sha256().digest_size
_COUNT = struct.Struct(">I")


def encode(key: str, objects: Sequence[bytes]) -> bytes:
    """The entry: magic, SHA-256 of the rest, then key and objects, each behind its length."""
    parts = [key.encode(), *objects]
    body = _COUNT.pack(len(parts)) + b"".join(_COUNT.pack(len(part)) + part for part in parts)
    return MAGIC + hashlib.sha256(body).digest() + body


def decode(key: str, data: bytes) -> tuple[bytes, ...] | None:
    """The objects of an entry, or ``None`` where it is cut short, altered, malformed, or of another key."""
    start = len(MAGIC) + _DIGEST_SIZE
    body = data[start:]
    if not data.startswith(MAGIC) or hashlib.sha256(body).digest() != data[len(MAGIC) : start]:
        return None
    try:
        stored_key, *objects = _parts(body)
    except (struct.error, ValueError):
        return None
    return tuple(objects) if stored_key == key.encode() else None


def _parts(body: bytes) -> list[bytes]:
    """What a body holds; raises ``struct.error`` or ``ValueError`` where it holds less or more than it says."""
    (count,) = _COUNT.unpack_from(body)
    parts = []
    offset = _COUNT.size
    for _ in range(count):
        (size,) = _COUNT.unpack_from(body, offset)
        offset += _COUNT.size
        parts.append(body[offset : offset + size])
        offset += size
    if offset != len(body):
        raise ValueError("the lengths are not those of the content")
    return parts
