"""CRD schemas as JSON Schema: the rules of Kubernetes' structural schemas, in draft 2020-12.

Source of the rules: the Kubernetes documentation on CustomResourceDefinitions ("Specifying a structural
schema", "Field pruning", "Defaulting"). CEL rules (``x-kubernetes-validations``) are the API server's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distributor.model.manifest import Manifest
from distributor.model.package import GroupVersionKind
from distributor.model.refs import Digest

_KEPT = (
    "type", "format", "enum", "maximum", "minimum", "multipleOf", "maxLength", "minLength", "pattern",
    "maxItems", "minItems", "uniqueItems", "maxProperties", "minProperties",
)  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf")
_OBJECT_META: dict[str, Any] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"type": "object"},
}

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A kind at a version that a CRD serves, with its schema and the digest of that CRD."""

    kind: GroupVersionKind
    schema: Schema
    source: Digest


def served(crd: Manifest) -> Iterator[Served]:
    """The kinds that a CustomResourceDefinition serves; nothing for what is not well formed."""
    spec = crd.data().get("spec")
    if not isinstance(spec, dict):
        return
    names = spec.get("names")
    kind = names.get("kind") if isinstance(names, dict) else None
    versions = spec.get("versions")
    for version in versions if isinstance(versions, list) else ():
        if not isinstance(version, dict) or not version.get("served"):
            continue
        schema = version.get("schema")
        root = schema.get("openAPIV3Schema") if isinstance(schema, dict) else None
        group, name = spec.get("group"), version.get("name")
        if isinstance(kind, str) and isinstance(group, str) and isinstance(name, str):
            yield Served(
                kind=GroupVersionKind(group, name, kind),
                schema=json_schema(root if isinstance(root, dict) else {}),
                source=crd.digest,
            )


def json_schema(root: Mapping[str, Any]) -> Schema:
    """The JSON Schema of a custom resource; identity and metadata are allowed whatever it says."""
    return _structural({**root, "x-kubernetes-embedded-resource": True})


def _structural(node: Mapping[str, Any]) -> Schema:
    """A node that describes structure: unknown fields are errors unless it preserves them."""
    schema = _values(node, _structural)
    preserves = node.get("x-kubernetes-preserve-unknown-fields") is True
    if not preserves and "additionalProperties" not in node and _is_object(node):
        schema["additionalProperties"] = False
    if node.get("x-kubernetes-embedded-resource") is True:
        own = schema.get("properties", {})
        identity = {name: _merged(base, own.get(name)) for name, base in _OBJECT_META.items()}
        schema["properties"] = {**own, **identity}
    if node.get("nullable") is True:
        return {"anyOf": [{"type": "null"}, schema]}
    return schema


def _is_object(node: Mapping[str, Any]) -> bool:
    return node.get("type") == "object" or isinstance(node.get("properties"), dict)


def _merged(base: Schema, own: object) -> Schema:
    """Metadata is the API server's: a CRD may bound its name, never close it."""
    if not isinstance(own, dict):
        return base
    return {**own, "additionalProperties": True} if base["type"] == "object" else own


def _values(node: Mapping[str, Any], inner: Callable[[Mapping[str, Any]], Schema]) -> Schema:
    """The rules on values that a node and the nodes inside it state."""
    schema: Schema = {key: node[key] for key in _KEPT if key in node}
    if node.get("x-kubernetes-int-or-string") is True:
        schema["type"] = ["integer", "string"]
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if (
            node.get(bound) is True and limit in schema
        ):  # OpenAPI 3.0 writes a flag beside the limit
            schema[bound] = schema.pop(limit)
    for key in _LISTS:
        if isinstance(node.get(key), list):
            schema[key] = [_bare(item) for item in node[key] if isinstance(item, dict)]
    if isinstance(node.get("not"), dict):
        schema["not"] = _bare(node["not"])
    return schema | _inside(node, inner)


def _bare(node: Mapping[str, Any]) -> Schema:
    """A node under allOf, anyOf, oneOf or not: it judges values and never closes an object."""
    return _values(node, _bare)


def _inside(node: Mapping[str, Any], inner: Callable[[Mapping[str, Any]], Schema]) -> Schema:
    schema: Schema = {}
    properties = node.get("properties")
    if isinstance(properties, dict):
        known = {name: p for name, p in properties.items() if isinstance(p, dict)}
        schema["properties"] = {name: inner(p) for name, p in known.items()}
        # Defaults are filled in before the API server validates.
        filled = {name for name, p in known.items() if "default" in p}
    else:
        filled = set()
    required = node.get("required")
    if isinstance(required, list):
        schema["required"] = [name for name in required if name not in filled]
    if isinstance(node.get("items"), dict):
        schema["items"] = inner(node["items"])
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        schema["additionalProperties"] = inner(extra)
    elif isinstance(extra, bool):
        schema["additionalProperties"] = extra
    return schema
