"""Late binding: the grammar as a table, whole objects, generated names, and what must stay literal."""

from __future__ import annotations

import base64
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.errors.render import BadManifest, BadVariable, DuplicateObject, UnboundVariable
from distributor.errors.secrets import PlaceholderForged, SecretMisplaced
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.package import BindVariable
from distributor.render import Binder, bind

DECLARED = (
    BindVariable(name="n", type="integer"),
    BindVariable(name="share", type="number"),
    BindVariable(name="on", type="boolean"),
    BindVariable(name="host"),
    BindVariable(name="unset"),
    BindVariable(name="none", type="integer"),
)
VALUES = {"n": 3, "share": 0.5, "on": True, "host": "h.example", "cluster_name": "c1"}


def bound_field(make, value: object) -> object:
    objects = make.set(make.manifest("Deployment", "web", spec={"field": value}))
    (only,) = bind(objects, VALUES, DECLARED)
    assert Manifest.of(only.data()) == only
    return only.data()["spec"]["field"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${n}", 3),
        ("${share}", 0.5),
        ("${on}", True),
        ("${host}", "h.example"),
        ("${cluster_name}", "c1"),
        ("x${n}", "x3"),
        ("${n}${n}", "33"),
        ("${on}/${share}", "true/0.5"),
        ("${unset:=fallback}", "fallback"),
        ("${unset:=}", ""),
        ("${host:=fallback}", "h.example"),
        ("${none:=7}", 7),
        ("a ${none:=7}", "a 7"),
        ("${cluster_region:=eu}", "eu"),
        ("${cluster_label_ring:=1}", "1"),
        ("$${n}", "${n}"),
        ("$${unset:=x}", "${unset:=x}"),
        ("$$${n}", "$${n}"),
        ("$${n} ${n}", "${n} 3"),
        ("${other}", "${other}"),
        ("$${other}", "$${other}"),
        ("${other:=x}", "${other:=x}"),
        ("${other:=${n}}", "${other:=3}"),
        ("${n", "${n"),
        ("$n", "$n"),
        ("${ n }", "${ n }"),
        ("${n:-1}", "${n:-1}"),
        ("${cluster_unknown}", "${cluster_unknown}"),
        ("$(n) {{n}}", "$(n) {{n}}"),
        ('q"\\ü\n${host}', 'q"\\ü\nh.example'),
    ],
)
def test_grammar(make, text, result):
    found = bound_field(make, text)
    assert found == result
    assert type(found) is type(result)
    assert bound_field(make, [{"deep": text}]) == [{"deep": result}]


def test_only_text_where_kubernetes_takes_only_text(make):
    pod = {
        "nodeSelector": {"size": "${n}"},
        "containers": [
            {
                "args": ["${n}"],
                "command": ["run", "${on}"],
                "env": [{"name": "N", "value": "${n}"}],
                "ports": [{"containerPort": "${n}"}],
                "value": "${n}",
            }
        ],
    }
    objects = make.set(
        make.manifest("ConfigMap", "c", data={"n": "${n}"}),
        make.manifest("Deployment", "w", metadata={"labels": {"n": "${n}"}}, spec=pod),
    )
    config, deployment = (
        m.data() for m in sorted(bind(objects, VALUES, DECLARED), key=lambda m: m.ref.kind)
    )
    assert config["data"] == {"n": "3"}
    assert deployment["metadata"]["labels"] == {"n": "3"}
    (container,) = deployment["spec"]["containers"]
    assert deployment["spec"]["nodeSelector"] == {"size": "3"}
    assert container["args"] == ["3"]
    assert container["command"] == ["run", "true"]
    assert container["env"] == [{"name": "N", "value": "3"}]
    assert container["ports"] == [{"containerPort": 3}]
    assert container["value"] == 3


