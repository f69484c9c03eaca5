"""Implements ``Expressions`` with cel-expr-python, the binding of Google's cel-cpp."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, Protocol

from distributor.errors.cluster import ExpressionFailed

_EXTENSIONS = (
    ("optional", "ExtOptional"),
    ("strings", "ExtStrings"),
    ("math", "ExtMath"),
    ("encoders", "ExtEncoders"),
)
_TRUTHS = frozenset({"BOOL", "DYN"})
_PREFIX = re.compile(r"[A-Z_]+: (ERROR: )?(<input>:)?")
_KEPT = 1024
_SHOWN = 300


class _Named(Protocol):
    """A type of the library."""

    def name(self) -> object: ...


class _Value(Protocol):
    """What an evaluation gives."""

    def value(self) -> object: ...


class _Compiled(Protocol):
    """A compiled expression, as far as it is used here."""

    def eval(self, *, data: Mapping[str, object]) -> _Value: ...

    def return_type(self) -> _Named: ...


class _Environment(Protocol):
    """What compiles expressions."""

    def compile(self, expression: str) -> _Compiled: ...


class CelExpressions:
    """Compiles each expression once, and keeps the last ones; the library is loaded at the first.

    It bounds the steps of an evaluation by itself, so that no expression takes long. Optional syntax
    (``object.?status``), strings, math and encoders are there, as in Kubernetes.
    """

    def __init__(self) -> None:
        self._compiled = lru_cache(maxsize=_KEPT)(self._compile)

    def problem(self, expression: str) -> str:
        """What the compiler says, in one line; an expression must give true or false."""
        try:
            self._compiled(expression)
        except ExpressionFailed as error:
            return error.detail
        return ""

    def holds(self, expression: str, obj: Mapping[str, Any]) -> bool:
        """Evaluate; raises ``ExpressionFailed`` for what is neither true nor false, with the reason."""
        compiled = self._compiled(expression)
        try:
            value = compiled.eval(data={"object": dict(obj)}).value()
        except (RuntimeError, ValueError, TypeError, OverflowError) as error:
            raise ExpressionFailed(_line(error)) from error
        if not isinstance(value, bool):
            raise ExpressionFailed(_line(value))
        return value

    @cached_property
    def _environment(self) -> _Environment:
        cel = importlib.import_module("cel_expr_python.cel")
        extensions = [
            getattr(importlib.import_module(f"cel_expr_python.ext.ext_{name}"), kind)()
            for name, kind in _EXTENSIONS
        ]
        made: _Environment = cel.NewEnv(variables={"object": cel.Type.DYN}, extensions=extensions)
        return made

    def _compile(self, expression: str) -> _Compiled:
        try:
            compiled = self._environment.compile(expression)
        except (RuntimeError, ValueError) as error:
            raise ExpressionFailed(_line(error)) from error
        gives = str(compiled.return_type().name())
        if gives not in _TRUTHS:
            raise ExpressionFailed(f"(it gives {gives}, not true or false)")
        return compiled


def _line(said: object) -> str:
    """What the library says, as one short line in brackets."""
    text = _PREFIX.sub("", str(said).partition("\n")[0]) or "it gives nothing"
    return f"({text[:_SHOWN]})"
