"""The ``Promotion-*`` trailers of a request: text <-> Trailers, strictly.

They stand in the message's last paragraph, one line each. Other trailers, such as ``Signed-off-by``, may
stand between them; an unknown or misspelt ``Promotion-*`` is refused wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from distributor.errors import Where
from distributor.errors.policy import BadTrailers
from distributor.model.findings import Finding
from distributor.model.fleet import ALL
from distributor.model.refs import is_digest, is_label, is_object_id
from distributor.model.tags import RequestClass, Trailers
from distributor.model.versions import Version

PREFIX = "Promotion-"
NONE = "none"
"""The ``Prev`` of a first request."""
_ITEM = "Item"
_FIELDS = {
    "App": "app", "Version": "version", "Env": "environment", "Digest": "digest", "Config": "config",
    "Rendered": "rendered", "Prev": "prev", "Class": "request_class", "Subject": "subject",
    "Ticket": "ticket", "Reason": "reason", "Tiers": "tiers", "Override": "override",
}  # fmt: skip
_LIKE = re.compile(r"\s*promotion[-_][\w-]*\s*:", re.IGNORECASE)
_LINE = re.compile(r"(?P<key>[A-Za-z0-9][A-Za-z0-9-]*): (?P<value>\S(?:.*\S)?)")
_LONGEST = 1_000
_MOST_ITEMS = 500


class _Bad(ValueError):
    """The trailers are not as they must be."""


def parse_trailers(message: str) -> Trailers | Finding:
    """The trailers of a tag's message (without its signature); all absent where there are none."""
    try:
        return _parse(message)
    except _Bad as error:
        return Finding.of(BadTrailers, f"{error}.", Where())


def format_message(subject: str, trailers: Trailers) -> str:
    """A tag's message: subject, blank line, trailers. Raises ``BadTrailers`` where it would not read back."""
    lines = [f"{PREFIX}{key}: {value}" for key, value in _written(trailers)]
    message = subject.strip() + "\n" + ("\n" + "\n".join(lines) + "\n" if lines else "")
    one_line = bool(subject.strip()) and "\n" not in subject.strip() and subject.isprintable()
    found = parse_trailers(message)
    if not one_line or found != trailers:
        raise BadTrailers(found.message if isinstance(found, Finding) else f"{subject!r}.")
    return message


def _written(trailers: Trailers) -> Iterator[tuple[str, str]]:
    for key, name in _FIELDS.items():
        value: Any = getattr(trailers, name)
        if isinstance(value, tuple):
            value = ", ".join(value)
        if value and value != RequestClass.NORMAL:
            yield key, str(value)
    for item in trailers.items:
        yield _ITEM, " ".join(f"{key}={value}" for key, value in sorted(item.items()))


def _parse(message: str) -> Trailers:
    body, block = _last_paragraph(message)
    for line in body:
        if _LIKE.match(line):
            raise _Bad(f"{line[:80]!r} stands outside the last paragraph")
    if not any(_LIKE.match(line) for line in block):
        return Trailers()
    found: dict[str, str] = {}
    items: list[Mapping[str, str]] = []
    for key, value in _pairs(block):
        if key == _ITEM:
            items.append(_item(value))
        elif key not in _FIELDS:
            raise _Bad(f"{PREFIX}{key} is not known")
        elif key in found:
            raise _Bad(f"{PREFIX}{key} stands twice")
        else:
            found[key] = value
    if len(items) > _MOST_ITEMS:
        raise _Bad(f"A set has at most {_MOST_ITEMS} items")
    values = {_FIELDS[key]: _READ.get(key, _free)(key, value) for key, value in found.items()}
    return Trailers(**values, items=tuple(items))


def _last_paragraph(message: str) -> tuple[list[str], list[str]]:
    """The lines before the last paragraph, and those of it; a lone paragraph is never trailers."""
    lines = message.rstrip("\n").split("\n")
    blanks = [index for index, line in enumerate(lines) if not line.strip()]
    if not blanks:
        return lines, []
    return lines[: blanks[-1]], lines[blanks[-1] + 1 :]


def _pairs(block: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The ``Promotion-*`` lines of a block in which every line is a trailer."""
    for line in block:
        match = _LINE.fullmatch(line)
        if match is None or not line.isprintable():
            raise _Bad(f"{line[:80]!r} is no trailer of the form `Key: value`")
        key = match["key"]
        if key.startswith(PREFIX):
            yield key.removeprefix(PREFIX), match["value"]
        elif _LIKE.match(line):
            raise _Bad(f"{key} is misspelt: trailers begin with {PREFIX}")


def _item(text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for word in text.split(" "):
        name, equals, value = word.partition("=")
        key = _ITEM_KEYS.get(name)
        if not equals or key is None or name in found:
            raise _Bad(f"{PREFIX}{_ITEM}: {word[:80]!r} is not known, or stands twice")
        _READ[key](key, value)
        found[name] = value
    return found


def _label(key: str, text: str) -> str:
    if not is_label(text):
        raise _Bad(f"{PREFIX}{key}: {text[:80]!r} is no RFC 1123 label")
    return text


def _name(key: str, text: str) -> str:
    if text == ALL:
        raise _Bad(f"{PREFIX}{key}: {ALL!r} is reserved")
    return _label(key, text)


def _version(key: str, text: str) -> str:
    try:
        return str(Version.parse(text))
    except ValueError as error:
        raise _Bad(f"{PREFIX}{key}: {error}") from error


def _digest(key: str, text: str) -> str:
    if not is_digest(text):
        raise _Bad(f"{PREFIX}{key}: {text[:80]!r} is not sha256: and 64 hex digits")
    return text


def _prev(key: str, text: str) -> str:
    if text != NONE and not is_object_id(text):
        raise _Bad(f"{PREFIX}{key}: {text[:80]!r} is neither an object id nor {NONE!r}")
    return text


def _class(key: str, text: str) -> RequestClass:
    for known in RequestClass:
        if known == text:
            return known
    raise _Bad(f"{PREFIX}{key}: {text[:80]!r} is none of {', '.join(RequestClass)}")


def _names(key: str, text: str) -> tuple[str, ...]:
    names = tuple(_label(key, word) for word in text.split(", "))
    if len(set(names)) != len(names):
        raise _Bad(f"{PREFIX}{key} names one twice")
    return names


def _free(key: str, text: str) -> str:
    if len(text) > _LONGEST:
        raise _Bad(f"{PREFIX}{key} has more than {_LONGEST} characters")
    return text


_READ: Mapping[str, Callable[[str, str], Any]] = {
    "App": _name, "Version": _version, "Env": _label, "Digest": _digest, "Config": _digest,
    "Rendered": _digest, "Prev": _prev, "Class": _class, "Tiers": _names, "Override": _names, "Instance": _name,
}  # fmt: skip
_ITEM_KEYS = {
    "instance": "Instance", "app": "App", "version": "Version", "digest": "Digest",
    "config": "Config", "rendered": "Rendered", "prev": "Prev",
}  # fmt: skip
