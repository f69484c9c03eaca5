"""Objects as YAML documents that PyYAML and Go's parsers read alike, and back; no I/O is done here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

from distributor.errors.render import BadManifest
from distributor.model.changes import LiveObject
from distributor.model.manifest import Manifest
from distributor.model.refs import ObjectRef
from distributor.render.applyset import PART_OF

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_BLOCK = re.compile(r"[!-~](?:[ -~]*[!-~])?(?:\n+[ -~]*[!-~])*\n?")
"""Printable lines without trailing blanks: what a literal block carries in every parser."""

_DEEPEST = 200


class Unreadable(Exception):
    """The bytes are not documents that hold objects; the message says why."""


class _Dumper(yaml.CSafeDumper):
    """Quotes every text that some YAML parser might take for something else.

    PyYAML alone would write ``1e3`` or a key ``y`` plain, and Go's parser reads a number and a boolean.
    """

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class's signature
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style: str | None = '"'
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        style = None
    elif "\n" in text and _BLOCK.fullmatch(text):
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


class _Loader(yaml.CSafeLoader):
    """Leaves dates as texts, as JSON has none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
    for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def dump(manifest: Manifest) -> bytes:
    """One document with its leading separator; the same object always gives the same bytes."""
    text: bytes = yaml.dump(
        manifest.data(),
        Dumper=_Dumper,
        encoding="utf-8",
        sort_keys=False,  # a manifest's keys are sorted already
        allow_unicode=True,
        width=1_000_000,
        explicit_start=True,
    )
    return text


def parse(data: bytes) -> dict[ObjectRef, Manifest]:
    """The objects of a file by reference, the last of equals; raises ``Unreadable``."""
    try:
        _check_shape(data)
        return {m.ref: m for m in _manifests(yaml.load_all(data, Loader=_Loader))}
    except yaml.YAMLError as error:
        raise Unreadable(_place(error)) from error
    except (BadManifest, RecursionError, UnicodeError) as error:
        raise Unreadable(str(error)) from error


def _manifests(documents: Iterable[Any]) -> Iterable[Manifest]:
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict):
            raise Unreadable("A document is not an object.")
        yield Manifest.of(document)


def _check_shape(data: bytes) -> None:
    """Refuse what would bring the loader down: it recurses in C, and aliases can stand for gigabytes."""
    depth = 0
    for event in yaml.parse(data, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            raise Unreadable("It uses aliases.")
        if depth > _DEEPEST:
            raise Unreadable(f"It nests deeper than {_DEEPEST} levels.")


def _place(error: yaml.YAMLError) -> str:
    # Never the text around it: the file may hold secrets.
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or type(error).__name__
    return f"line {mark.line + 1}: {problem}" if mark is not None else str(problem)


def delivered(manifest: Manifest) -> LiveObject:
    """A document as it lies in a folder or branch, taken for the live object: nothing else can be seen."""
    data = manifest.data()
    labels: Any = data["metadata"].get("labels")
    owner = labels.get(PART_OF, "") if isinstance(labels, dict) else ""
    return LiveObject(
        ref=manifest.ref,
        api_version=manifest.api_version,
        applied=manifest.digest,
        owner=owner if isinstance(owner, str) else "",
        data=data,
    )
