"""The sample catalog repository: each descriptor follows its schema, each name its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[3]
SCHEMAS = ROOT / "distributor" / "catalog" / "schemas"
KINDS = (
    "App",
    "Cluster",
    "Environment",
    "Gate",
    "Installation",
    "Package",
    "Pipeline",
    "Roles",
    "Calendar",
    "Tier",
)
PATTERNS = {
    "App": "catalog/*/app.yaml",
    "Package": "catalog/*/*/package.yaml",
    "Pipeline": "environments/pipeline.yaml",
    "Environment": "environments/*/environment.yaml",
    "Cluster": "environments/*/clusters/*.yaml",
    "Installation": "environments/*/apps/*.yaml",
    "Tier": "environments/tiers/*/tier.yaml",
    "Gate": "policies/gates/*.yaml",
    "Roles": "policies/roles.yaml",
    "Calendar": "policies/calendar.yaml",
}


def schema(kind: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{kind}.json").read_text(encoding="utf-8"))
    return loaded


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def problems(kind: str, document: object) -> list[str]:
    found = Draft202012Validator(schema(kind)).iter_errors(document)
    return sorted(f"{error.json_path}: {error.message}" for error in found)


def expected_name(kind: str, path: Path) -> str:
    if kind == "Package":
        return path.parent.parent.name
    return path.parent.name if kind in {"App", "Environment", "Tier"} else path.stem


DESCRIPTORS = [
    pytest.param(kind, path, id=str(path.relative_to(ROOT)))
    for kind, pattern in PATTERNS.items()
    for path in sorted(ROOT.glob(pattern))
]


def test_there_is_a_schema_for_each_kind() -> None:
    assert sorted(path.stem for path in SCHEMAS.glob("*.json")) == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_valid_and_so_are_its_examples(kind: str) -> None:
    document = schema(kind)
    Draft202012Validator.check_schema(document)
    assert document["examples"]
    for example in document["examples"]:
        assert problems(kind, example) == []


def properties_without(needed: str, node: object, place: str = "$") -> list[str]:
    """The places of properties that lack a keyword; references and conditions carry theirs elsewhere."""
    if isinstance(node, list):
        return [
            p for i, v in enumerate(node) for p in properties_without(needed, v, f"{place}[{i}]")
        ]
    if not isinstance(node, dict):
        return []
    missing = []
    for key, value in node.items():
        if key == "properties":
            for name, field in value.items():
                below = f"{place}.{key}.{name}"
                missing += [below] if needed not in field and "$ref" not in field else []
                missing += properties_without(needed, field, below)
        elif key not in {"if", "then", "else", "examples"}:
            missing += properties_without(needed, value, f"{place}.{key}")
    return missing


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind: str) -> None:
    document = schema(kind)
    narrowed = {"$.properties.metadata.properties.name"}  # described in the definition it narrows
    assert set(properties_without("description", document)) - narrowed == set()


def open_objects(node: object, place: str = "$") -> list[str]:
    """The places of objects with listed fields that let unknown ones in."""
    if isinstance(node, list):
        return [p for i, v in enumerate(node) for p in open_objects(v, f"{place}[{i}]")]
    if not isinstance(node, dict):
        return []
    here = node.get("type") == "object" and "properties" in node
    found = [place] if here and node.get("additionalProperties") is not False else []
    return found + [p for key, value in node.items() for p in open_objects(value, f"{place}.{key}")]


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_fields_are_refused(kind: str) -> None:
    assert open_objects(schema(kind)) == []
    example = schema(kind)["examples"][0]
    assert problems(kind, {**example, "surprise": 1}) != []
    assert problems(kind, {**example, "spec": {**example["spec"], "surprise": 1}}) != []


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("Package", "version", "1.4"),
        ("Package", "version", "1.4.2-RC.1"),
        ("Package", "version", "v1.4.2"),
        ("Package", "version", "01.4.2"),
        ("Package", "version", "1.4.2-a.lock"),
        ("Package", "version", "1.4.2\n"),
        ("Package", "path", "../base"),
        ("Package", "path", "/base"),
        ("Package", "path", "base/../../other"),
        ("Package", "renderer", "jsonnet"),
        ("Package", "namespace", {"name": "Shop"}),
        ("Package", "fits", {"kubernetes": "~1.29"}),
        ("Package", "fits", {"os": ["plan9"]}),
        ("Package", "delivery", {"timeout": "5 minutes"}),
        ("Package", "delivery", {"prune": {"Secret": "forget"}}),
        ("Package", "values", {"bind": [{"name": "cluster_name", "type": "string"}]}),
        ("Package", "values", {"bind": [{"name": "n", "type": "integer", "default": "3"}]}),
        ("Package", "images", [{"name": "a", "reference": "a:1", "digest": "sha256:12"}]),
        ("Environment", "rollout", {"minReady": "0"}),
        ("Environment", "rollout", {"maxUnavailable": "0%"}),
        ("Environment", "rollout", {"waves": [{"name": "rest"}]}),
        ("Environment", "verify", {"floor": 0}),
        ("Environment", "verify", {"accept": ["anything"]}),
        ("Environment", "standbyFor", "prd"),
        ("Cluster", "kubernetes", 1.33),
        ("Cluster", "tier", "huge"),
        ("Cluster", "domain", "Example.com"),
        ("Cluster", "properties", {"cluster_name": "other"}),
        ("Cluster", "lifecycle", {"kind": "temporary"}),
        ("Cluster", "taints", [{"key": "a", "effect": "NoExecute"}]),
        ("Cluster", "delivery", {"mode": "push", "flavour": "k3s"}),
        ("Cluster", "delivery", {"mode": "push", "connection": "https://me:secret@api"}),
        ("Installation", "patches", [{"path": "/etc/patch.yaml", "target": {"kind": "Service"}}]),
        ("Installation", "app", "all"),
        ("Pipeline", "environments", []),
        ("Roles", "roles", [{"name": "a", "principals": ["a b"], "may": ["promote"]}]),
        ("Roles", "roles", [{"name": "a", "principals": ["a"], "may": ["sudo"]}]),
    ],
)
def test_bad_values_are_refused(kind: str, field: str, value: object) -> None:
    example = schema(kind)["examples"][0]
    assert problems(kind, {**example, "spec": {**example["spec"], field: value}}) != []


@pytest.mark.parametrize(
    ("gate", "severity", "params", "valid"),
    [
        ("signature", "enforce", {}, True),
        ("signature", "warn", {}, False),
        ("schemas", "off", {}, False),
        ("blast-radius", "off", {}, True),
        ("blast-radius", "enforce", {"maxPrunedObjects": 0, "protectedKinds": ["Secret"]}, True),
        ("blast-radius", "enforce", {"maxPrunedObjects": -1}, False),
        ("blast-radius", "enforce", {"maxPruned": 1}, False),
        ("predecessors", "enforce", {"require": "any", "parity": False}, True),
        ("predecessors", "enforce", {"require": "some"}, False),
        ("soak", "warn", {"duration": "24h", "require": "any"}, True),
        ("soak", "enforce", {}, False),
        ("soak", "enforce", {"duration": 24}, False),
        ("fit", "enforce", {"maxUsePercent": 80}, True),
        ("fit", "enforce", {"maxUsePercent": 0}, False),
        ("windows", "warn", {}, True),
        ("windows", "enforce", {"anything": 1}, False),
        ("not-known-yet", "enforce", {"anything": 1}, True),  # refused later, by the policy room
    ],
)
def test_gates_take_their_own_parameters(
    gate: str, severity: str, params: dict[str, Any], *, valid: bool
) -> None:
    document = schema("Gate")["examples"][0]
    spec = {"gate": gate, "environments": ["*"], "severity": severity, "params": params}
    assert (problems("Gate", {**document, "spec": spec}) == []) is valid


@pytest.mark.parametrize(("kind", "path"), DESCRIPTORS)
def test_a_descriptor_follows_its_schema(kind: str, path: Path) -> None:
    document = read(path)
    assert document["kind"] == kind
    assert problems(kind, document) == []


@pytest.mark.parametrize(("kind", "path"), DESCRIPTORS)
def test_a_name_is_the_one_in_the_path(kind: str, path: Path) -> None:
    document = read(path)
    assert document["metadata"]["name"] == expected_name(kind, path)
    if kind == "Package":
        assert document["spec"]["version"] == path.parent.name


def test_the_sample_is_as_large_as_it_should_be() -> None:
    count = {kind: len(list(ROOT.glob(pattern))) for kind, pattern in PATTERNS.items()}
    assert count["App"] >= 6
    assert count["Cluster"] >= 14
    assert count["Environment"] == 5
    assert count["Tier"] == 3
    for app in ROOT.glob("catalog/*/app.yaml"):
        assert len(list(app.parent.glob("*/package.yaml"))) >= 2
        assert (app.parent / "README.md").is_file()
        assert (app.parent / "icon.svg").is_file()
