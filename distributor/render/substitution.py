"""Substitution: the grammar of ``${var}`` in one scalar, compiled once and evaluated for each cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from distributor.render.images import mirrored
from distributor.render.variables import Bound, is_fact, typed

_VARIABLE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)(?::=([^{}]*))?\}")
_OPEN_DEFAULT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*):=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One variable in a scalar, with the default that stands beside it (``None``: there is none)."""

    name: str
    default: str | None

    def value(self, variables: Mapping[str, Bound]) -> Bound | None:
        """The value, the default where it is unset or empty text, or ``None`` without either."""
        value = variables.get(self.name)
        if self.default is not None and value in (None, ""):
            return self.default
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A scalar that holds variables: literal text and uses in turn.

    ``kind`` is the type of a scalar that is exactly one variable; ``"string"`` for all others, and
    where Kubernetes itself takes nothing but text. ``registry`` is where the image that it names comes
    from, whatever registry its variables say.
    """

    segments: tuple[str | Use, ...]
    kind: str = "string"
    registry: str | Use = ""

    def uses(self) -> Iterator[Use]:
        """The variables in it, in order."""
        return (segment for segment in (*self.segments, self.registry) if isinstance(segment, Use))

    def unbound(self, variables: Mapping[str, Bound]) -> Iterator[str]:
        """The names that have neither a value nor a default."""
        return (use.name for use in self.uses() if use.value(variables) is None)

    def text(self, variables: Mapping[str, Bound]) -> str:
        """The scalar as text; every variable must be bound."""
        made = "".join(
            segment if isinstance(segment, str) else as_text(segment.value(variables))
            for segment in self.segments
        )
        known = self.registry
        registry = known if isinstance(known, str) else as_text(known.value(variables))
        return mirrored(made, registry) if registry else made

    def json(self, variables: Mapping[str, Bound]) -> bytes:
        """The scalar as JSON, in its type."""
        if self.kind == "string":
            return orjson.dumps(self.text(variables))
        (use,) = self.uses()
        return orjson.dumps(typed(use.value(variables), self.kind))


class Grammar:
    """Reads scalars for one package: its declared variables and the fixed facts, nothing else."""

    def __init__(self, declared: Mapping[str, str]) -> None:
        self._types = declared
        self._known_scalars: dict[Scalar, Scalar] = {}

    def read(self, text: str, *, only_text: bool) -> Scalar | None:
        """The scalar if it holds a variable or an escape of one, else ``None``: literal text.

        Equal scalars are one object. Raises ``ValueError`` where a default cannot be read or does not
        fit the declared type.
        """
        segments: list[str | Use] = []
        end, found = 0, False
        for match in _VARIABLE.finditer(text):
            escape, name, default = match.groups()
            if not self._known(name):
                continue
            found = True
            segments.append(text[end : match.start()])
            end = match.end()
            segments.append(match.group()[1:] if escape else Use(name=name, default=default))
        segments.append(text[end:])
        self._refuse_open(segments)
        if not found:
            return None
        kept = tuple(segment for segment in segments if segment != "")
        scalar = Scalar(segments=kept, kind=self._kind(kept, only_text=only_text))
        return self._known_scalars.setdefault(scalar, scalar)

    def _known(self, name: str) -> bool:
        return name in self._types or is_fact(name)

    def _refuse_open(self, segments: list[str | Use]) -> None:
        for segment in segments[::2]:  # the literal text between uses and escapes
            for match in _OPEN_DEFAULT.finditer(segment) if isinstance(segment, str) else ():
                if self._known(match.group(1)):
                    message = f"the default of {match.group(1)} holds a brace or does not end"
                    raise ValueError(message)

    def _kind(self, segments: tuple[str | Use, ...], *, only_text: bool) -> str:
        if only_text or len(segments) != 1 or not isinstance(segments[0], Use):
            return "string"
        use = segments[0]
        kind = self._types.get(use.name, "string")
        if use.default is not None and typed(use.default, kind) is None:
            message = f"the default {use.default!r} of {use.name} is no {kind}"
            raise ValueError(message)
        return kind


def as_text(value: Bound | None) -> str:
    """A value inside a longer text, as YAML and JSON would write it."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
