"""Charts on the real engine: what `helm template` gives, and what is refused."""

from __future__ import annotations

import pytest

from distributor.errors.render import (
    BadManifest,
    ChartValuesInvalid,
    ImpureTemplate,
    NoKustomization,
    RenderFailed,
    TemplateFailed,
)

CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: '9'\n",
    "chart/values.yaml": "replicas: 1\nname: default\nsub: {text: parent}\n",
    "chart/values.schema.json": '{"type":"object","properties":{"replicas":{"type":"integer"}}}',
    "chart/crds/things.yaml": (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things}\n"
    ),
    "chart/templates/_help.tpl": '{{ define "web.name" }}{{ .Release.Name }}-{{ .Values.name }}{{ end }}',
    "chart/templates/NOTES.txt": "Enjoy: {{ .Release.Name }}",
    "chart/templates/a-deployment.yaml": (
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ include "web.name" . }}}\n'
        "spec: {replicas: {{ .Values.replicas }}}\n"
        "{{- if false }}\n---\nnothing: here\n{{- end }}\n"
    ),
    "chart/templates/b-service.yaml": (
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: {{ .Release.Namespace }}\n"
        "---\n# only a comment\n"
    ),
    "chart/templates/hook.yaml": (
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: up\n"
        "  annotations: {helm.sh/hook: pre-install}\n"
        "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: test\n"
        "  annotations: {helm.sh/hook: test}\n"
    ),
    "chart/charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
    "chart/charts/sub/values.yaml": "text: own\n",
    "chart/charts/sub/templates/c.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sub}\ndata: {text: {{ .Values.text }}}\n"
    ),
}


def template(text: str) -> dict[str, str]:
    return {
        "chart/Chart.yaml": CHART["chart/Chart.yaml"],
        "chart/templates/a.yaml": f"apiVersion: v1\nkind: A\nmetadata: {{name: a}}\nx: {text}\n",
    }


async def test_objects_come_in_the_order_of_helm_and_hooks_last(helm):
    objects = await helm(CHART)
    assert [item["kind"] for item in objects] == [
        "ConfigMap",
        "Service",
        "Deployment",
        "Pod",
        "Job",
    ]
    assert objects[0]["data"] == {"text": "parent"}
    assert objects[1]["metadata"]["namespace"] == "shop"
    assert objects[2] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web-default"},
        "spec": {"replicas": 1},
    }


async def test_crds_come_first_when_asked_for(helm):
    objects = await helm(CHART, include_crds=True)
    assert objects[0]["kind"] == "CustomResourceDefinition"
    assert len(objects) == 6


async def test_values_lie_over_defaults(helm):
    values = {"replicas": 3, "name": "given", "sub": {"text": "given"}}
    objects = await helm(CHART, values=values, release_name="shop")
    assert objects[0]["data"] == {"text": "given"}
    assert objects[2]["metadata"]["name"] == "shop-given"
    assert objects[2]["spec"]["replicas"] == 3


