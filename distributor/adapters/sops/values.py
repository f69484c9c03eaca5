"""Values: one encrypted scalar to its plaintext, and what of any scalar goes into the MAC.

SOPS writes ``ENC[AES256_GCM,data:..,iv:..,tag:..,type:..]``: AES-256-GCM whose associated data is the
scalar's path without list indices, each key followed by a colon. The MAC is a SHA-512 over all scalars in
the order of the file, in the text form of Go's own types (getsops/sops, ``aes`` and ``sops.go``).
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from distributor.errors import Where
from distributor.errors.secrets import SecretUndecryptable
from distributor.render.ciphertexts import Path

_FORM = re.compile(
    r"ENC\[AES256_GCM,data:([\w+/=]*),iv:([\w+/=]+),tag:([\w+/=]+),type:(\w+)\]", re.ASCII
)
_TYPES = frozenset({"str", "int", "float", "bool", "bytes", "time", "comment"})
_IV_BYTES = range(8, 129)
_TAG_BYTES = 16

_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {w: w.lower() == "true" for w in ("true", "True", "TRUE", "false", "False", "FALSE")}
_DIGITS = 40
"""No integer of Go is as long, whatever its base."""
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_TIME = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)(?:[Tt ](\d\d?):(\d\d?):(\d\d?)(\.\d{1,9})?(Z|[-+]\d\d:\d\d)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, repr=False)
class Plain:
    """A decrypted value: what a Secret takes, and how the whole file shows it. Never printed."""

    text: bytes
    type: str

    def in_mac(self) -> bytes:
        """What the MAC is over; a comment is not in it."""
        match self.type:
            case "comment":
                return b""
            case "bool":
                return b"True" if self.text == b"true" else b"False"
            case "float":
                return plain_number(self.text.decode()).encode()
            case _:
                return self.text

    def shown(self) -> str:
        """The value as YAML and JSON write it."""
        text = self.text.decode("utf-8", "replace")
        return orjson.dumps(text).decode() if self.type in {"str", "bytes"} else text


def opened(text: str, key: bytes, path: Path, where: Where) -> Plain:
    """Decrypt one value; raises ``SecretUndecryptable``."""
    return decrypted(text, key, "".join(f"{p}:" for p in path if isinstance(p, str)), where)


def decrypted(text: str, key: bytes, bound_to: str, where: Where) -> Plain:
    """Decrypt what was encrypted together with ``bound_to``; raises ``SecretUndecryptable``."""
    match = _FORM.fullmatch(text)
    if match is None or match[4] not in _TYPES:
        raise SecretUndecryptable("(not in SOPS' form)", where=where)
    try:
        data, iv, tag = (base64.b64decode(part, validate=True) for part in match.groups()[:3])
    except binascii.Error as error:
        raise SecretUndecryptable("(not in SOPS' form)", where=where) from error
    if len(iv) not in _IV_BYTES or len(tag) != _TAG_BYTES:
        raise SecretUndecryptable("(not in SOPS' form)", where=where)
    try:
        plain = AESGCM(key).decrypt(iv, data + tag, bound_to.encode())
    except InvalidTag as error:
        raise SecretUndecryptable(where=where) from error
    return _typed(plain, match[4], where)


def _typed(plain: bytes, kind: str, where: Where) -> Plain:
    """The text form of a value; its type is not under the tag, so it is checked."""
    try:
        match kind:
            case "bool" if plain.lower() in {b"true", b"false"}:
                return Plain(plain.lower(), kind)
            case "int":
                return Plain(b"%d" % int(plain.decode("ascii")), kind)
            case "float":
                return Plain(plain_number(plain.decode("ascii")).encode(), kind)
            case "bool":
                raise SecretUndecryptable("(no boolean)", where=where)
            case _:
                return Plain(plain, kind)
    except ValueError as error:
        raise SecretUndecryptable(f"(no {kind})", where=where) from error


def in_mac(text: str, *, plain: bool, json: bool) -> bytes:
    """What of a scalar that is not encrypted goes into the MAC; ``plain``: written without quotes."""
    if not plain or text in _NOTHING:
        return b"" if plain else text.encode()
    if text in _BOOLEANS:
        return b"True" if _BOOLEANS[text] else b"False"
    moment = None if json else _moment(text)
    if moment is not None:
        return moment.encode()
    digits = text.replace("_", "") if text[0] in "+-0123456789" else text
    if _INTEGER.fullmatch(digits) and len(digits) < _DIGITS:
        return plain_number(str(_integer(digits))).encode() if json else b"%d" % _integer(digits)
    if _FLOAT.fullmatch(digits):
        return plain_number(digits).encode()
    return text.encode()


def _integer(digits: str) -> int:
    octal = re.fullmatch(r"([-+]?)0([0-7]+)", digits)
    return int(f"{octal[1]}0o{octal[2]}" if octal else digits, 0)


def plain_number(text: str) -> str:
    """A number as Go writes a float in full, without exponent; raises ``ValueError``."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    written = format(Decimal(repr(number)), "f")
    return written.removesuffix(".0")


def _moment(text: str) -> str | None:
    """A timestamp as Go's ``time.Time`` marshals it (RFC 3339, without trailing zeros)."""
    match = _TIME.fullmatch(text)
    if match is None or (match[4] and (text[len(match[1]) + 1 :].find(" ") >= 0) == bool(match[8])):
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        found = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    fraction = (match[7] or "").rstrip("0").rstrip(".")
    zone = match[8] or "Z"
    return f"{found:%Y-%m-%dT%H:%M:%S}{fraction}{'Z' if zone == '+00:00' else zone}"
