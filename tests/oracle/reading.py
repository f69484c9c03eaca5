"""Reading YAML as Kubernetes reads a manifest, independent of the engine and of PyYAML's types.

The rules are those of sigs.k8s.io/yaml over go.yaml.in/yaml/v2: `yes`, `on` and `y` are booleans, `0o17`
and `0644` are octal, `1_000` is a number, `1:30` and a date are text, of duplicate keys the last counts.
`tests/integration/oracle/test_reading.py` holds them to what Helm's own `fromYaml` says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
NULL = frozenset(("", "~", "null", "Null", "NULL"))
BASES = (
    (re.compile(r"[-+]?0[xX]_?[0-9a-fA-F_]+"), 16),
    (re.compile(r"[-+]?0[bB]_?[01_]+"), 2),
    (re.compile(r"[-+]?0[oO]?[0-7_]+"), 8),
    (re.compile(r"[-+]?(0|[1-9][0-9_]*)"), 10),
)
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
UNSIGNED = 1 << 64
EXACT = 1e21
"""From here on Go writes a float with an exponent; below it a whole float is an integer in JSON."""


class UnreadableError(ValueError):
    """Text that Kubernetes does not read as an object."""


def objects(text: bytes) -> Iterator[Any]:
    """Every document of a stream that is not empty; raises ``UnreadableError``."""
    try:
        for node in yaml.compose_all(text, yaml.CBaseLoader):
            value = None if node is None else of_node(node)
            if value is not None:
                yield value
    except (yaml.YAMLError, RecursionError) as error:
        raise UnreadableError(str(error)) from error


def of_node(node: yaml.Node) -> Any:
    """The value of a node."""
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind != {"mapping": "map", "sequence": "seq", "scalar": "str"}[node.id]:
        msg = f"{node.start_mark}: the tag {node.tag} is not read here"
        raise UnreadableError(msg)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode):
        return [of_node(item) for item in node.value]
    return node.value if node.style else plain(node.value)


def _mapping(node: yaml.MappingNode) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key, value in node.value:
        if key.value == "<<" and not key.style:
            sources = of_node(value)
            for source in reversed(sources if isinstance(sources, list) else [sources]):
                merged |= source
        else:
            own[_key(of_node(key))] = of_node(value)
    return merged | own


def _key(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    msg = f"{value!r} is no key"
    raise UnreadableError(msg)


def plain(text: str) -> object:
    """A scalar without quotes or tag."""
    if text in TRUE or text in FALSE:
        return text in TRUE
    if text in NULL:
        return None
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text):
        msg = f"{text} is nothing that JSON can carry"
        raise UnreadableError(msg)
    if text[0] not in "+-.0123456789":
        return text
    digits = text if text[0] == "." else text.replace("_", "")
    whole = _integer(digits)
    if whole is not None:
        return whole
    return number(digits) if FLOAT.fullmatch(digits) else text


def _integer(text: str) -> int | None:
    for form, base in BASES:
        if form.fullmatch(text):
            value = int(re.sub(r"0[xXbBoO]?(?=.)", "", text, count=1) if base != 10 else text, base)
            return value if -UNSIGNED // 2 <= value < UNSIGNED else None
    return None


def number(text: str) -> int | float:
    """A JSON number as Go writes it again: a whole float is an integer, up to its exact range."""
    value = float(text)
    if math.isinf(value) or math.isnan(value):
        msg = f"{text} is nothing that JSON can carry"
        raise UnreadableError(msg)
    return int(value) if value.is_integer() and abs(value) < EXACT else value