def test_a_variable_without_a_value_names_object_and_field(make):
    objects = make.set(
        make.manifest("Deployment", "a", spec={"x": ["${unset}"], "y": "${n}"}),
        make.manifest("Service", "b", spec={"z": "${cluster_domain}/${unset}"}),
    )
    with pytest.raises(UnboundVariable) as caught:
        bind(objects, VALUES, DECLARED)
    text = str(caught.value)
    assert "unset in apps/Deployment/shop/a spec.x[0]" in text
    assert "cluster_domain in Service/shop/b spec.z" in text
    assert "unset in Service/shop/b spec.z" in text


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"x": "${n:=many}"}, "'many' of n is no integer"),
        ({"x": "${n:=${host}}"}, "default of n holds a brace"),
        ({"x": "${host:=a"}, "default of host holds a brace or does not end"),
        ({"${host}": 1}, "the key '${host}' holds a variable"),
    ],
)
def test_what_cannot_be_bound_is_refused_when_the_cell_is_read(make, spec, words):
    objects = make.set(make.manifest("Deployment", "a", spec=spec))
    with pytest.raises(BadVariable) as caught:
        Binder(objects, DECLARED)
    assert words in str(caught.value)
    assert "apps/Deployment/shop/a" in str(caught.value)


def test_fluxs_opt_out(make):
    mark = {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}
    objects = make.set(
        make.manifest("ConfigMap", "a", metadata={"annotations": mark}, data={"x": "${unset}"}),
        make.manifest("ConfigMap", "b", metadata={"labels": mark}, data={"x": "${host}"}),
        make.manifest("ConfigMap", "c", data={"x": "${host}"}),
    )
    texts = [m.data()["data"]["x"] for m in bind(objects, VALUES, DECLARED)]
    assert texts == ["${unset}", "${host}", "h.example"]


def test_objects_without_variables_are_shared(make):
    plain, varied = make.manifest("Service", "a"), make.manifest("Service", "b", spec={"x": "${n}"})
    binder = Binder(make.set(plain, varied), DECLARED)
    first, second = binder.bind(VALUES), binder.bind({**VALUES, "n": 4})
    assert first.manifests[0] is plain
    assert second.manifests[0] is plain
    assert first.manifests[1] != second.manifests[1]
    untouched = make.set(plain)
    assert bind(untouched, VALUES, DECLARED) is untouched


def test_names_and_namespaces_move_with_their_variables(make):
    objects = make.set(make.manifest("Service", "${cluster_name}-web", "ns-${n}"))
    (moved,) = bind(objects, VALUES, DECLARED)
    assert str(moved.ref) == "Service/ns-3/c1-web"
    clash = make.set(make.manifest("Service", "a${n}"), make.manifest("Service", "a3"))
    with pytest.raises(DuplicateObject, match="Service/shop/a3"):
        bind(clash, VALUES, DECLARED)


def test_a_generated_name_whose_data_was_bound_gets_a_second_hash(make):
    name = "config-6h2k9bm5t4"
    still = "fixed-6h2k9bm5t4"
    pod = {
        "volumes": [{"configMap": {"name": name}}, {"configMap": {"name": still}}],
        "containers": [{"image": "x", "envFrom": [{"configMapRef": {"name": name}}]}],
    }
    objects = make.set(
        make.manifest("ConfigMap", name, data={"host": "${host}", "same": "1"}),
        make.manifest("ConfigMap", still, metadata={"labels": {"on": "${host}"}}, data={"a": "b"}),
        make.manifest("ConfigMap", "plain", data={"host": "${host}"}),
        make.manifest("Deployment", "web", spec=pod),
    )
    binder = Binder(objects, DECLARED)
    first, again = binder.bind(VALUES), binder.bind({**VALUES, "n": 99})
    other = binder.bind({**VALUES, "host": "other"})
    assert first == again

    def names(bound: ManifestSet) -> list[str]:
        return [m.ref.name for m in bound if m.ref.kind == "ConfigMap"]

    new = next(n for n in names(first) if n.startswith("config-"))
    assert new.startswith(name + "-")
    assert len(new) == len(name) + 11
    assert still in names(first)
    assert "plain" in names(first)
    assert new not in names(other)
    spec = next(m.data() for m in first if m.ref.kind == "Deployment")["spec"]
    assert spec["volumes"][0]["configMap"]["name"] == new
    assert spec["volumes"][1]["configMap"]["name"] == still
    assert spec["containers"][0]["envFrom"][0]["configMapRef"]["name"] == new


