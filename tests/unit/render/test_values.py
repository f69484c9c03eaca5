"""Values: merging, the package's schema, and variables with the order of their sources."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.errors.catalog import BadValues
from distributor.errors.render import BadVariable
from distributor.model.package import BindVariable
from distributor.render import Variables, check_values, instance_values, variables
from distributor.render.values import merged, require_values
from distributor.render.variables import typed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)
MAPS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


@pytest.mark.parametrize(
    ("layers", "result"),
    [
        (({},), {}),
        (({"a": 1}, {"a": 2, "b": 3}), {"a": 2, "b": 3}),
        (({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}), {"a": {"x": 1, "y": 3}}),
        (({"a": [1, 2]}, {"a": [3]}), {"a": [3]}),
        (({"a": {"x": 1}}, {"a": None}), {"a": None}),
        (({"a": 1}, {"a": {"x": 1}}), {"a": {"x": 1}}),
    ],
)
def test_merge(layers, result):
    assert merged(*layers) == result


@settings(deadline=None)
@given(MAPS, MAPS, MAPS)
def test_merge_laws(a, b, c):
    assert merged(a, {}) == a == merged({}, a) == merged(a, a)
    assert merged(merged(a, b), c) == merged(a, b, c)
    assert set(merged(a, b)) == set(a) | set(b)


def test_layers_of_values(make):
    package = make.package(defaults={"a": 1, "b": {"x": 1}, "c": 1})
    environment = make.environment(defaults={"shop": {"b": {"y": 2}, "c": 2}, "web": {"a": 9}})
    installation = make.installation(values={"c": 3})
    values = instance_values(package, installation, environment)
    assert values == {"a": 1, "b": {"x": 1, "y": 2}, "c": 3}


SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "replicas": {"type": "integer", "maximum": 5},
        "nested": {"properties": {"list": {"items": {"type": "string"}}}},
    },
}


def test_every_wrong_value_is_a_finding_with_its_field(make):
    found = check_values(
        make.package(schema=SCHEMA), {"replicas": 9, "nested": {"list": ["a", 2]}, "x": 1}, "f.yaml"
    )
    fields = {f.where.field for f in found}
    assert fields == {"spec.values", "spec.values.replicas", "spec.values.nested.list.1"}
    assert {f.code for f in found} == {"DST114"}
    assert {f.where.file for f in found} == {"f.yaml"}


def test_the_error_names_all_of_them(make):
    with pytest.raises(BadValues) as caught:
        require_values(make.package(schema=SCHEMA), {"replicas": 9, "x": 1}, "f.yaml")
    assert "spec.values.replicas" in str(caught.value)
    assert "'x'" in str(caught.value)
    assert caught.value.where.file == "f.yaml"


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://example.com/schema.json"},
        {"properties": {"a": {"$ref": "file:///etc/hostname"}}},
        {"$ref": "#/nowhere"},
        {"type": "nonsense"},
        {"properties": {"a": {"pattern": "("}}},
        {"properties": {"a": {"const": object()}}},
    ],
)
def test_a_schema_that_is_broken_or_not_complete_in_itself_is_a_finding(make, schema):
    (finding,) = check_values(make.package(schema=schema), {"a": "b"}, "f.yaml")
    assert finding.code == "DST103"
    assert finding.where.field == "spec.values.schema"


def test_values_that_are_no_json(make):
    with pytest.raises(BadValues):
        require_values(make.package(), {"a": object()}, "f.yaml")


@pytest.mark.parametrize(
    ("value", "kind", "result"),
    [
        ("a", "string", "a"),
        (1, "string", None),
        (True, "string", None),
        (3, "integer", 3),
        ("3", "integer", 3),
        ("-3", "integer", -3),
        ("3.5", "integer", None),
        (3.0, "integer", None),
        (True, "integer", None),
        (2**63, "integer", None),
        ("9" * 40, "integer", None),
        (3, "number", 3),
        ("2.5", "number", 2.5),
        ("1e3", "number", 1000.0),
        (float("nan"), "number", None),
        (float("inf"), "number", None),
        ("nan", "number", None),
        (False, "boolean", False),
        ("true", "boolean", True),
        ("yes", "boolean", None),
        (1, "boolean", None),
        ({}, "string", None),
        ([], "boolean", None),
    ],
)
def test_types(value, kind, result):
    assert typed(value, kind) == result
    assert type(typed(value, kind)) is type(result)


BIND = (
    BindVariable(name="replicas", type="integer", default=1),
    BindVariable(name="zone"),
    BindVariable(name="debug", type="boolean", default=False),
)


def test_sources_in_their_order(make):
    package = make.package(bind=BIND, defaults={"replicas": 2, "cluster_name": "no"})
    environment = make.environment(defaults={"shop": {"replicas": 3}})
    installation = make.installation(values={"replicas": 4})
    cluster = make.cluster(region="eu", labels={"a.b/c-d": "x"})

    def bound(**parts: object) -> dict[str, object]:
        given = {"package": package, "installation": installation, "environment": environment}
        return dict(variables(**{"cluster": cluster, **given, **parts}))

    assert bound() == {
        "replicas": 4,
        "debug": False,
        "cluster_name": "c1",
        "cluster_tier": "slim",
        "cluster_env": "uat",
        "cluster_region": "eu",
        "cluster_label_a_b_c_d": "x",
    }
    assert bound(installation=make.installation())["replicas"] == 3
    assert bound(installation=make.installation(), environment=make.environment())["replicas"] == 2
    own = make.cluster(properties={"replicas": "7", "zone": "z", "unlisted": "u"})
    assert bound(cluster=own)["replicas"] == 7
    assert bound(cluster=own)["zone"] == "z"
    assert "unlisted" not in bound(cluster=own)


def test_labels_that_become_the_same_name_give_none(make):
    cluster = make.cluster(labels={"a.b": "1", "a-b": "2", "c": "3"})
    found = variables(make.package(), make.installation(), make.environment(), cluster)
    assert {k: v for k, v in found.items() if "label" in k} == {"cluster_label_c": "3"}


def test_values_that_do_not_fit_are_told_at_once_with_their_file(make):
    package = make.package(bind=BIND)
    wrong = make.installation(values={"replicas": "many", "debug": 3})
    with pytest.raises(BadVariable, match=r"replicas is 'many'.*debug is 3") as caught:
        Variables(package, wrong, make.environment())
    assert caught.value.where.file == "environments/uat/apps/shop.yaml"
    cluster = make.cluster(properties={"replicas": True, "zone": 4})
    with pytest.raises(BadVariable, match=r"replicas is True.*zone is 4") as caught:
        Variables(package, make.installation(), make.environment()).of(cluster)
    assert caught.value.where.file == "environments/uat/clusters/c1.yaml"
