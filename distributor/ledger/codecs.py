"""Codecs: how one value of a record is written as JSON and read back, strictly.

The written form is a contract with every ledger that exists, so it is spelt out here and in ``records``
and never derived from the names of Python attributes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Generic, TypeVar

from distributor.model.refs import is_digest, is_object_id

T = TypeVar("T")

_REQUIRED = object()
_KEPT_TIMES = 4096
"""Times that are remembered: what is recorded together has one time."""


class _Nothing:
    """No value is of this type."""


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How a value is written (``dump``) and read (``load``, which raises ``ValueError``).

    What is of the type ``plain``, and of none below it, is right as it is: ``load`` need not be asked.
    """

    dump: Callable[[T], Any]
    load: Callable[[Any], T]
    plain: type = _Nothing


@dataclass(frozen=True, slots=True)
class Field:
    """One member: its JSON name, the attribute, the codec; left out where equal to ``default``."""

    name: str
    attribute: str
    codec: Codec[Any]
    default: Any = _REQUIRED

    @property
    def required(self) -> bool:
        """Whether it is always written."""
        return self.default is _REQUIRED


@dataclass(frozen=True, slots=True)
class Shape(Generic[T]):
    """The written form of one class: a JSON object with these members, in this order."""

    cls: Callable[..., T]
    fields: tuple[Field, ...]
    _loads: Mapping[str, tuple[str, type, Callable[[Any], Any]]] = field(init=False, repr=False)
    _needed: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        loads = {f.name: (f.attribute, f.codec.plain, f.codec.load) for f in self.fields}
        object.__setattr__(self, "_loads", loads)
        needed = frozenset(f.attribute for f in self.fields if f.required)
        object.__setattr__(self, "_needed", needed)

    def dump(self, value: T) -> dict[str, Any]:
        """The JSON object of a value."""
        written: dict[str, Any] = {}
        for member in self.fields:
            item = getattr(value, member.attribute)
            if member.required or item != member.default:
                written[member.name] = member.codec.dump(item)
        return written

    def load(self, data: object) -> T:
        """The value of a JSON object; raises ``ValueError`` with the member's name.

        Ledgers are long, and nearly all of their lines are right: what is wrong with one is looked for only then.
        """
        if type(data) is not dict:
            return self._searched(data)
        found: dict[str, Any] = {}
        loads = self._loads
        try:
            for name, value in data.items():
                attribute, plain, load = loads[name]
                found[attribute] = value if type(value) is plain else load(value)
        except (KeyError, ValueError):
            return self._searched(data)
        return self.cls(**found) if self._needed <= found.keys() else self._searched(data)

    def _searched(self, data: object) -> T:
        """The same, member by member, for what is wrong."""
        if not isinstance(data, dict):
            msg = "is not an object"
            raise ValueError(msg)  # noqa: TRY004 - one kind of error for everything unreadable
        found: dict[str, Any] = {}
        reading = missing = ""
        try:
            for member in self.fields:
                reading = member.name
                if reading in data:
                    found[member.attribute] = member.codec.load(data[reading])
                elif member.required:
                    missing = reading
        except ValueError as error:
            msg = f"{reading}: {error}"
            raise ValueError(msg) from error
        if missing:
            msg = f"lacks {missing!r}"
            raise ValueError(msg)
        if len(found) != len(data):
            unknown = sorted(set(data) - {member.name for member in self.fields})
            msg = f"has unknown members {unknown}"
            raise ValueError(msg)
        return self.cls(**found)

    @property
    def codec(self) -> Codec[T]:
        """This shape as the codec of a member."""
        return Codec(self.dump, self.load)


def _same(value: T) -> T:
    return value


def _typed(kind: type[T], name: str) -> Callable[[Any], T]:
    def load(value: object) -> T:
        if type(value) is not kind:  # `True` is no number here
            msg = f"{str(value)[:80]!r} is not {name}"
            raise ValueError(msg)
        return value

    return load


load_text = _typed(str, "text")


def _load_time(value: object) -> datetime:
    return _time(load_text(value))


@lru_cache(maxsize=_KEPT_TIMES)
def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        msg = f"{text!r} has no time zone"
        raise ValueError(msg)
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def _dump_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _load_oid(value: object) -> str:
    text = load_text(value)
    if not is_object_id(text):
        msg = f"{text[:80]!r} is not an object id"
        raise ValueError(msg)
    return text


def _load_digest(value: object) -> str:
    text = load_text(value)
    if not is_digest(text):
        msg = f"{text[:80]!r} is not a digest"
        raise ValueError(msg)
    return text


def _dump_raw(value: bytes) -> str | dict[str, str]:
    """Text where the bytes are text, so that ``git log`` shows them; else base64."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _load_raw(value: object) -> bytes:
    if isinstance(value, dict) and set(value) == {"base64"}:
        try:
            return base64.b64decode(load_text(value["base64"]), validate=True)
        except binascii.Error as error:
            msg = "is not base64"
            raise ValueError(msg) from error
    return load_text(value).encode()


TEXT: Codec[str] = Codec(_same, load_text, str)
NUMBER: Codec[int] = Codec(_same, _typed(int, "a number"), int)
FLAG: Codec[bool] = Codec(_same, _typed(bool, "true or false"), bool)
TIME: Codec[datetime] = Codec(_dump_time, _load_time)
OID: Codec[str] = Codec(_same, _load_oid)
DIGEST: Codec[str] = Codec(_same, _load_digest)
RAW: Codec[bytes] = Codec(_dump_raw, _load_raw)


def choice(kind: type[StrEnum]) -> Codec[Any]:
    """One word of a closed list."""
    known = {member.value: member for member in kind}

    def load(value: object) -> StrEnum:
        found = known.get(value) if type(value) is str else None
        return kind(load_text(value)) if found is None else found

    return Codec(lambda value: value.value, load)


def listed(item: Codec[Any]) -> Codec[Any]:
    """A list, in its order."""
    plain, one = item.plain, item.load

    def load(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            msg = "is not a list"
            raise ValueError(msg)  # noqa: TRY004 - one kind of error for everything unreadable
        return tuple([entry if type(entry) is plain else one(entry) for entry in value])

    return Codec(lambda value: [item.dump(entry) for entry in value], load)


def mapped(item: Codec[Any]) -> Codec[Any]:
    """A mapping from text, written in key order."""
    plain, one = item.plain, item.load

    def dump(value: Mapping[str, Any]) -> dict[str, Any]:
        return {key: item.dump(value[key]) for key in sorted(value)}

    def load(value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            msg = "is not an object"
            raise ValueError(msg)  # noqa: TRY004 - one kind of error for everything unreadable
        return {k: v if type(v) is plain else one(v) for k, v in value.items()}

    return Codec(dump, load)
