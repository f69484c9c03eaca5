"""Descriptors against their JSON Schemas: all findings at once, each with its line.

The schemas are data files of this package, read once. One validator answers both "is it valid" and "what
is wrong", so the two can never disagree; it never fetches anything.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from itertools import islice
from typing import Any

import jsonschema_rs
from jsonschema_rs import ValidationError, ValidationErrorKind, Validator

from distributor.catalog.documents import MAX_FINDINGS, Document, FieldPath, show
from distributor.errors.catalog import NewerFormat, SchemaViolation, UnknownField
from distributor.model.findings import Finding

API_VERSION = "distributor.dev/v1alpha1"
KINDS = (
    "App", "Package", "Pipeline", "Environment", "Tier", "Cluster", "Installation", "Gate", "Roles",
    "Calendar",
)  # fmt: skip
"""Every kind of descriptor."""
_LONGEST_SHOWN = 80
_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000)


@cache
def schema(kind: str) -> Mapping[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind; raises ``KeyError`` for an unknown one."""
    if kind not in KINDS:
        raise KeyError(kind)
    text = (resources.files("distributor.catalog") / "schemas" / f"{kind}.json").read_bytes()
    found: Mapping[str, Any] = json.loads(text)
    return found


def compiled(definition: Mapping[str, Any]) -> Validator:
    """A validator that reaches nothing outside ``definition``; raises ``ValueError`` if it is no schema."""
    return jsonschema_rs.validator_for(
        dict(definition), offline=True, pattern_options=_PATTERNS, validate_formats=False
    )


@cache
def _validator(kind: str) -> Validator:
    return compiled(schema(kind))


def check(document: Document, kind: str) -> tuple[Finding, ...]:
    """Everything in which the document differs from its kind's schema; empty if it fits."""
    validator = _validator(kind)
    if validator.is_valid(document.data):
        return ()
    wrong = _other_format(document, kind)
    if wrong is not None:
        return (wrong,)
    found = (
        finding
        for error in validator.iter_errors(document.data)
        for finding in _findings(error, document, schema(kind))
    )
    return tuple(sorted(dict.fromkeys(islice(found, MAX_FINDINGS)), key=_place))


def _place(finding: Finding) -> tuple[int, int, str]:
    return (finding.where.line, finding.where.column, finding.message)


def _other_format(document: Document, kind: str) -> Finding | None:
    """One finding where the document is another kind or format, instead of many that follow from it."""
    data = document.data
    if not isinstance(data, dict):
        return Finding.of(SchemaViolation, "It is no mapping.", document.where())
    version, found = data.get("apiVersion"), data.get("kind")
    if version != API_VERSION:
        kind_of = NewerFormat if str(version).startswith("distributor.dev/") else SchemaViolation
        message = f"apiVersion is {_shown(version)}; this file needs {API_VERSION}."
        return Finding.of(kind_of, message, document.where(("apiVersion",)))
    if found != kind:
        message = f"kind is {_shown(found)}; this file needs {kind}."
        return Finding.of(SchemaViolation, message, document.where(("kind",)))
    return None


def _findings(
    error: ValidationError, document: Document, definition: Mapping[str, Any]
) -> Iterator[Finding]:
    path: FieldPath = tuple(error.instance_path)
    match error.kind:
        case ValidationErrorKind.AdditionalProperties(unexpected=names):
            for name in names:
                message = unknown(name, error, definition)
                yield Finding.of(UnknownField, message, document.where((*path, name)))
        case ValidationErrorKind.AnyOf(context=branches) if nested := _nearest(branches, path):
            for inner in nested:
                yield from _findings(inner, document, definition)
        case _:
            message = explain(error, definition)
            yield Finding.of(SchemaViolation, message, document.where(path))


def unknown(name: str, error: ValidationError, definition: Mapping[str, Any]) -> str:
    """What to say of a field that is not known: the most similar one that is."""
    found = _at(definition, error.schema_path[:-1])
    known = found.get("properties", {}) if isinstance(found, Mapping) else ()
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    return f"`{_short(name)}` is not known here.{hint}"


def explain(error: ValidationError, definition: Mapping[str, Any]) -> str:
    """What is wrong, in words: a pattern is explained by its description, not by its text."""
    path = show(tuple(error.instance_path)) or "the document"
    match error.kind:
        case ValidationErrorKind.Required(property=name):
            return f"`{name}` is missing in {path}."
        case ValidationErrorKind.Pattern() | ValidationErrorKind.Not():
            return f"{path} is {_shown(error.instance)}. {_described(definition, error)}".strip()
        case ValidationErrorKind.Enum(options=options):
            known = ", ".join(str(option) for option in options)
            return f"{path} is {_shown(error.instance)}; there are {known}."
        case ValidationErrorKind.PropertyNames(error=inner):
            return f"{path} has the key {_shown(inner.instance)}, which is not allowed there."
        case _:
            return f"{path}: {_short(error.message)}."


def _described(definition: Mapping[str, Any], error: ValidationError) -> str:
    """The description of the value's schema; alternatives have it one or two steps further up."""
    for steps in (1, 2, 3):
        for route in (error.evaluation_path[:-steps], error.schema_path[:-steps]):
            found = _at(definition, route)
            if isinstance(found, Mapping) and isinstance(found.get("description"), str):
                return f"Expected: {found['description']}"
    return "That is not allowed."


def _nearest(branches: list[list[ValidationError]], path: FieldPath) -> list[ValidationError]:
    """The errors of the one alternative whose type the value has; none if that is not one."""
    fitting = [b for b in branches if b and not any(_misses(e, path) for e in b)]
    return fitting[0] if len(fitting) == 1 else []


def _misses(error: ValidationError, path: FieldPath) -> bool:
    whole = isinstance(error.kind, ValidationErrorKind.Type | ValidationErrorKind.Constant)
    return whole and tuple(error.instance_path) == path


def _at(definition: object, route: list[str | int]) -> object:
    """The sub-schema at a route of keys; ``None`` where the route leaves the document."""
    for key in route:
        if isinstance(definition, list) and isinstance(key, int) and key < len(definition):
            definition = definition[key]
        elif isinstance(definition, Mapping):
            definition = definition.get(key)
        else:
            return None
    return definition


def _shown(value: object) -> str:
    return _short(json.dumps(value, ensure_ascii=False, default=str))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
