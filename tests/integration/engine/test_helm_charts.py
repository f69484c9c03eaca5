"""Charts inside kustomizations: rendered in the worker, which starts no program.

The expected objects are those of `kubectl kustomize --enable-helm` 1.37.1 with Helm 4.3.0.
"""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import pytest

from distributor.errors import DistributorError
from distributor.errors.render import (
    BadManifest,
    ImpureTemplate,
    NoKustomization,
    OutsideTree,
    RemoteBase,
    RenderFailed,
    RenderTooLarge,
    TemplateFailed,
)
from tests.integration.engine.charts_in_kustomizations import (
    CASES,
    CHART,
    REFUSED,
    at,
    case,
    charts,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "charts-in-kustomizations"
DOUBLE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: a, x: b}\n"


@pytest.mark.parametrize("name", CASES)
async def test_charts_in_kustomizations_as_in_the_golden_files(kustomize, name):
    path = GOLDEN / f"{name}.json"
    found = await kustomize(CASES[name])
    if os.environ.get("DISTRIBUTOR_WRITE_GOLDEN"):
        path.write_bytes(b"\n".join(map(orjson.dumps, found)) + b"\n")
    assert found == [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("name", REFUSED)
async def test_what_kubectl_and_helm_refuse_too(kustomize, name):
    with pytest.raises(DistributorError) as caught:
        await kustomize(REFUSED[name])
    assert "panicked" not in str(caught.value)
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        (
            {"kustomization.yaml": "helmCharts: [{name: a, repo: 'https://example.org'}]"},
            RemoteBase,
            "vendor the chart into charts/a",
        ),
        (
            {"kustomization.yaml": "helmCharts: [{name: a, version: '1', repo: 'oci://x/y'}]"},
            RemoteBase,
            "vendor the chart into charts/a-1/a",
        ),
        ({"kustomization.yaml": "helmCharts: [{name: a}]"}, NoKustomization, "charts/a"),
        (charts(", valuesFile: 'https://example.org/v.yaml'"), RemoteBase, "valuesFile"),
        (
            charts(", additionalValuesFiles: ['https://example.org/v.yaml']"),
            RemoteBase,
            "additionalValuesFiles",
        ),
        (charts(", valuesFile: /etc/passwd"), OutsideTree, "absolute"),
        (charts("", "helmGlobals: {chartHome: /etc}\n"), OutsideTree, "absolute"),
        (charts("", "helmGlobals: {chartHome: ../..}\n"), OutsideTree, "outside"),
        ({**charts(""), "charts/web/templates/x.yaml": "{{ now }}"}, ImpureTemplate, "now"),
        (charts(", nameTemplate: '{{ randAlpha 5 | lower }}'"), ImpureTemplate, "randAlpha"),
        (charts(", nameTemplate: '{{ env \"HOME\" }}'"), ImpureTemplate, "env"),
        (charts(", nameTemplate: '{{ nonsense }}'"), TemplateFailed, "nonsense"),
        ({**charts(""), "charts/web/templates/x.yaml": DOUBLE}, BadManifest, "twice"),
        ({**charts(""), "charts/web/values.yaml": "a: 1\na: 2\n"}, BadManifest, "twice"),
        ({**charts(", valuesFile: v.yaml"), "v.yaml": "a: [*x]"}, BadManifest, "anchor"),
        (
            {**charts(""), "charts/web/Chart.yaml": "apiVersion: v3\nname: web\nversion: 1.0.0\n"},
            RenderFailed,
            "v3",
        ),
    ],
)
async def test_what_the_engine_refuses(kustomize, files, error, words):
    with pytest.raises(error, match=words):
        await kustomize(files)


async def test_the_limits_of_a_chart_hold(make_pool, job):
    pool = make_pool(max_output=2000)
    files = {**charts(""), "charts/web/templates/x.yaml": '{{ repeat 3000 "#" }}'}
    with pytest.raises(RenderTooLarge, match="templates write"):
        await pool.render(job("kustomize", files))


async def test_a_layer_can_hold_a_chart(kustomize):
    files = {
        **CASES["component"],
        "base/kustomization.yaml": "resources: [service.yaml]",
        "base/service.yaml": CASES["component"]["service.yaml"],
    }
    objects = await kustomize(files, "base", layers=("part",))
    assert objects == await kustomize(CASES["component"])


async def test_jobs_do_not_see_each_others_charts(kustomize):
    first = await kustomize(charts(", skipHooks: true"))
    other = case("helmCharts: [{name: web, skipHooks: true}]\n")
    other |= at("charts") | {"charts/web/values.yaml": CHART["values.yaml"] + "extra: 1\n"}
    assert await kustomize(other) != first
    assert await kustomize(charts(", skipHooks: true")) == first