def test_string_data_becomes_data_after_binding(make):
    objects = make.set(
        make.manifest(
            "Secret", "a", stringData={"k": "${host}", "old": "new"}, data={"old": "eA=="}
        ),
        make.manifest("Secret", "b", stringData={"k": "plain"}),
    )
    first, second = (m.data() for m in bind(objects, VALUES, DECLARED))
    assert "stringData" not in first
    assert {k: base64.b64decode(v) for k, v in first["data"].items()} == {
        "k": b"h.example",
        "old": b"new",
    }
    assert second["data"] == {"k": base64.b64encode(b"plain").decode()}
    with pytest.raises(BadManifest, match=r"stringData\.k"):
        bind(make.set(make.manifest("Secret", "a", stringData={"k": 1})), VALUES)


TEXTS = st.text(alphabet="${}:=nx " + string.ascii_lowercase[:3] + '"\\é', max_size=14)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), st.lists(TEXTS, max_size=3), min_size=1))
def test_without_a_declared_variable_nothing_changes(make, spec):
    objects = make.set(make.manifest("Deployment", "web", spec=spec))
    assert bind(objects, {"cluster_name": "c1"}) is objects


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=4), st.text(max_size=5))
def test_binding_equals_plain_replacement(make, texts, value):
    """Around text that holds no dollar, a use is replaced and the rest of the object is as it was."""
    parts = [t.replace("$", "") for t in texts]
    spec = {"list": [f"{p}${{host}}{p}" for p in parts], "other": parts}
    objects = make.set(make.manifest("Deployment", "web", spec=spec))
    (only,) = bind(objects, {"host": value}, DECLARED)
    assert only.data()["spec"] == {"list": [f"{p}{value}{p}" for p in parts], "other": parts}
    assert Manifest.of(only.data()) == only


def test_a_thousand_clusters_are_quick(make):
    pod = {"containers": [{"image": "x:1", "args": ["a" * 20] * 60}], "host": "${cluster_name}"}
    objects = [
        make.manifest("Deployment", f"d{n}", spec={"replicas": "${n}", "template": pod})
        for n in range(10)
    ]
    objects += [make.manifest("Service", f"s{n}", spec={"x": list(range(40))}) for n in range(20)]
    binder = Binder(make.set(*objects), DECLARED)
    began = time.process_time()
    digests = {binder.bind({"n": 2, "cluster_name": f"c{i}"}).digest for i in range(1000)}
    assert len(digests) == 1000
    assert time.process_time() - began < 3.0  # a tenth of a second where nothing else runs


ONE = "distributor-sops(package/db.sops.yaml#data/a@" + "a" * 40 + ")"
OTHER = ONE.replace("db", "other")


@pytest.mark.parametrize(
    ("data", "value", "expected"),
    [
        ({"stringData": {"a": f"{ONE} on ${{x}}"}}, "c1", None),
        ({"stringData": {"a": "${x}"}}, "plain", None),
        ({"stringData": {"a": "${x}"}}, ONE, PlaceholderForged),
        ({"stringData": {"a": ONE, "b": "${x}"}}, OTHER, PlaceholderForged),
        (
            {"stringData": {"a": "distributor${x}"}},
            OTHER.removeprefix("distributor"),
            PlaceholderForged,
        ),
        ({"data": {"a": "${x}"}}, base64.b64encode(OTHER.encode()).decode(), PlaceholderForged),
        ({"metadata": {"labels": {"a": "${x}"}}}, OTHER, SecretMisplaced),
    ],
)
def test_a_variable_makes_no_placeholder(make, data, value, expected):
    """Or the values of any encrypted file could be had by naming it in a cluster's properties."""
    manifests = make.set(make.manifest("Secret", "db", **data))
    binder = Binder(manifests, [BindVariable(name="x")])
    if expected is None:
        assert len(binder.bind({"x": value})) == 1
    else:
        with pytest.raises(expected):
            binder.bind({"x": value})
