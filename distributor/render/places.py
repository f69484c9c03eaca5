"""Places: the scalars of an object, with the paths that lead to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from distributor.errors.render import TooDeep
from distributor.model.refs import GroupKind

Path = tuple[str | int, ...]

MAX_DEPTH = 200
_DATA = frozenset({"data", "stringData", "binaryData"})
_HOLDERS = frozenset({GroupKind("", "ConfigMap"), GroupKind("", "Secret")})
_TEXT_MAPS = frozenset({"labels", "annotations", "matchLabels", "nodeSelector"})
_TEXT_LISTS = frozenset({"args", "command"})
_IDENTITY = frozenset({("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")})


def strings(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text scalar below a value, with its path; raises ``TooDeep``."""
    if isinstance(value, str):
        yield path, value
    elif len(path) > MAX_DEPTH:
        raise TooDeep(f"more than {MAX_DEPTH} levels")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from strings(inner, (*path, index))


def keys(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every key of every mapping below a value, with the path of the mapping."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield path, key
            yield from keys(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from keys(inner, (*path, index))


def put(data: object, path: Path, value: str) -> None:
    """Replace the scalar at a path that ``strings`` gave."""
    place: Any = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value


def is_identity(path: Path) -> bool:
    """Whether the place is part of what identifies an object."""
    return path in _IDENTITY


def holds_data(kind: GroupKind, path: Path) -> bool:
    """Whether the place is in the data of a ConfigMap or Secret."""
    return kind in _HOLDERS and path[0] in _DATA


def only_text(kind: GroupKind, path: Path) -> bool:
    """Whether Kubernetes takes nothing but text at this place, so that a number would be refused.

    Names, data, labels, annotations, selectors by label, arguments, and values of environment
    variables (Kubernetes API reference, core/v1 and meta/v1).
    """
    if is_identity(path) or holds_data(kind, path):
        return True
    parent = path[-2] if len(path) > 1 else ""
    if parent in _TEXT_MAPS or (isinstance(path[-1], int) and parent in _TEXT_LISTS):
        return True
    return path[-1] == "value" and path[-3:-2] == ("env",) and isinstance(parent, int)


def shown(path: Path) -> str:
    """A path as people write it: ``spec.ports[0].name``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")
