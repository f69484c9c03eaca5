"""Values: defaults under environment under Installation, checked by the package's own schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from distributor.errors import Where
from distributor.errors.catalog import BadValues, SchemaViolation
from distributor.errors.render import BadManifest
from distributor.model.findings import Finding
from distributor.model.fleet import Environment, Installation
from distributor.model.manifest import canonical
from distributor.model.package import Package


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Later layers over earlier ones: maps merge deeply, everything else is replaced."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            if isinstance(value, Mapping):
                result[key] = merged(below if isinstance(below, Mapping) else {}, value)
            else:
                result[key] = value
    return result


def instance_values(
    package: Package, installation: Installation, environment: Environment
) -> dict[str, Any]:
    """The merged values of an instance: package defaults, environment defaults, Installation."""
    shared = environment.defaults.get(package.app, {})
    return merged(package.values.defaults, shared, installation.values)


def values_file(installation: Installation) -> str:
    """The file that a wrong value most likely stands in."""
    folder = f"environments/{installation.environment}"
    if installation.implicit:
        return f"{folder}/environment.yaml"
    return f"{folder}/apps/{installation.instance}.yaml"


def check_values(package: Package, values: Mapping[str, Any], file: str) -> tuple[Finding, ...]:
    """What the package's schema says against values: all findings, each with its field.

    JSON Schema, draft 2020-12. References to other documents are refused: a schema must say the same
    on every machine.
    """
    if not package.values.schema:
        return ()
    try:
        validator = _validator(canonical(package.values.schema))
    except (ValueError, RecursionError) as error:
        where = Where(file=f"{package.folder}/package.yaml", field="spec.values.schema")
        return (Finding.of(SchemaViolation, _first_line(error), where),)
    except BadManifest as error:
        where = Where(file=f"{package.folder}/package.yaml", field="spec.values.schema")
        return (Finding.of(SchemaViolation, error.detail, where),)
    # What was read from YAML may hold mappings that are no dicts; the validator wants plain JSON.
    found = validator.iter_errors(orjson.loads(_json(values, file)))
    return tuple(
        Finding.of(BadValues, error.message, Where(file=file, field=_field(error.instance_path)))
        for error in found
    )


def require_values(package: Package, values: Mapping[str, Any], file: str) -> bytes:
    """The values as canonical JSON; raises ``BadValues`` with every finding in its text."""
    findings = check_values(package, values, file)
    if findings:
        raise BadValues(f"({package}) {together(findings)}", where=findings[0].where)
    return _json(values, file)


def together(findings: Iterable[Finding]) -> str:
    """Each field with what is wrong there, without the sentence that every such finding begins with."""
    title = BadValues.title()
    return "; ".join(f"{f.where.field}: {f.message.removeprefix(title).strip()}" for f in findings)


def _json(values: Mapping[str, Any], file: str) -> bytes:
    try:
        return canonical(values)
    except BadManifest as error:
        raise BadValues(error.detail, where=Where(file=file, field="spec.values")) from error


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(orjson.loads(schema), offline=True)


def _field(path: list[str | int]) -> str:
    return ".".join(["spec.values", *(str(part) for part in path)])


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
