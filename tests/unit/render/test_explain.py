"""Explain: which layer set a field."""

from __future__ import annotations

import pytest

from distributor.errors.catalog import UnknownReference
from distributor.model.refs import ObjectRef
from distributor.model.rendering import RenderJob
from distributor.render import Origin, bind, explain, prefixes, render_input
from distributor.render.explain import parse_path

WEB = ObjectRef("apps", "Deployment", "shop", "web")


@pytest.fixture
def cell_and_job(make):
    package = make.package(env_components=frozenset({"uat"}), tier_components=frozenset({"slim"}))
    installation = make.installation(patches=({"patch": "x"},))
    cell = render_input(make.catalog(), package, installation, make.files(), make.cluster())
    files = {
        "package/base/web.yaml": b"name: web\nreplicas: 1\nhost: ${cluster_name}",
        "package/base/other.yaml": b"name: other\nreplicas: 1",
        "package/env/uat/kustomization.yaml": b"patches: []",
        "package/tier/slim/web.yaml": b"name: web",
        "package/tier/slim/kustomization.yaml": b"",
    }
    job = RenderJob(
        renderer=package.renderer, files=files, path="package/base",
        layers=("package/env/uat", "package/tier/slim"), patches=b'[{"patch":"x"}]',
    )  # fmt: skip
    return cell, job


def test_prefixes_add_one_layer_at_a_time(cell_and_job):
    cell, job = cell_and_job
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
    ("path", "origin"),
    [
        ("spec.replicas", Origin(
            layer="environments/uat/apps/shop.yaml",
            files=("environments/uat/apps/shop.yaml",), value=4)),
        ("spec.image", Origin(
            layer="catalog/shop/1.4.2/env/uat",
            files=("catalog/shop/1.4.2/env/uat/kustomization.yaml",), value="b")),
        ("kind", Origin(
            layer="catalog/shop/1.4.2/base",
            files=(), value="Deployment")),
        ("spec.gone", Origin(
            layer="catalog/shop/1.4.2/tier/slim",
            files=("catalog/shop/1.4.2/tier/slim/kustomization.yaml",), value=None)),
        ("spec.host", Origin(
            layer="late binding", files=("catalog/shop/1.4.2/base/web.yaml",), value="c1")),
        ('spec.list[1]["a.b"]', Origin(
            layer="catalog/shop/1.4.2/base", files=(), value=2)),
    ],
)  # fmt: skip
def test_the_last_layer_that_changed_a_field_set_it(make, cell_and_job, path, origin):
    cell, job = cell_and_job
    steps = [
        {"replicas": 1, "image": "a", "gone": 1},
        {"replicas": 2, "image": "b", "gone": 1},
        {"replicas": 3, "image": "b"},
        {"replicas": 4, "image": "b"},
    ]
    same = {"host": "${cluster_name}", "list": [{}, {"a.b": 2}]}
    sets = [make.set(make.manifest("Deployment", "web", spec={**same, **s})) for s in steps]
    renders = [(layer, j, s) for (layer, j), s in zip(prefixes(cell, job), sets, strict=True)]
    bound = bind(sets[-1], {"cluster_name": "c1"})
    found = explain(renders, bound, WEB, path)
    assert found == origin


def test_what_is_in_no_layer(make, cell_and_job):
    cell, job = cell_and_job
    empty = make.set()
    renders = [(layer, j, empty) for layer, j in prefixes(cell, job)]
    with pytest.raises(UnknownReference, match="in no layer"):
        explain(renders, empty, WEB, "spec.replicas")


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
