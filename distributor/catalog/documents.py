"""The YAML door: bytes of one file -> one document, or everything that is wrong with it.

The text is read event by event, never composed in one go: the composer of libyaml's binding recurses
in C and dies on deeply nested input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NoReturn, TypeAlias

import yaml
from yaml._yaml import CParser

from distributor.catalog.scalars import Doubtful, Scalar, resolve
from distributor.errors import DistributorError, Where
from distributor.errors.catalog import (
    BadEncoding,
    BrokenYaml,
    DuplicateKey,
    TooLarge,
    UnsafeEntry,
    YamlBomb,
)
from distributor.model.findings import Finding

LIMIT = 1 << 20
"""Bytes that a descriptor may have; larger ones are not even read."""
MAX_DEPTH = 64
MAX_NODES = 100_000
MAX_ALIASED = 10_000
MAX_FINDINGS = 100
"""Findings that one file may have; more would be the same ones again."""
LFS = b"version https://git-lfs.github.com/spec/"
"""How a Git LFS pointer begins (github.com/git-lfs/git-lfs, docs/spec.md)."""

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
FieldPath = tuple[str | int, ...]
_TAG = re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|[\r\n\x85\xa8\xa9])%TAG")
"""A TAG directive after anything that YAML 1.1 takes for the end of a line."""
_STRING = "tag:yaml.org,2002:str"
_COLLECTIONS = frozenset({None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One descriptor: its content as plain JSON values, the file it came from, and its text."""

    file: str
    data: Any
    text: str = field(repr=False)

    def where(self, path: FieldPath = ()) -> Where:
        """The place of a field; of the nearest one above it where it does not exist."""
        return locate(self.text, self.file, path)

    @property
    def spec(self) -> Mapping[str, Any]:
        """The document's ``spec``; only meaningful once the schema held."""
        found: Mapping[str, Any] = self.data["spec"]
        return found


