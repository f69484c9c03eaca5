"""Plain YAML scalars by the core schema of YAML 1.2, with every reading that parsers disagree on refused."""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_DOUBTFUL = frozenset(
    {"yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"}
)
_STARTS = frozenset("-+.0123456789~nNtTfFyYoO")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST_NUMBER = 64
_INT64 = range(-(2**63), 2**64)


class Doubtful(ValueError):
    """A scalar that one parser reads so and another otherwise; the message says how to write it."""


def resolve(text: str) -> Scalar:
    """The value of a plain scalar; raises ``Doubtful``.

    https://yaml.org/spec/1.2.2/#103-core-schema. Refused: the booleans of YAML 1.1 other than true and
    false, numbers with a leading zero, and numbers that JSON or 64 bits cannot carry.
    """
    if text and text[0] not in _STARTS:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in _DOUBTFUL:
        raise Doubtful(f"`{text}` is a boolean to some parsers; write true or false, or quote it")
    return _number(text)


def _number(text: str) -> Scalar:
    if len(text) > _LONGEST_NUMBER:
        return text
    if _LEADING_ZERO.fullmatch(text):
        raise Doubtful(f"`{text}` is octal to some parsers; quote it, or drop the leading zero")
    if _INTEGER.fullmatch(text):
        number = int(text, 0)
        if number not in _INT64:
            raise Doubtful(f"`{text}` does not fit into 64 bits; quote it")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise Doubtful(f"`{text}` is no number that JSON knows; quote it")
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isinf(value):
            raise Doubtful(f"`{text}` is larger than a number may be; quote it")
        return value
    return text
