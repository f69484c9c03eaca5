"""Git's tag objects: raw bytes -> TagObject, strictly.

The form is git-mktag(1)'s, and stricter: exactly the four headers, UTF-8, at most one signature, and
nothing after it, for what follows an armour is covered by no signature.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from distributor.errors import DistributorError, Where
from distributor.errors.policy import BadSignature, BadTagName, BadTrailers, TagTooLarge
from distributor.model.findings import Finding
from distributor.model.refs import ObjectId, is_object_id
from distributor.model.tags import TagObject

LIMIT = 64 << 10
"""Bytes that a tag object may have."""
_HEADERS = (b"object", b"type", b"tag", b"tagger")
_TYPES = frozenset({"commit", "tag", "tree", "blob"})
_TAGGER = re.compile(r"(?P<who>[^<>\n]* <[^<>\n]*>) (?P<at>[0-9]{1,12}) (?P<zone>[+-][0-9]{4})")
_BEGIN = re.compile(rb"-----BEGIN (SSH SIGNATURE|PGP SIGNATURE|PGP MESSAGE)-----")
"""Counts at the start of a line alone, which is asked afterwards: so the search is one for a plain text."""
_MINUTES_A_DAY = 24 * 60


class _Bad(Exception):
    """The object is not as it must be."""

    def __init__(self, kind: type[DistributorError], message: str) -> None:
        super().__init__(message)
        self.kind = kind


def parse_tag_object(oid: ObjectId, raw: bytes) -> TagObject | Finding:
    """Read the bytes of a tag object (as ``git cat-file tag`` prints them)."""
    try:
        return _parse(oid, raw)
    except _Bad as error:
        return Finding.of(error.kind, f"{error}.", Where(file=f"tag object {oid}"))


def _parse(oid: ObjectId, raw: bytes) -> TagObject:
    if len(raw) > LIMIT:
        raise _Bad(TagTooLarge, f"It has {len(raw)} bytes; at most {LIMIT} are read")
    head, blank, body = raw.partition(b"\n\n")
    if not blank:
        raise _Bad(BadTagName, "The tag object has no message")
    target, target_type, name, tagger = _headers(head)
    if not is_object_id(target) or target_type not in _TYPES:
        raise _Bad(BadTagName, "The tag object points at nothing that Git knows")
    who, at = _tagger(tagger)
    message, signature = _split(body)
    return TagObject(
        id=oid,
        name=name,
        target=ObjectId(target),
        target_type=target_type,
        tagger=who,
        tagged_at=at,
        message=_text(message),
        signed=raw[: len(raw) - len(signature)],
        signature=signature,
        raw=raw,
    )


def _headers(head: bytes) -> tuple[str, str, str, str]:
    lines = head.split(b"\n")
    keys = tuple(line.split(b" ", 1)[0] for line in lines)
    if keys != _HEADERS:
        wanted = b", ".join(_HEADERS).decode()
        raise _Bad(BadTagName, f"The tag object must have the headers {wanted}, and no others")
    target, target_type, name, tagger = (_text(line.partition(b" ")[2]) for line in lines)
    return target, target_type, name, tagger


def _tagger(text: str) -> tuple[str, datetime]:
    match = _TAGGER.fullmatch(text)
    if match is None:
        raise _Bad(BadTagName, "The tag object's tagger line cannot be read")
    sign = -1 if match["zone"][0] == "-" else 1
    minutes = sign * (int(match["zone"][1:3]) * 60 + int(match["zone"][3:5]))
    if abs(minutes) >= _MINUTES_A_DAY:
        raise _Bad(BadTagName, "The tag object's tagger line has no time zone")
    zone = timezone(timedelta(minutes=minutes))
    try:
        at = datetime.fromtimestamp(int(match["at"]), zone)
    except (OverflowError, ValueError, OSError) as error:
        raise _Bad(BadTagName, "The tag object's tagger line has no time") from error
    return match["who"].strip(), at


def _split(body: bytes) -> tuple[bytes, bytes]:
    """Message and armour. Git looks for the last armour; two of them are refused here."""
    begins = [found for found in _BEGIN.finditer(body) if _starts_line(body, found.start())]
    if not begins:
        return body, b""
    if len(begins) > 1:
        raise _Bad(BadSignature, "It holds more than one signature")
    start, end = begins[0].start(), b"-----END " + begins[0][1] + b"-----"
    armour = body[start:]
    if not armour.rstrip(b"\n").endswith(b"\n" + end):
        raise _Bad(BadSignature, "The signature has no end, or something follows it unsigned")
    if armour.count(end) != 1:
        raise _Bad(BadSignature, "The signature ends twice")
    return body[:start], armour


def _starts_line(body: bytes, at: int) -> bool:
    return at == 0 or body[at - 1 : at] == b"\n"


def _text(data: bytes) -> str:
    if b"\0" in data:
        raise _Bad(BadTrailers, "The tag object holds a NUL byte")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _Bad(BadTrailers, "The tag object is not UTF-8") from error