def show(path: FieldPath) -> str:
    """A field path as people write it: ``spec.nodes[0].role``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


def read(data: bytes, file: str) -> Document | tuple[Finding, ...]:
    """Read one document; anything but exactly one plain YAML 1.2 document gives findings."""
    text = _decode(data, file)
    if isinstance(text, Finding):
        return (text,)
    reader = _Reader(text, file)
    value = reader.read()
    if reader.findings:
        return tuple(reader.findings)
    return Document(file=file, data=value, text=text)


def locate(text: str, file: str, path: FieldPath) -> Where:
    """Where a field stands in the text of a document that was read before."""
    positions = _positions(text)
    for length in range(len(path), -1, -1):
        place = positions.get(path[:length])
        if place:
            return Where(file=file, line=place[0], column=place[1], field=show(path))
    return Where(file=file, field=show(path))


@lru_cache(maxsize=8)
def _positions(text: str) -> Mapping[FieldPath, tuple[int, int]]:
    """Line and column of every field; kept for a while, for one bad file may have many findings."""
    found: dict[FieldPath, tuple[int, int]] = {}
    _Reader(text, "", positions=found).read()
    return found


def _decode(data: bytes, file: str) -> str | Finding:
    where = Where(file=file)
    if len(data) > LIMIT:
        return Finding.of(TooLarge, f"A descriptor may have {LIMIT} bytes.", where)
    if data.startswith(LFS):
        return Finding.of(UnsafeEntry, "It is a Git LFS pointer.", where)
    line = data.count(b"\n", 0, data.find(b"\0")) + 1 if b"\0" in data else 0
    if line:
        return Finding.of(BadEncoding, "It holds a NUL byte.", Where(file=file, line=line))
    if _TAG.search(data):
        # libyaml compares each with all before it: a file of them takes half a minute
        return Finding.of(BrokenYaml, "TAG directives are not allowed.", where)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Finding.of(BadEncoding, f"Byte {error.start + 1}.", Where(file=file, line=line))


class _Refused(Exception):
    """Reading cannot go on."""


class _Reader:
    """Builds values from parser events; ``positions`` is filled where it is given."""

    def __init__(
        self,
        text: str,
        file: str,
        positions: dict[FieldPath, tuple[int, int]] | None = None,
    ) -> None:
        self.file = file
        self.findings: list[Finding] = []
        self.positions = positions
        self._parser: Any = CParser(text)
        self._anchors: dict[str, tuple[Json, int]] = {}
        self._nodes = 0
        self._aliased = 0

    def read(self) -> Json:
        """The document's value; ``None`` beside findings."""
        try:
            self._next()  # the stream's start
            if not isinstance(self._next(), yaml.DocumentStartEvent):
                self._refuse(BrokenYaml, "It is empty.", 1, 1)
            value = self._value(self._next(), 0, ())
            self._next()  # the document's end
            after = self._next()
            if not isinstance(after, yaml.StreamEndEvent):
                self._stop(BrokenYaml, "It holds more than one document.", after)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            self._add(BrokenYaml, f"{error.problem or error.context}.", line, column)
        except yaml.YAMLError as error:
            self._add(BrokenYaml, f"{str(error).splitlines()[0]}.", 0, 0)
        except _Refused:
            pass
        else:
            return value
        return None

    def _next(self) -> yaml.Event:
        event: yaml.Event = self._parser.get_event()
        return event

    def _value(self, event: yaml.Event, depth: int, path: FieldPath) -> Json:
        if self.positions is not None and path not in self.positions:
            self.positions[path] = _place(event)
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            self._stop(YamlBomb, f"At most {MAX_DEPTH} levels and {MAX_NODES} values.", event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._nodes
        if isinstance(event, yaml.ScalarEvent):
            value: Json = self._scalar(event)
        elif not isinstance(event, yaml.CollectionStartEvent) or event.tag not in _COLLECTIONS:
            self._stop(BrokenYaml, "Only plain mappings and lists are allowed.", event)
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(depth, path)
        else:
            value = self._sequence(depth, path)
        if event.anchor:
            self._anchors[event.anchor] = (value, self._nodes - before + 1)
        return value

    def _alias(self, event: yaml.AliasEvent) -> Json:
        if event.anchor not in self._anchors:
            self._stop(BrokenYaml, f"The alias *{event.anchor} names nothing above it.", event)
        value, size = self._anchors[event.anchor]
        self._aliased += size
        self._nodes += size
        if self._aliased > MAX_ALIASED:
            self._stop(YamlBomb, f"Aliases may stand for {MAX_ALIASED} values.", event)
        return value

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        text: str = event.value
        if event.tag in (None, "!"):
            if not event.implicit[0] or event.tag == "!":
                return text
            try:
                return resolve(text)
            except Doubtful as error:
                self._soft(BrokenYaml, f"{error}.", event)
                return text
        if event.tag != _STRING:
            self._soft(BrokenYaml, f"The tag {event.tag} is not allowed.", event)
        return text

    def _sequence(self, depth: int, path: FieldPath) -> list[Json]:
        items: list[Json] = []
        event = self._next()
        while not isinstance(event, yaml.SequenceEndEvent):
            items.append(self._value(event, depth + 1, (*path, len(items))))
            event = self._next()
        return items

    def _mapping(self, depth: int, path: FieldPath) -> dict[str, Json]:
        found: dict[str, Json] = {}
        event = self._next()
        while not isinstance(event, yaml.MappingEndEvent):
            key = self._key(event)
            if key in found:
                self._soft(DuplicateKey, f"`{key}` stands here again.", event, (*path, key))
            if self.positions is not None:
                self.positions.setdefault((*path, key), _place(event))
            found[key] = self._value(self._next(), depth + 1, (*path, key))
            event = self._next()
        return found

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._stop(BrokenYaml, "A key must be text.", event)
        text: str = event.value
        plain = event.tag is None and event.implicit[0]
        if plain and text == "<<":
            self._soft(BrokenYaml, "Merge keys are not allowed; write the fields out.", event)
        elif event.tag not in (None, "!", _STRING):
            self._soft(BrokenYaml, f"The tag {event.tag} is not allowed.", event)
        elif plain and not _is_text(text):
            self._soft(BrokenYaml, f"The key {text or 'null'} is no text; quote it.", event)
        return text

    def _stop(self, kind: type[DistributorError], message: str, event: yaml.Event) -> NoReturn:
        self._refuse(kind, message, *_place(event))

    def _refuse(
        self, kind: type[DistributorError], message: str, line: int, column: int
    ) -> NoReturn:
        self._add(kind, message, line, column)
        raise _Refused

    def _soft(
        self, kind: type[DistributorError], message: str, event: yaml.Event, path: FieldPath = ()
    ) -> None:
        self._add(kind, message, *_place(event), path)

    def _add(
        self,
        kind: type[DistributorError],
        message: str,
        line: int,
        column: int,
        path: FieldPath = (),
    ) -> None:
        where = Where(file=self.file, line=line, column=column, field=show(path))
        self.findings.append(Finding.of(kind, message, where))
        if len(self.findings) >= MAX_FINDINGS:
            raise _Refused


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _is_text(key: str) -> bool:
    """Whether a plain key is text; ``on`` and its like are, in every field that we know."""
    try:
        return isinstance(resolve(key), str)
    except Doubtful:
        return key.isalpha()
