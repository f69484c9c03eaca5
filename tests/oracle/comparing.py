"""Objects as text that can be compared: sorted keys, types told apart, the order of objects ignored."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.oracle.reading import number

SHOWN = 60

Rendered = Counter[str]
"""A set of objects that counts: canonical JSON by how often it stands there."""


def rendered(objects: Iterable[Any]) -> Rendered:
    """Objects as read from YAML."""
    return Counter(json.dumps(item, sort_keys=True, ensure_ascii=False) for item in objects)


def rendered_json(bodies: Iterable[bytes]) -> Rendered:
    """Objects as the engine gives them."""
    return rendered(json.loads(body, parse_float=number) for body in bodies)


def difference(ours: Rendered, theirs: Rendered) -> str:
    """What differs, as lines of a diff; empty where nothing does."""
    mine, other = (_lines(only) for only in (ours - theirs, theirs - ours))
    lines = list(difflib.unified_diff(other, mine, "the oracle", "ours", lineterm="", n=4))
    more = [f"... {len(lines) - SHOWN} lines more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])


def _lines(items: Rendered) -> list[str]:
    found: list[str] = []
    for item in sorted(items.elements()):
        found += json.dumps(json.loads(item), indent=1, ensure_ascii=False).splitlines()
    return found
