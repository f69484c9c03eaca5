"""SOPS files as text: which scalars they hold and where, what is encrypted, and their metadata.

Nothing is decrypted here. The forms are those of SOPS 3 (getsops.io/docs): YAML and JSON with a ``sops``
mapping at the top, dotenv with ``sops_`` lines, and any bytes wrapped in a JSON object. JSON is read by
the YAML reader, whose flow style it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import yaml
from yaml._yaml import CParser, Mark

from distributor.errors import Where
from distributor.errors.secrets import BrokenCiphertext
from distributor.render.places import MAX_DEPTH

ENCRYPTED = "ENC[AES256_GCM,"
"""How every encrypted value begins."""
LIMIT = 4 << 20
"""Bytes that a SOPS file may have; a Secret holds at most one MiB."""
MAX_STEPS = 100_000
"""Scalars, lists, mappings and lines that are read in all SOPS files of one render."""

_META = "sops"
_FLAT = "sops_"
_SIGN = re.compile(r"""(?m)^[ \t]*["']?sops["']?[ \t]*:|^sops_[a-z]|[{,][ \t]*"sops"[ \t]*:""")
_SURE = re.compile(r"(?:\A|[./])sops(?:\.|\Z)|\.(?:ya?ml|json|env)\Z")
_STEP = re.compile(r"__(map|list)_")
_STRING = "tag:yaml.org,2002:str"

Path = tuple[str | int, ...]


class Budget:
    """Counts the steps of reading, over all files that share it: a hostile package ends early."""

    __slots__ = ("_left",)

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps

    @property
    def spent(self) -> bool:
        """Whether it has run out."""
        return self._left < 0

    def take(self, name: str) -> None:
        """Take a step; raises ``BrokenCiphertext`` when there are none left."""
        self._left -= 1
        if self._left < 0:
            raise BrokenCiphertext(f"(more than {MAX_STEPS} values)", where=Where(file=name))


class Form(StrEnum):
    """How a SOPS file is written."""

    YAML = "yaml"
    JSON = "json"
    DOTENV = "dotenv"
    BINARY = "binary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One scalar: its place, its text, where that stands, and whether it was written without quotes."""

    path: Path
    text: str
    start: int
    end: int
    plain: bool = False

    @property
    def encrypted(self) -> bool:
        """Whether it is written as an encrypted value."""
        return self.text.startswith(ENCRYPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One document of a file; ``cuts`` are the spans of its metadata."""

    leaves: tuple[Leaf, ...]
    cuts: tuple[tuple[int, int], ...] = ()

    def at(self, *path: str) -> str | None:
        """The text of a scalar, or ``None``."""
        return next((leaf.text for leaf in self.leaves if leaf.path == path), None)

    @property
    def is_object(self) -> bool:
        """Whether it is a Kubernetes object."""
        return self.at("apiVersion") is not None and self.at("kind") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SopsFile:
    """A SOPS file; ``meta`` maps each place in its metadata to the text there."""

    name: str
    form: Form
    text: str = field(repr=False)
    parts: tuple[Part, ...]
    meta: Mapping[Path, str] = field(repr=False)

    def where(self, path: Path = ()) -> Where:
        """A place in the file for messages."""
        return Where(file=self.name, field=".".join(map(str, path)))


def read(data: bytes, name: str, budget: Budget | None = None) -> SopsFile | None:
    """The SOPS file that the bytes are, or ``None`` where they are none.

    Raises ``BrokenCiphertext`` for one that cannot be read, or when the budget is spent. Bytes of a file whose name says nothing of
    SOPS, YAML, JSON or dotenv count as a SOPS file only if they can be read as one.
    """
    if ENCRYPTED.encode() not in data:
        return None
    try:
        return _read(data, name, budget or Budget())
    except BrokenCiphertext:
        if _SURE.search(name) or (budget is not None and budget.spent):
            raise
        return None


def _read(data: bytes, name: str, budget: Budget) -> SopsFile | None:
    if len(data) > LIMIT:
        raise BrokenCiphertext(f"(more than {LIMIT} bytes)", where=Where(file=name))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BrokenCiphertext("(not UTF-8)", where=Where(file=name)) from error
    if _SIGN.search(text) is None:
        return None
    if re.search(r"(?m)^sops_(?:mac|version)=", text):
        return _dotenv(text, name, budget)
    return _documents(text, name, budget)


def _documents(text: str, name: str, budget: Budget) -> SopsFile | None:
    try:
        parts = tuple(_Reader(text, name, budget).parts())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = Where(file=name, line=mark.line + 1 if mark else 0)
        raise BrokenCiphertext("(no valid YAML or JSON)", where=where) from error
    if not parts or not parts[0].cuts:
        return None
    meta = {leaf.path[1:]: leaf.text for leaf in parts[0].leaves if leaf.path[0] == _META}
    bare = tuple(
        Part(leaves=tuple(x for x in p.leaves if x.path[0] != _META), cuts=p.cuts) for p in parts
    )
    form = Form.JSON if text.lstrip().startswith("{") else Form.YAML
    if form is Form.JSON and [leaf.path for leaf in bare[0].leaves] == [("data",)]:
        form = Form.BINARY
    return SopsFile(name=name, form=form, text=text, parts=bare, meta=meta)


class _Reader:
    """Reads event by event: composing would recurse in C, and follow aliases."""

    def __init__(self, text: str, name: str, budget: Budget) -> None:
        self._text, self._name, self._budget = text, name, budget
        self._events = self._parsed()
        self._leaves: list[Leaf] = []

    def parts(self) -> Iterator[Part]:
        for event in self._events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            first = next(self._events)
            if not isinstance(first, yaml.MappingStartEvent):
                self._skip(first)
                continue
            self._leaves = []
            cuts = self._top()
            yield Part(leaves=tuple(self._leaves), cuts=cuts)

    def _parsed(self) -> Iterator[yaml.Event]:
        parser = CParser(self._text)
        while (event := parser.get_event()) is not None:
            self._budget.take(self._name)
            yield event

    def _top(self) -> tuple[tuple[int, int], ...]:
        """The members of the top mapping; answers the span of the metadata."""
        begin = end = -1
        after = 0  # where the member before ended
        flow = self._text.lstrip().startswith("{")
        seen: set[str] = set()
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            name = self._key(key, seen)
            if begin >= 0 and end < 0:
                end = _mark(key.start_mark)
            if name == _META:
                begin = after if flow and after else _mark(key.start_mark)
            last = self._value(next(self._events), (name,))
            if name == _META and flow and after:
                end = last
            after = last
        if begin < 0:
            return ()
        stop = after if flow else _mark(key.start_mark)
        return ((begin, end if end >= 0 else stop),)

    def _key(self, event: yaml.Event, seen: set[str]) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._broken(event, "a key that is no text")
        name = str(event.value)
        if name in seen:
            raise self._broken(event, f"the key {name!r} twice")
        seen.add(name)
        return name

    def _value(self, event: yaml.Event, path: Path) -> int:
        """Read one value; answers where it ends."""
        if len(path) > MAX_DEPTH:
            raise self._broken(event, f"more than {MAX_DEPTH} levels")
        if isinstance(event, yaml.ScalarEvent):
            self._leaf(event, path)
        elif isinstance(event, yaml.MappingStartEvent):
            seen: set[str] = set()
            while not isinstance(event := next(self._events), yaml.MappingEndEvent):
                self._value(next(self._events), (*path, self._key(event, seen)))
        elif isinstance(event, yaml.SequenceStartEvent):
            number = 0
            while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
                self._value(event, (*path, number))
                number += 1
        else:
            raise self._broken(event, "an alias")
        return _mark(event.end_mark)

    def _leaf(self, event: yaml.ScalarEvent, path: Path) -> None:
        if event.tag not in {None, "!", _STRING}:
            raise self._broken(event, "a tag")
        self._leaves.append(
            Leaf(
                path=path,
                text=event.value,
                start=_mark(event.start_mark),
                end=_mark(event.end_mark),
                plain=not event.style and event.tag is None,  # libyaml's plain style is ""
            )
        )

    def _skip(self, event: yaml.Event) -> None:
        depth = 0
        while True:
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth == 0:
                return
            event = next(self._events)

    def _broken(self, event: yaml.Event, what: str) -> BrokenCiphertext:
        line = event.start_mark.line + 1 if event.start_mark else 0
        return BrokenCiphertext(f"({what})", where=Where(file=self._name, line=line))


def _mark(mark: yaml.error.Mark | Mark | None) -> int:
    """Where an event stands in the text; libyaml counts characters too."""
    return mark.index if mark else 0


def _dotenv(text: str, name: str, budget: Budget) -> SopsFile:
    leaves: dict[str, Leaf] = {}
    meta: dict[Path, str] = {}
    cuts: list[tuple[int, int]] = []
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        budget.take(name)
        key, equals, value = line.partition("=")
        if line and not line.startswith("#"):
            if not equals or key in leaves:
                what = "a line without =" if not equals else f"the key {key!r} twice"
                raise BrokenCiphertext(f"({what})", where=Where(file=name, line=number))
            plain = value.replace("\\n", "\n")
            if key.startswith(_FLAT):
                meta[_unflattened(key.removeprefix(_FLAT))] = plain
                cuts.append((start, min(start + len(line) + 1, len(text))))
            else:
                begin = start + len(key) + 1
                leaves[key] = Leaf(path=(key,), text=plain, start=begin, end=start + len(line))
        start += len(line) + 1
    part = Part(leaves=tuple(leaves.values()), cuts=tuple(cuts))
    return SopsFile(name=name, form=Form.DOTENV, text=text, parts=(part,), meta=meta)


def _unflattened(key: str) -> Path:
    """``age__list_0__map_enc`` is the place ``age``, 0, ``enc``."""
    first, *rest = _STEP.split(key)
    steps: list[str | int] = [first]
    for kind, step in zip(rest[::2], rest[1::2], strict=True):
        steps.append(int(step) if kind == "list" and step.isdecimal() else step)
    return tuple(steps)
