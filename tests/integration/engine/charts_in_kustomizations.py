"""Kustomizations that inflate charts, as files; the key `kustomization.yaml` stands at the root."""

from __future__ import annotations

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\nappVersion: '7'\n",
    "values.yaml": "size: 1\nlist: [a, b]\nnested: {kept: yes-text, changed: old}\nimage: web:1\n",
    "templates/_names.tpl": '{{ define "web.name" }}{{ .Release.Name }}-web{{ end }}',
    "templates/NOTES.txt": "Thank you for {{ .Release.Name }}",
    "templates/web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "web.name" . }}
  labels: {app: web, kube: {{ .Capabilities.KubeVersion.Version | quote }}}
spec:
  replicas: {{ .Values.size }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: {{ .Values.image }}
        envFrom: [{configMapRef: {name: {{ include "web.name" . }}-values}}]
""",
    "templates/values.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "web.name" . }}-values
  namespace: {{ .Release.Namespace }}
data:
  values: {{ toJson .Values | quote }}
  release: {{ toJson .Release | quote }}
  monitored: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" | quote }}
""",
    "templates/hooks.yaml": """\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: "pre-install,pre-upgrade"}
---
apiVersion: v1
kind: Pod
metadata:
  name: probe
  annotations: {helm.sh/hook: test}
""",
    "crds/thing.yaml": """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec: {group: example.org, scope: Namespaced, names: {kind: Thing, plural: things}}
""",
}
SUBCHART = {
    "charts/web/charts/cache/Chart.yaml": "apiVersion: v2\nname: cache\nversion: 0.1.0\n",
    "charts/web/charts/cache/values.yaml": "memory: 5\n",
    "charts/web/charts/cache/templates/c.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cache}\n"
        "data: {memory: '{{ .Values.memory }}', global: '{{ .Values.global.zone }}'}\n"
    ),
}
SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, "
    "ports: [{port: 80}]}\n"
)


def at(home: str) -> dict[str, str]:
    """The chart `web` in a folder of charts."""
    return {f"{home}/web/{name}": text for name, text in CHART.items()}


def case(kustomization: str, **more: str) -> dict[str, str]:
    """A kustomization beside the vendored chart; other files with / written as __."""
    others = {name.replace("__", "/"): text for name, text in more.items()}
    return {"kustomization.yaml": kustomization, **at("charts"), **others}


def charts(fields: str, rest: str = "") -> dict[str, str]:
    """A kustomization whose only entry of helmCharts has these fields beside the name."""
    return case(f"helmCharts:\n- {{name: web{fields}}}\n{rest}")


GENERATOR = (
    "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: g}\n"
    "name: web\nreleaseName: made\nchartHome: charts\nvaluesInline: {size: 4}\n"
)
PATCH = """\
patches:
- target: {kind: Deployment}
  patch: '- {op: replace, path: /spec/replicas, value: 9}'
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: r-web}
    spec: {template: {spec: {containers: [{name: web, env: [{name: A, value: b}]}]}}}
"""
COMPONENT = (
    "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -c\n"
    "helmCharts: [{name: web, releaseName: part, namespace: own}]\n"
)
FILES = {"more.yaml": "size: 3\nnested: {changed: new}\nlist: [c]\n", "last.yaml": "size: 4\n"}

