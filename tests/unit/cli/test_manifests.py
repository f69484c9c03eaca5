"""Objects as text: every parser reads the same back, and the order is that of an apply."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from distributor.adapters.workspace.documents import _yaml
from distributor.cli.manifests import as_yaml, in_order, ref_of, show
from distributor.cli.output import Form
from distributor.model.refs import ObjectRef

TEXTS = ["yes", "no", "on", "y", "n", "null", "~", "", "1e3", "0x1F", "0o17", "017", "1_000", "1:30",
         "2020-01-01", ".5", "-1", "+1", "=", "<<", "true", "a: b", "# c", "a\nb\n", "a\nb", " x ", "\t",
         "- a", "*a", "&a", "!a", "%a", "@a", "`a", "é☃", "a\u2028b", "'", '"', "{a}", "[a]"]  # fmt: skip


def obj(kind, name, namespace="", api="v1"):
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api, "kind": kind, "metadata": metadata}


def both(text, tmp_path):
    """What YAML 1.1 as Python has it, and as Kubernetes' tools have it, read."""
    return list(yaml.safe_load_all(text)), _yaml(text, tmp_path)


def test_doubtful_texts_come_back_as_texts(tmp_path):
    made = [{"data": {text: text for text in TEXTS}}]
    for found in both(as_yaml(made), tmp_path):
        assert found == made


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcy01.-", min_size=1, max_size=5), inner, max_size=3),
        max_leaves=12,
    )
)  # fmt: skip
def test_any_value_comes_back(value):
    text = as_yaml([{"v": value}])
    assert list(yaml.safe_load_all(text)) == [{"v": value}]


def test_apply_order():
    given_order = [
        obj("Ingress", "a", "x", "networking.k8s.io/v1"),
        obj("Deployment", "b", "x", "apps/v1"),
        obj("Deployment", "a", "x", "apps/v1"),
        obj("Widget", "w", "x", "example.org/v1"),
        obj("Service", "a", "x"),
        obj("Namespace", "x"),
    ]
    kinds = [o["kind"] for o in in_order(given_order)]
    assert kinds == ["Namespace", "Service", "Deployment", "Deployment", "Ingress", "Widget"]
    assert in_order(given_order) == in_order(reversed(given_order))


def test_an_object_is_named_as_far_as_it_has_a_name():
    assert ref_of(obj("Job", "a", "n", "batch/v1")) == ObjectRef("batch", "Job", "n", "a")
    assert ref_of({"kind": "Pod", "metadata": {"generateName": "p-"}}).name == "p-"
    assert ref_of({}) == ObjectRef("", "", "", "")


def test_each_form(capsys):
    objects = [obj("ConfigMap", "a", "n")]
    show(objects, Form.TABLE)
    assert capsys.readouterr().out.split() == [
        "APIVERSION", "KIND", "NAMESPACE", "NAME", "v1", "ConfigMap", "n", "a",
    ]  # fmt: skip
    show(objects, Form.JSON)
    assert yaml.safe_load(capsys.readouterr().out) == objects
    show(objects, Form.YAML)
    assert capsys.readouterr().out.startswith("---\napiVersion: v1\n")
    show([], Form.YAML)
    assert capsys.readouterr().out == ""
