"""What a registry asks for when it answers 401 (RFC 9110 11.6.1; the distribution project's token specification)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)(?:\s+|$)")
_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_LONGEST = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One scheme, in lower case, with its parameters."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def choose(headers: Iterable[str]) -> Challenge | None:
    """The bearer challenge with a realm if there is one, else basic; ``None`` where neither is offered."""
    found = [c for header in headers if (c := _parse(header[:_LONGEST])) is not None]
    bearer = [c for c in found if c.scheme == "bearer" and c.parameters.get("realm")]
    basic = [c for c in found if c.scheme == "basic"]
    return next(iter((*bearer, *basic)), None)


def _parse(header: str) -> Challenge | None:
    scheme = _SCHEME.match(header)
    if scheme is None:
        return None
    parameters: dict[str, str] = {}
    at = scheme.end()
    while found := _PARAMETER.match(header, at):
        name, quoted, token = found.groups()
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else token
        parameters.setdefault(name.lower(), value)
        at = found.end()
    return Challenge(scheme=scheme[1].lower(), parameters=parameters)
