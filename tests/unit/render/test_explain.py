"""Explain as a search: what it asks to have rendered, and what it makes of the answers."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from distributor.errors.catalog import UnknownReference
from distributor.model.refs import ObjectRef
from distributor.model.rendering import RenderJob
from distributor.render import Question, explain, prefixes, render_input
from distributor.render.explain import parse_path
from distributor.render.kustomizations import Entry, Kustomization
from distributor.render.tracing import ABSENT, FAILED, Probe, in_kustomization, same

WEB = ObjectRef("apps", "Deployment", "shop", "web")


@pytest.fixture
def asked(make):
    package = make.package(env_components=frozenset({"uat"}), tier_components=frozenset({"slim"}))
    installation = make.installation(patches=({"patch": "x"},))
    cell = render_input(make.catalog(), package, installation, make.files(), make.cluster())
    files = {
        "package/base/kustomization.yaml": b"resources: [web.yaml]",
        "package/base/web.yaml": b"name: web",
        "package/env/uat/kustomization.yaml": b"patches: [{path: one.yaml}]",
        "package/tier/slim/kustomization.yaml": b"patches: [{patch: a}, {patch: b}]",
    }
    job = RenderJob(
        renderer=package.renderer, files=files, path="package/base",
        layers=("package/env/uat", "package/tier/slim"), patches=b'[{"patch":"x"}]',
    )  # fmt: skip
    return Question(
        cell=cell, job=job, package=package, installation=installation,
        environment=make.environment(), cluster=make.cluster(),
    )  # fmt: skip


def web(**spec):
    metadata = {"name": "web", "namespace": "shop"}
    return orjson.dumps(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    )


class Engine:
    """Answers as an engine whose every patch adds one to the replicas; counts what it is asked."""

    def __init__(self, *, fails=()):
        self.asked = 0
        self._fails = fails

    def render(self, job):
        self.asked += 1
        if self.asked in self._fails:
            return None
        count = len(orjson.loads(job.patches))
        for folder in (job.path, *job.layers):
            found = Kustomization.read(job.files, folder)
            entries = found.entries if found is not None else ()
            if folder == job.path and not entries:
                return None
            count += len(entries)
        return (web(replicas=count, same=1),)

    def run(self, search):
        answer = None
        while True:
            try:
                job = search.send(answer)
            except StopIteration as done:
                return done.value
            answer = self.render(job)


def test_prefixes_add_one_layer_at_a_time(asked):
    cell, job = asked.cell, asked.job
    found = prefixes(cell, job)
    assert [layer.label for layer, _ in found] == [layer.label for layer in cell.layers]
    assert [(j.layers, j.patches) for _, j in found] == [
        ((), b"[]"),
        (("package/env/uat",), b"[]"),
        (("package/env/uat", "package/tier/slim"), b"[]"),
        (job.layers, job.patches),
    ]
    assert found[-1][1] == job


@pytest.mark.parametrize(
    ("patches", "layers", "origin"),
    [
        (b'[{"patch":"x"}]', 2, ("environments/uat/apps/shop.yaml", "environments/uat/apps/shop.yaml", "spec.patches[0]")),
        (b"[]", 2, ("catalog/shop/1.4.2/tier/slim", "catalog/shop/1.4.2/tier/slim/kustomization.yaml", "patches[1]")),
        (b"[]", 1, ("catalog/shop/1.4.2/env/uat", "catalog/shop/1.4.2/env/uat/kustomization.yaml", "patches[0]")),
        (b"[]", 0, ("catalog/shop/1.4.2/base", "catalog/shop/1.4.2/base/web.yaml", "")),
    ],
)  # fmt: skip
def test_the_last_that_changed_the_field_set_it(asked, patches, layers, origin):
    job = replace(asked.job, patches=patches, layers=asked.job.layers[:layers])
    used = asked.cell.layers[: layers + 1] + ((asked.cell.layers[-1],) if patches != b"[]" else ())
    question = replace(asked, job=job, cell=replace(asked.cell, layers=used))
    engine = Engine()
    found = engine.run(explain(question, engine.render(job), WEB, "spec.replicas"))
    assert (found.layer, *found.files, *found.places) == origin
    constant = engine.run(explain(question, engine.render(job), WEB, "spec.same"))
    assert (constant.layer, constant.files) == (
        "catalog/shop/1.4.2/base",
        ("catalog/shop/1.4.2/base/web.yaml",),
    )


def test_a_part_that_does_not_render_is_no_value(asked):
    """The second layer's own render fails: it set nothing that anybody could see."""
    engine = Engine(fails={3})
    objects = engine.render(asked.job)
    found = engine.run(explain(asked, objects, WEB, "spec.replicas"))
    assert found.layer == "environments/uat/apps/shop.yaml"