CASES: dict[str, dict[str, str]] = {
    "plain": charts(""),
    "release": charts(", releaseName: r"),
    "namespace": charts(", releaseName: r, namespace: shop"),
    "name-template": charts(", nameTemplate: '{{ \"a-b\" | upper | lower }}-t'"),
    "inline-override": charts(
        ", releaseName: r, valuesInline: {size: 5, list: [z], nested: {changed: in, more: 1}}"
    ),
    "inline-merge": charts(
        ", releaseName: r, valuesMerge: merge, "
        "valuesInline: {size: 5, list: [z], nested: {changed: in, more: 1}}"
    ),
    "inline-replace": charts(
        ", releaseName: r, valuesMerge: replace, valuesInline: {size: 5, nested: {more: 1}}"
    ),
    "inline-null": charts(", releaseName: r, valuesInline: {nested: null, list: null}"),
    "inline-types": charts(
        ", releaseName: r, valuesInline: {a: 12345678, b: 1.5, c: 'on', d: 9007199254740993, "
        "e: 2020-01-01, f: '1', g: true, h: on, i: 1e3, j: 0644}"
    ),
    "values-file": {**charts(", releaseName: r, valuesFile: more.yaml"), **FILES},
    "values-file-inline": {
        **charts(
            ", releaseName: r, valuesFile: more.yaml, valuesMerge: merge, valuesInline: {size: 8, x: 1}"
        ),
        **FILES,
    },
    "additional-files": {
        **charts(", releaseName: r, additionalValuesFiles: [more.yaml, last.yaml]"),
        **FILES,
    },
    "additional-files-inline": {
        **charts(
            ", releaseName: r, additionalValuesFiles: [last.yaml], valuesInline: {size: 7, x: y}"
        ),
        **FILES,
    },
    "skip-hooks": charts(", releaseName: r, skipHooks: true"),
    "skip-tests": charts(", releaseName: r, skipTests: true"),
    "crds": charts(", releaseName: r, includeCRDs: true"),
    "kube-version": charts(", releaseName: r, kubeVersion: '1.29.3'"),
    "api-versions": charts(", releaseName: r, apiVersions: ['a/v1,monitoring.coreos.com/v1']"),
    "version": charts(", releaseName: r, version: 3.0.0"),
    "repo-vendored": {
        "kustomization.yaml": (
            "helmCharts: [{name: web, releaseName: r, version: 1.0.0, repo: 'https://example.org'}]\n"
        ),
        **at("charts/web-1.0.0"),
    },
    "repo-vendored-without-version": charts(", releaseName: r, repo: 'https://example.org'"),
    "chart-home": {
        "kustomization.yaml": (
            "helmGlobals: {chartHome: vendor/helm}\nhelmCharts: [{name: web, releaseName: r}]\n"
        ),
        **at("vendor/helm"),
    },
    "chart-home-outside": {
        "kustomization.yaml": "resources: [app]\n",
        "app/kustomization.yaml": (
            "helmGlobals: {chartHome: ../shared}\n"
            "helmCharts: [{name: web, releaseName: r, valuesFile: v.yaml}]\n"
        ),
        "app/v.yaml": "size: 2\nimage: x\n",
        **at("shared"),
    },
    "twice": case(
        "helmCharts:\n- {name: web, releaseName: a}\n- {name: web, releaseName: b, skipHooks: true}\n"
    ),
    "prefix": charts(", releaseName: r", "namePrefix: p-\nnameSuffix: -s\n"),
    "namespace-transformer": charts(", releaseName: r, namespace: shop", "namespace: other\n"),
    "namespace-transformer-unset": charts(
        ", releaseName: r",
        "transformers:\n- |-\n  apiVersion: builtin\n  kind: NamespaceTransformer\n"
        "  metadata: {name: n, namespace: abc}\n  unsetOnly: true\n",
    ),
    "patches": charts(", releaseName: r", PATCH),
    "labels-images": charts(
        ", releaseName: r",
        "labels: [{pairs: {team: x}, includeSelectors: true}]\ncommonAnnotations: {a: b}\n"
        "images: [{name: web, newName: mirror/web, newTag: '2'}]\nreplicas: [{name: r-web, count: 6}]\n",
    ),
    "origin": charts(
        ", releaseName: r, skipHooks: true", "buildMetadata: [originAnnotations, managedByLabel]\n"
    ),
    "sorted": {
        **case(
            "resources: [service.yaml]\nsortOptions: {order: legacy}\n"
            "helmCharts: [{name: web, releaseName: r, includeCRDs: true}]\n"
        ),
        "service.yaml": SERVICE,
    },
    "generators-beside": case(
        "configMapGenerator: [{name: made, literals: [a=b]}]\n"
        "secretGenerator: [{name: s, literals: [a=b]}]\nhelmCharts: [{name: web, releaseName: r}]\n"
    ),
    "replacements": charts(
        ", releaseName: r",
        "replacements:\n- source: {kind: ConfigMap, name: r-web-values, fieldPath: data.monitored}\n"
        "  targets: [{select: {kind: Deployment}, fieldPaths: [metadata.labels.app]}]\n",
    ),
    "base": {
        "kustomization.yaml": "resources: [base]\nnamePrefix: top-\n",
        "base/kustomization.yaml": "helmCharts: [{name: web, releaseName: r}]\nnamespace: low\n",
        **at("base/charts"),
    },
    "component": {
        "kustomization.yaml": "resources: [service.yaml]\ncomponents: [part]\n",
        "service.yaml": SERVICE,
        "part/kustomization.yaml": COMPONENT,
        **at("part/charts"),
    },
    "subchart": {
        **charts(", releaseName: r, valuesInline: {cache: {memory: 6}, global: {zone: eu}}"),
        **SUBCHART,
    },
    "generator-file": case("generators: [g.yaml]\n", **{"g.yaml": GENERATOR}),
    "generator-inline": case(
        "generators:\n- |-\n" + "".join(f"  {line}\n" for line in GENERATOR.splitlines())
    ),
    "generator-of-a-kustomization": {
        **case("generators: [made]\n"),
        "made/kustomization.yaml": "resources: [g.yaml]\n",
        "made/g.yaml": GENERATOR,
    },
    "old-field": case(
        "helmChartInflationGenerator:\n- {chartName: web, releaseName: r, values: more.yaml}\n",
        **FILES,
    ),
}

