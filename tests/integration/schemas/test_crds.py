"""CRDs in a set validate their objects, by the rules of structural schemas."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.adapters.schemas import KubernetesSchemas
from distributor.adapters.schemas.structural import json_schema
from tests.integration.schemas.objects import META, broker, crd, said, service, the_set


def spec_of(**properties: object) -> dict[str, Any]:
    spec = {"type": "object", "properties": properties}
    return {"type": "object", "properties": {"spec": spec}}


def fields(schema: dict[str, Any], data: dict[str, Any]) -> list[str]:
    found = KubernetesSchemas().check(the_set(crd(schema), data), "1.33", frozenset())
    assert all(code == "DST228" for code, _ in said(found))
    return [field for _, field in said(found)]


PORT = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
TEXT = {"type": "string"}
NUMBER = {"type": "integer", "format": "int32"}
EMBEDDED = {
    "type": "object",
    "x-kubernetes-embedded-resource": True,
    "properties": {"spec": {"type": "object", "properties": {"a": TEXT}}},
}


@pytest.mark.parametrize(
    ("schema", "spec", "wrong"),
    [
        (spec_of(a=TEXT), {"a": "x"}, []),
        (spec_of(a=TEXT), {"a": 1}, ["spec.a"]),
        (spec_of(a=TEXT), {"b": "x"}, ["spec"]),
        (spec_of(a=TEXT), {}, []),
        (spec_of(a=PORT), {"a": 1}, []),
        (spec_of(a=PORT), {"a": "http"}, []),
        (spec_of(a={"x-kubernetes-int-or-string": True}), {"a": [1]}, ["spec.a"]),
        (spec_of(a=ANY), {"a": {"deep": [{"er": 1}]}}, []),
        (spec_of(a={**ANY, "properties": {"b": {"type": "object", "properties": {"c": TEXT}}}}), {"a": {"x": 1, "b": {"c": "y"}}}, []),
        (spec_of(a={**ANY, "properties": {"b": {"type": "object", "properties": {"c": TEXT}}}}), {"a": {"b": {"d": "y"}}}, ["spec.a.b"]),
        (spec_of(a={"type": "object"}), {"a": {"b": 1}}, ["spec.a"]),
        (spec_of(a={"type": "object", "additionalProperties": TEXT}), {"a": {"b": "x"}}, []),
        (spec_of(a={"type": "object", "additionalProperties": TEXT}), {"a": {"b": 1}}, ["spec.a.b"]),
        (spec_of(a={"type": "object", "additionalProperties": True}), {"a": {"b": 1}}, []),
        (spec_of(a={"type": "array", "items": NUMBER}), {"a": [1, "x"]}, ["spec.a[1]"]),
        (spec_of(a={**NUMBER, "nullable": True}), {"a": None}, []),
        (spec_of(a={**TEXT, "nullable": True, "enum": ["x"]}), {"a": None}, []),
        (spec_of(a=TEXT), {"a": None}, ["spec.a"]),
        (spec_of(a={**NUMBER, "minimum": 1, "exclusiveMinimum": True}), {"a": 1}, ["spec.a"]),
        (spec_of(a={**NUMBER, "minimum": 1, "exclusiveMinimum": False}), {"a": 1}, []),
        (spec_of(a={**NUMBER, "maximum": 9, "exclusiveMaximum": True}), {"a": 8}, []),
        (spec_of(a={**TEXT, "pattern": "^[a-z]+$"}), {"a": "A"}, ["spec.a"]),
        (spec_of(a={**TEXT, "enum": ["x", "y"]}), {"a": "z"}, ["spec.a"]),
        (spec_of(a={"type": "object", "properties": {"b": TEXT, "c": {**TEXT, "default": "d"}}, "required": ["b", "c"]}), {"a": {"b": "x"}}, []),
        (spec_of(a={"type": "object", "properties": {"b": TEXT}, "required": ["b"]}), {"a": {}}, ["spec.a"]),
        (spec_of(a={"type": "object", "properties": {"b": TEXT, "c": TEXT}, "oneOf": [{"required": ["b"]}, {"required": ["c"]}]}), {"a": {"b": "x"}}, []),
        (spec_of(a={"type": "object", "properties": {"b": TEXT, "c": TEXT}, "oneOf": [{"required": ["b"]}, {"required": ["c"]}]}), {"a": {"b": "x", "c": "y"}}, ["spec.a"]),
        (spec_of(a={"type": "object", "properties": {"b": TEXT}, "not": {"required": ["b"]}}), {"a": {"b": "x"}}, ["spec.a"]),
        (spec_of(a=EMBEDDED), {"a": {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n"}, "spec": {"a": "x"}}}, []),
        (spec_of(a=EMBEDDED), {"a": {"apiVersion": 1, "other": 2}}, ["spec.a", "spec.a.apiVersion"]),
        (spec_of(properties=TEXT, description=TEXT), {"properties": "x", "description": "y"}, []),
    ],
)  # fmt: skip
def test_structural_rules(schema: dict[str, Any], spec: dict[str, Any], wrong: list[str]) -> None:
    assert sorted(fields(schema, broker(spec=spec))) == wrong


@pytest.mark.parametrize(
    ("schema", "data", "wrong"),
    [
        (spec_of(), broker(), []),
        (spec_of(), broker(status={"ready": True}), [""]),
        ({"type": "object"}, broker(), []),
        ({"type": "object"}, broker(spec={}), [""]),
        (ANY, broker(spec={"a": 1}, any=2), []),
        (spec_of(), broker(metadata={**META, "labels": {"a": "b"}}), []),
    ],
)
def test_the_root(schema: dict[str, Any], data: dict[str, Any], wrong: list[str]) -> None:
    assert fields(schema, data) == wrong


def test_metadata_may_be_bounded_but_not_closed() -> None:
    name = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 2}}}
    schema = {"type": "object", "properties": {"metadata": name}}
    assert fields(schema, broker()) == ["metadata.name"]
    assert fields(schema, broker(metadata={"name": "x", "labels": {}, "namespace": "n"})) == []


@pytest.mark.parametrize(
    ("made", "data"),
    [
        (crd(ANY), broker("v2")),
        (crd(ANY, served=False), broker("v1")),
    ],
    ids=["no such version", "not served"],
)
def test_a_version_that_the_crd_does_not_serve(made: dict[str, Any], data: dict[str, Any]) -> None:
    found = KubernetesSchemas().check(the_set(made, data), "1.33", frozenset())
    if made["spec"]["versions"][0]["served"]:
        assert said(found) == [("DST229", "apiVersion")]
    else:
        assert said(found) == [("DST229", "")]


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "nonsense"},
        {"type": "object", "properties": {"spec": {"type": "string", "pattern": "(["}}},
        {"type": "object", "properties": {"spec": {"minLength": "x"}}},
    ],
)
def test_a_schema_that_cannot_be_used_is_an_error_not_a_pass(broken: dict[str, Any]) -> None:
    found = KubernetesSchemas().check(the_set(crd(broken), broker(spec="x")), "1.33", frozenset())
    assert any(code == "DST228" for code, _ in said(found))


@pytest.mark.parametrize(
    "spec",
    [
        None,
        [],
        {"versions": {}},
        {"versions": [1, {}]},
        {"group": 1, "versions": [{"served": True}]},
        {"group": "g", "names": [], "versions": [{"served": True, "name": "v1"}]},
    ],
)
def test_a_crd_that_is_none_is_itself_the_error(spec: object) -> None:
    broken = {**crd({}), "spec": spec}
    found = KubernetesSchemas().check(the_set(broken, broker()), "1.33", frozenset())
    files = {finding.where.file.split("/")[1] for finding in found}
    assert {"CustomResourceDefinition", "Broker"} <= files


def test_another_crd_gives_another_answer_for_the_same_object() -> None:
    schemas = KubernetesSchemas()
    data = broker(spec={"a": 1})
    number, text = (the_set(crd(spec_of(a=kind)), data) for kind in (NUMBER, TEXT))
    assert said(schemas.check(number, "1.33", frozenset())) == []
    assert said(schemas.check(text, "1.33", frozenset())) == [("DST228", "spec.a")]
    assert said(schemas.check(number, "1.33", frozenset())) == []


def test_neighbours_of_a_misfit_are_checked_all_the_same() -> None:
    objects = the_set(crd(spec_of(a=TEXT)), broker(spec={"a": 1}), service(ports=1))
    found = KubernetesSchemas().check(objects, "1.33", frozenset())
    assert [field for _, field in said(found)] == ["spec.ports", "spec.a"]


def test_conversion_does_not_change_its_input() -> None:
    schema = spec_of(a={**NUMBER, "minimum": 1, "exclusiveMinimum": True})
    before = repr(schema)
    json_schema(schema)
    assert repr(schema) == before