async def test_layers_and_patches_lie_over_a_chart(helm):
    component = (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        "replicas: [{name: web-default, count: 8}]\n"
    )
    patch = {
        "target": {"kind": "Service"},
        "patch": "- {op: add, path: /spec, value: {type: NodePort}}",
    }
    files = {**CHART, "env/uat/kustomization.yaml": component}
    objects = await helm(files, layers=("env/uat",), patches=[patch])
    by_kind = {item["kind"]: item for item in objects}
    assert by_kind["Deployment"]["spec"]["replicas"] == 8
    assert by_kind["Service"]["spec"] == {"type": "NodePort"}
    assert len(objects) == 5


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("{{ .Capabilities.KubeVersion.Version }}", {"kube_version": "1.29.4"}, "v1.29.4"),
        ("{{ .Capabilities.KubeVersion.Minor | quote }}", {"kube_version": "v1.31"}, "31"),
        ('{{ .Capabilities.APIVersions.Has "x.org/v1" }}', {"api_versions": ("x.org/v1",)}, True),
        ('{{ .Capabilities.APIVersions.Has "x.org/v1" }}', {}, False),
        ('{{ .Capabilities.APIVersions.Has "apps/v1" }}', {}, True),
        ("{{ .Release.IsUpgrade }}", {"is_upgrade": True}, True),
        ("{{ .Release.IsInstall }}", {"is_upgrade": True}, False),
        ("{{ .Release.IsInstall }}", {}, True),
        ('{{ lookup "v1" "Secret" "a" "b" | toJson }}', {}, {}),
        ('{{ getHostByName "localhost" | quote }}', {}, ""),
        ("{{ .Chart.AppVersion | quote }}", {}, "9"),
        ('{{ tpl "{{ .Release.Name }}" . }}', {}, "web"),
        ("{{ if false }}{{ now }}{{ end }}ok", {}, "ok"),
        ('{{ keys (dict "c" 1 "a" 2 "b" 3) | toJson }}', {}, ["a", "b", "c"]),
        ('{{ values (dict "c" 1 "a" 2 "b" 3) | toJson }}', {}, [2, 3, 1]),
        ('{{ date "2006-01-02T15:04" 1700000000 | quote }}', {}, "2023-11-14T22:13"),
        ('{{ dateInZone "15:04 MST" 1700000000 "Asia/Tokyo" | quote }}', {}, "07:13 JST"),
        ("{{ list .Capabilities | toString | trunc 4 | quote }}", {}, "[&{{"),
    ],
)
async def test_the_scope_of_templates(helm, text, options, expected):
    (found,) = await helm(template(text), **options)
    assert found["x"] == expected


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("{{ .Values.a.b }}", TemplateFailed, "nil pointer"),
        ("{{ nonsense }}", TemplateFailed, "not defined"),
        ("{{ if }}", TemplateFailed, "missing value"),
        ('{{ fail "because" }}', TemplateFailed, "because"),
        ('{{ required "give it" .Values.it }}', TemplateFailed, "give it"),
        ("{{ env }}", TemplateFailed, "not defined"),
        ('{{ include "gone" . }}', TemplateFailed, "gone"),
        (
            '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}',
            TemplateFailed,
            "nested",
        ),
        ("{{ now }}", ImpureTemplate, "now"),
        ("{{ randAlphaNum 8 }}", ImpureTemplate, "randAlphaNum"),
        ('{{ genCA "a" 1 }}', ImpureTemplate, "genCA"),
        ('{{ htpasswd "a" "b" }}', ImpureTemplate, "Secret reference"),
        ('{{ date "2006" "2020-01-01" }}', ImpureTemplate, "present"),
        ('{{ durationRound (toDate "2006" "2020") }}', ImpureTemplate, "present"),
        ('{{ printf "%p" .Values }}', ImpureTemplate, "address"),
        ("a: b: c", BadManifest, "DST308"),
        ("1\nx: 2", BadManifest, "twice"),
        ('{{ "\\x00" }}', BadManifest, "NUL"),
    ],
)
async def test_templates_that_fail(helm, text, error, words):
    with pytest.raises(error, match=words) as caught:
        await helm(template(text))
    assert caught.value.where.file


async def test_a_failing_template_is_named_with_its_line(helm):
    with pytest.raises(TemplateFailed) as caught:
        await helm(template('{{ fail "because" }}'))
    assert (caught.value.where.file, caught.value.where.line) == ("web/templates/a.yaml", 4)


async def test_values_are_held_to_the_schema_of_chart_and_subchart(helm):
    with pytest.raises(ChartValuesInvalid, match="replicas"):
        await helm(CHART, values={"replicas": "three"})
    schema = '{"properties":{"text":{"type":"string"}}}'
    with pytest.raises(ChartValuesInvalid, match="chart sub"):
        await helm(
            {**CHART, "chart/charts/sub/values.schema.json": schema}, values={"sub": {"text": 1}}
        )


@pytest.mark.parametrize("ref", ["file:///etc/hostname", "https://example.org/s.json"])
async def test_a_schema_reaches_neither_disk_nor_network(helm, ref):
    files = {
        **CHART,
        "chart/values.schema.json": f'{{"properties":{{"replicas":{{"$ref":"{ref}"}}}}}}',
    }
    with pytest.raises(ChartValuesInvalid, match="outside the chart"):
        await helm(files)