@pytest.mark.parametrize("path", ["spec.none", "spec.replicas.x", "status"])
def test_what_is_in_no_layer(asked, path):
    engine = Engine()
    with pytest.raises(UnknownReference, match="in no layer"):
        engine.run(explain(asked, engine.render(asked.job), WEB, path))
    other = ObjectRef("apps", "Deployment", "shop", "other")
    with pytest.raises(UnknownReference, match=r"in no layer.*apps/Deployment/shop/web"):
        engine.run(explain(asked, engine.render(asked.job), other, "kind"))


def test_an_object_of_any_group_may_be_meant(asked):
    engine = Engine()
    ref = ObjectRef("", "Deployment", "shop", "web")
    assert engine.run(explain(asked, engine.render(asked.job), ref, "kind")).value == "Deployment"


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", ("a",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ('metadata.labels["x.io/y"]', ("metadata", "labels", "x.io/y")),
        ("a-b.c_d", ("a-b", "c_d")),
    ],
)
def test_paths(path, steps):
    assert parse_path(path) == steps


@pytest.mark.parametrize("path", ["", ".", "a..b", "a.", "a[", "a[x]", "[", ".a"])
def test_paths_that_are_none(path):
    with pytest.raises(UnknownReference):
        parse_path(path)


KUSTOMIZATION = b"""
namespace: n
vars: [{name: X}]
images: [{name: a, newTag: 1.10}]
patches: [{path: p.yaml}, {patch: "a: b"}]
components: [../c]
resources: [a.yaml, b]
commonLabels: {on: yes, day: 2026-01-01, sure: true}
generatorOptions: {disableNameSuffixHash: true}
"""


def test_the_entries_of_a_kustomization_stand_in_the_order_of_their_doing():
    found = Kustomization.read({"x/kustomization.yml": KUSTOMIZATION}, "x")
    assert [e.place for e in found.entries] == [
        "resources[0]", "resources[1]", "components[0]", "patches[0]", "patches[1]",
        "commonLabels", "images[0]", "vars[0]",
    ]  # fmt: skip
    assert [e.path() for e in found.entries][:5] == ["a.yaml", "b", "../c", "p.yaml", ""]
    assert found.naming == ("namespace",)
    assert found.inside("../c") == "c"
    assert found.inside("./b") == "x/b"
    two = orjson.loads(found.with_entries(found.entries[:2]))
    assert two == {
        "namespace": "n", "resources": ["a.yaml", "b"],
        "generatorOptions": {"disableNameSuffixHash": True},
    }  # fmt: skip
    all_of_it = orjson.loads(found.with_entries(found.entries, without="namespace"))
    assert "namespace" not in all_of_it
    assert all_of_it["commonLabels"] == {"on": "yes", "day": "2026-01-01", "sure": True}


@pytest.mark.parametrize("data", [b"", b"a: [", b"[]", b"\xff\xfe\x00"])
def test_a_kustomization_that_cannot_be_read(data):
    assert Kustomization.read({"x/kustomization.yaml": data}, "x") is None
    assert Kustomization.read({}, "x") is None


def test_where_the_kustomization_cannot_be_taken_apart_only_it_is_named(asked):
    """Written anew it gives another value: nothing more is claimed."""
    probe = Probe(ref=WEB, steps=("spec", "replicas"))
    search = in_kustomization(asked.job, "package/base", probe, 1)
    next(search)
    with pytest.raises(StopIteration) as done:
        search.send((web(replicas=7),))
    assert [(s.file, s.place) for s in done.value.value] == [
        ("package/base/kustomization.yaml", "")
    ]


@pytest.mark.parametrize(
    ("item", "path"),
    [("a.yaml", "a.yaml"), ("a: b", ""), ("a\nb", ""), ({"path": "p"}, "p"), ({"patch": "x"}, ""), (3, ""), ({"path": 3}, "")],
)  # fmt: skip
def test_what_an_entry_names(item, path):
    assert Entry(key="patches", index=0, item=item).path() == path


def test_values_are_compared_as_json():
    assert same({"a": 1, "b": [None]}, {"b": [None], "a": 1})
    assert not same(1, True)
    assert not same(ABSENT, None)
    assert not same(FAILED, ABSENT)
    assert same(ABSENT, ABSENT)
