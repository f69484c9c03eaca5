"""Schemas: every kind has one, errors say what to do, and a bad file cannot take long."""

from __future__ import annotations

import pytest

from distributor.catalog.documents import Document, read
from distributor.catalog.durations import seconds
from distributor.catalog.schema import KINDS, check, compiled, schema

HEAD = "apiVersion: distributor.dev/v1alpha1\n"
CLUSTER = HEAD + "kind: Cluster\nmetadata: {name: one}\nspec:\n  tier: edge\n  kubernetes: '1.33'\n"
DELIVERY = "  delivery: {mode: push, connection: a}\n"


def found(text: str, kind: str = "Cluster"):
    document = read(text.encode(), "f.yaml")
    assert isinstance(document, Document), document
    return [(f.code, f.where.line, f.message.partition(". ")[2]) for f in check(document, kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_schema_whose_examples_fit(kind):
    definition = schema(kind)
    assert definition["properties"]["kind"]["const"] == kind
    assert definition["examples"]
    for example in definition["examples"]:
        assert check(Document(file="f", data=example, text=""), kind) == ()


def test_there_is_no_schema_of_another_kind():
    with pytest.raises(KeyError):
        schema("../App")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  dilivery: {mode: push}\n", [
            (4, "`delivery` is missing in spec."), (7, "`dilivery` is not known here. Did you mean `delivery`?"),
        ]),
        (DELIVERY + "  zzzz: 1\n", [(8, "`zzzz` is not known here.")]),
        (DELIVERY + "  region: North\n", [
            (8, 'spec.region is "North". Expected: An RFC 1123 label: lower case letters, digits and hyphens, at most 63 characters.'),
        ]),
        (DELIVERY + "  nodes: [{role: boss, count: 1}]\n", [
            (8, 'spec.nodes[0].role is "boss"; there are bootstrap, master, infra, worker.'),
        ]),
        (DELIVERY + "  nodes:\n    - {role: worker, count: 1, cpu: a lot}\n", [
            (9, 'spec.nodes[0].cpu is "a lot". Expected: A quantity as Kubernetes writes it: a whole number, or a string with an optional unit.'),
        ]),
        (DELIVERY + "  labels: {'a b': x}\n", [(8, 'spec.labels has the key "a b", which is not allowed there.')]),
        (DELIVERY + "  properties: {cluster_name: x}\n", [
            (8, 'spec.properties has the key "cluster_name", which is not allowed there.'),
        ]),
    ],
)  # fmt: skip
def test_messages(text, expected):
    assert [(line, message) for _, line, message in found(CLUSTER + text)] == expected


def test_alternatives_are_told_apart_by_type():
    text = HEAD + "kind: App\nmetadata: {name: a}\nspec:\n  summary: s\n  owner: o\n"
    (only,) = found(text + "  displayName: {en: A, fr: B}\n", "App")
    assert only == ("DST102", 7, "`fr` is not known here.")
    (only,) = found(text + "  displayName: ''\n", "App")
    assert only[:2] == ("DST103", 7)


def test_one_wrong_kind_is_one_finding():
    assert len(found(HEAD + "kind: App\nbogus: 1\n")) == 1
    assert [f[0] for f in found("apiVersion: distributor.dev/v2\nkind: Cluster\n")] == ["DST116"]


def test_findings_of_one_file_are_limited_and_quick():
    many = CLUSTER + DELIVERY + "".join(f"  b{n}: 1\n" for n in range(20_000))
    assert len(found(many)) == 100


def test_schemas_reach_nothing_outside():
    for reference in ("http://127.0.0.1:9/x", "file:///etc/passwd", "other.json"):
        with pytest.raises(ValueError, match=r".+"):
            compiled({"$ref": reference})


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("0s", 0), ("1h1m1s", 3661)]
)
def test_durations(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "5 m", "1.5h", "-5s", "5s5m", "5M", "\u0665s"])
def test_durations_that_are_none(text):
    with pytest.raises(ValueError, match="duration"):
        seconds(text)
