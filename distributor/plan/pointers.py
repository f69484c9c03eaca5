"""JSON pointers (RFC 6901) into Kubernetes objects, and back from the paths of drift.

A step into a list is a place in it, or names the entry by its keys: ``/spec/ports/port=80/targetPort``.
The second form is ours: places change when a sidecar is injected, keys do not. A bare value is ``=value``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from distributor.plan.lists import Key, key_of, key_text, keyed, keys_of, names_entry
from distributor.plan.ownership import Path, Step

_NONE: Mapping[Path, tuple[str, ...]] = MappingProxyType({})


def pointer_of(path: Path) -> str:
    """The pointer of a path."""
    return "".join(f"/{_escaped(_token(step))}" for step in path)


def path_at(
    pointer: str, obj: Mapping[str, Any], kind: str, known: Mapping[Path, tuple[str, ...]] = _NONE
) -> Path | None:
    """The path that a pointer means in an object; ``None`` where a step into a list finds nothing.

    Below what is there, every step is taken for a map key. ``known`` are the keys of lists that the live
    object tells of itself.
    """
    path: tuple[Step, ...] = ()
    value: Any = obj
    for token in pointer.split("/")[1:]:
        text = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            step, value = _entry(value, text, known.get(path) or _keys(path, kind))
            if step is None:
                return None
        else:
            step = text
            value = value.get(text) if isinstance(value, Mapping) else None
        path = (*path, step)
    return path


def taken_out(obj: dict[str, Any], path: Path) -> None:
    """Remove what stands at a path, if anything does; a place in a list is emptied, and others keep theirs."""
    holder = value_at(obj, path[:-1])
    last = path[-1]
    if isinstance(last, int):
        put_in(obj, path, None)
    elif isinstance(holder, dict) and isinstance(last, str):
        holder.pop(last, None)
    elif isinstance(holder, list) and isinstance(last, tuple):
        holder[:] = [entry for entry in holder if not names_entry(last, entry)]


def put_in(obj: dict[str, Any], path: Path, value: object) -> None:
    """Set what stands at a path, where there is something to set it in."""
    holder = value_at(obj, path[:-1])
    last = path[-1]
    if isinstance(holder, dict) and isinstance(last, str):
        holder[last] = value
    elif isinstance(holder, list) and not isinstance(last, str):
        holder[:] = [value if _is_entry(last, n, e) else e for n, e in enumerate(holder)]


def value_at(obj: object, path: Path) -> object:
    """What stands at a path, or ``None``."""
    for step in path:
        if isinstance(step, str):
            obj = obj.get(step) if isinstance(obj, Mapping) else None
        elif isinstance(obj, list):
            obj = next((e for n, e in enumerate(obj) if _is_entry(step, n, e)), None)
        else:
            return None
    return obj


def _is_entry(step: int | Key, place: int, entry: object) -> bool:
    return step == place if isinstance(step, int) else names_entry(step, entry)


def _keys(above: Path, kind: str) -> tuple[str, ...]:
    return keys_of(tuple(step for step in above if isinstance(step, str)), kind)


def _entry(items: list[Any], text: str, keys: tuple[str, ...]) -> tuple[Step | None, Any]:
    by_key = keyed(items, keys) is not None
    for place, item in enumerate(items):
        key = key_of(item, keys) if by_key else None
        step: Step = place if key is None else tuple(sorted(key))
        if text in {str(place), _token(step)}:
            return step, item
        if text == f"={item}":
            return (("", item),), item
    return None, None


def _token(step: Step) -> str:
    return key_text(step)[1:-1] if isinstance(step, tuple) else str(step)


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")
