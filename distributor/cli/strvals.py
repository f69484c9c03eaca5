"""``--set a.b[0]=c,d={x,y}``: the little language of Helm's flag (helm.sh/helm, pkg/strvals)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from distributor.errors.service import BadArgument

MAX_INDEX = 65_536
MAX_STEPS = 64
_STEP = re.compile(r"([^\[\]]*)((?:\[[0-9]+\])*)")
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_LARGEST = 1 << 63
_LONGEST = len(str(-_LARGEST))


def set_values(texts: Iterable[str], base: dict[str, Any] | None = None) -> dict[str, Any]:
    """The values that ``--set`` options give, over a copy of ``base``, the last one winning.

    ``true``, ``false``, ``null`` and integers are typed; all else, numbers with a point included, stays
    text; ``{a,b}`` is a list; a backslash takes the meaning from ``, . = [ ]``. Raises ``BadArgument``.
    """
    result: Any = _copied(base or {})
    for text in texts:
        for assignment in _split(text, ",", braces=True):
            path, mark, value = _partition(assignment)
            if not mark:
                raise BadArgument(f"(--set {text!r}: {assignment!r} has no value)")
            result = _put(result, _steps(path, text), _value(value), text)
    values: dict[str, Any] = result
    return values


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list) else value


def _split(text: str, separator: str, *, braces: bool = False) -> Iterator[str]:
    """The parts between separators that are neither escaped nor in braces; escapes stay."""
    part, depth, escaped = "", 0, False
    for letter in text:
        if letter == separator and not escaped and not depth:
            yield part
            part = ""
            continue
        if braces and not escaped:
            depth += (letter == "{") - (letter == "}" and depth > 0)
        escaped = letter == "\\" and not escaped
        part += letter
    yield part


def _partition(text: str) -> tuple[str, str, str]:
    first = next(_split(text, "="))
    return first, text[len(first) : len(first) + 1], text[len(first) + 1 :]


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _steps(path: str, whole: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    for part in _split(path, "."):
        if "\\" in part:
            steps.append(_plain(part))
            continue
        match = _STEP.fullmatch(part)
        if match is None or not match[1]:
            raise BadArgument(f"(--set {whole!r}: {path!r} is no path)")
        steps.append(match[1])
        steps += [int(number) for number in re.findall(r"[0-9]+", match[2])]
    large = any(isinstance(s, int) and s > MAX_INDEX for s in steps)
    if large or len(steps) > MAX_STEPS:
        raise BadArgument(f"(--set {whole[:80]!r}: at most {MAX_STEPS} steps, {MAX_INDEX} items)")
    return tuple(steps)


def _value(text: str) -> object:
    if text.startswith("{") and text.endswith("}"):
        inner = text[1:-1]
        return [_typed(item) for item in _split(inner, ",")] if inner else []
    return _typed(text)


def _typed(text: str) -> str | int | bool | None:
    words: dict[str, bool | None] = {"true": True, "false": False, "null": None}
    if text in words:
        return words[text]
    if _INTEGER.fullmatch(text) and len(text) <= _LONGEST and -_LARGEST <= int(text) < _LARGEST:
        return int(text)
    return _plain(text)


def _put(below: object, steps: tuple[str | int, ...], value: object, whole: str) -> object:
    if not steps:
        return value
    step, *rest = steps
    if isinstance(step, int):
        items = below if isinstance(below, list) else []
        items += [None] * (step + 1 - len(items))
        items[step] = _put(items[step], tuple(rest), value, whole)
        return items
    fields = below if isinstance(below, dict) else {}
    fields[step] = _put(fields.get(step), tuple(rest), value, whole)
    return fields