REFUSED: dict[str, dict[str, str]] = {
    "no-name": case("helmCharts: [{releaseName: r}]\n"),
    "no-chart": {"kustomization.yaml": "helmCharts: [{name: web}]\n"},
    "chart-is-a-file": {
        "kustomization.yaml": "helmCharts: [{name: web}]\n",
        "charts/web": "apiVersion: v2\n",
    },
    "no-values": {
        "kustomization.yaml": "helmCharts: [{name: web}]\n",
        "charts/web/Chart.yaml": CHART["Chart.yaml"],
    },
    "no-such-values-file": charts(", valuesFile: gone.yaml"),
    "no-such-additional-file": charts(", additionalValuesFiles: [gone.yaml]"),
    "values-outside": {
        "kustomization.yaml": "resources: [app]\n",
        "v.yaml": "size: 2\n",
        "app/kustomization.yaml": "helmCharts: [{name: web, valuesFile: ../v.yaml}]\n",
        **at("app/charts"),
    },
    "merge-mode": charts(", valuesMerge: sideways"),
    "two-names": charts(", releaseName: r, nameTemplate: x"),
    "bad-name": charts(", releaseName: Upper_Case"),
    "bad-kube-version": charts(", kubeVersion: many"),
    "library": {
        "kustomization.yaml": "helmCharts: [{name: web}]\n",
        **at("charts"),
        "charts/web/Chart.yaml": CHART["Chart.yaml"] + "type: library\n",
    },
    "template-fails": {
        **charts(""),
        "charts/web/templates/x.yaml": '{{ fail "because" }}',
    },
    "schema": {
        **charts(", valuesInline: {size: many}"),
        "charts/web/values.schema.json": '{"properties": {"size": {"type": "integer"}}}',
    },
    "merge-of-a-chart-object": case(
        "helmCharts: [{name: web, releaseName: r}]\n"
        "configMapGenerator: [{name: r-web-values, behavior: merge, literals: [a=b]}]\n"
    ),
    "same-release-twice": case("helmCharts:\n- {name: web}\n- {name: web}\n"),
}
"""What kubectl with helm refuses, too."""