@pytest.mark.parametrize(
    ("name", "text", "error", "words"),
    [
        ("chart/Chart.yaml", "name: web\nname: x\n", BadManifest, "twice"),
        ("chart/Chart.yaml", "apiVersion: v2\nname: web\n", RenderFailed, "version"),
        ("chart/Chart.yaml", "apiVersion: v3\nname: web\nversion: 1.0.0\n", RenderFailed, "v3"),
        ("chart/values.yaml", "replicas: " + "9" * 400, BadManifest, "400 digits"),
        ("chart/values.yaml", "replicas: !!python/object [a]", BadManifest, "python/object"),
        (
            "chart/Chart.yaml",
            CHART["chart/Chart.yaml"]
            + "dependencies: [{name: db, version: 1.0.0, repository: 'https://x'}]\n",
            RenderFailed,
            "db",
        ),
        (
            "chart/Chart.yaml",
            CHART["chart/Chart.yaml"] + "type: library\n",
            RenderFailed,
            "library",
        ),
        (
            "chart/Chart.yaml",
            CHART["chart/Chart.yaml"] + "kubeVersion: '>=1.90'\n",
            TemplateFailed,
            "1.90",
        ),
        ("chart/values.yaml", "a: [", BadManifest, "DST308"),
    ],
)
async def test_charts_that_are_wrong(helm, name, text, error, words):
    with pytest.raises(error, match=words):
        await helm({**CHART, name: text})


@pytest.mark.parametrize("name", ["Upper", "a_b", "", "x" * 54])
async def test_names_of_releases_that_helm_refuses(helm, name):
    with pytest.raises(RenderFailed, match="release name"):
        await helm(CHART, release_name=name)


async def test_a_folder_without_a_chart(helm):
    with pytest.raises(NoKustomization):
        await helm({"chart/values.yaml": ""})


async def test_helmignore(helm):
    files = {**CHART, "chart/.helmignore": "b-*\ncharts/\n"}
    assert [item["kind"] for item in await helm(files)] == ["Deployment", "Pod", "Job"]


FILES_TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: %s}
data:
  one: {{ .Files.Get "a/x.txt" | quote }}
  none: {{ .Files.Get "gone" | quote }}
  bytes: {{ .Files.GetBytes "b/x.txt" | toString | quote }}
  index: {{ index .Files "b/x.txt" | toString | quote }}
  lines: {{ .Files.Lines "a/y.txt" | toJson | quote }}
  nothing: {{ .Files.Lines "gone" | toJson | quote }}
  globbed: {{ range $name, $content := .Files.Glob "*/x.txt" }}{{ $name }},{{ end }}
  everything: {{ len (.Files.Glob "[") | quote }}
  config: {{ (.Files.Glob "*/x.txt").AsConfig | quote }}
  secrets: {{ (.Files.Glob "*/x.txt").AsSecrets | quote }}
  all: {{ len .Files | quote }}
"""


async def test_files_of_one_name_in_two_folders_flatten_to_the_later(helm):
    files = {
        "chart/Chart.yaml": CHART["chart/Chart.yaml"],
        "chart/a/x.txt": "first\n",
        "chart/a/y.txt": "1\n2\n",
        "chart/templates/a.yaml": FILES_TEMPLATE % "a",
        "chart/templates/of-the-subchart.yaml": (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"
            'data: {x: {{ (.Subcharts.sub.Files.Glob "**").AsConfig | quote }}}\n'
        ),
        "chart/charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
        **{f"chart/charts/sub/{n}/z": str(n) for n in range(9)},
    }
    plain = await helm({**files, "chart/b/y.txt": "1\n2\n"})
    for _ in range(3):
        (found, subchart) = await helm({**files, "chart/b/x.txt": "second\n"})
        assert found["data"] == {
            "one": "first\n",
            "none": "",
            "bytes": "second\n",
            "index": "second\n",
            "lines": '["1","2"]',
            "nothing": "[]",
            "globbed": "a/x.txt,b/x.txt,",
            "everything": "3",
            "config": "x.txt: |\n  second",
            "secrets": "x.txt: c2Vjb25kCg==",
            "all": "3",
        }
        assert subchart["data"] == {"x": 'z: "8"'}
    assert plain[0]["data"]["config"] == "x.txt: |\n  first"
