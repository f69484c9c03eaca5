"""Random charts: values, templates that ask for them in every way, helpers, subcharts, hooks, a schema.

A template asks for few paths, which may hold anything or nothing, so that defaults, missing values and
wrong types meet every function; what does not render must not render here either. Left out is what the
engine refuses on purpose (`meant` in the tables): keys that stand twice, impure functions, lists of objects.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any, TypeVar

from tests.integration.oracle.tables import Case

T = TypeVar("T")

TEXTS = (
    "plain", "1", "yes", "", "0x1F", "a: b", "q'\"", "\u00fc", "two\nlines", " ", "~", "1e3", "0644", "{{ .Release.Name }}",
)  # fmt: skip
NUMBERS = (0, 1, 8080, -3, 1.5, 3.0, 1234567890, 1e6, 0.1, 9007199254740993)
LABELS = ("team", "tier", "a.b/c", "on")
FIELDS = ("name", "count", "on", "list", "labels", "image", "any")
KINDS = (
    ("v1", "ConfigMap"), ("v1", "Secret"), ("batch/v1", "Job"), ("v1", "Namespace"), ("demo.example/v1", "Thing"),
)  # fmt: skip
HOOKS = ("pre-install", "post-upgrade", "pre-delete,post-rollback", "test")
SUBCHARTS = ("low", "sub", "lib")
DEPTH = 2
CAREFUL = 80
"""One in so many parts of a template does what may fail."""

ROOTED = [
    *(f".Values.{field}" for field in FIELDS),
    ".Values.missing", "(.Values.missing).deeper", ".Values", ".Release.Name", ".Release.Namespace",
    ".Release.IsUpgrade", ".Release.Revision", ".Chart.Name", ".Chart.Version", ".Chart.AppVersion",
    "(list 1 `two` .Values.name)", "(dict `a` .Values.count)", "(hasKey .Values `any`)",
    "(dig `image` `tag` `none` (deepCopy .Values | merge dict))", "(get .Values `name`)", "(until 3)",
    "(coalesce .Values.missing .Values.any `last`)", "(default dict .Values.image).tag",
]  # fmt: skip
"""Where a value comes from, in a scope of values, release and chart."""
ANYWHERE = [
    *ROOTED, "(.Values.global).zone", ".Chart.IsRoot", ".Capabilities.KubeVersion.Minor", ".Template.Name",
    "(.Files.Get `conf/a.txt`)", "(lookup `v1` `Secret` `a` `b`)",
]  # fmt: skip
WILD = [
    ".Values.image.tag",
    ".Values.missing.deeper",
    ".Values.global.zone",
    "(index .Values `labels` `team`)",
]
"""What fails for some values."""
FUNCTIONS = [
    "quote", "squote", "toJson | quote", "toYaml | quote", "toString | upper | quote", "default `other` | quote",
    "int", "int64", "float64", "add 1", "kindOf | quote", "empty | quote", "toString | b64enc | quote",
    "toString | sha256sum | quote", "toString | trunc 3 | trimSuffix `-` | quote", "not | quote",
    "printf `%v` | quote", "printf `%s-%d` `a` | quote", "toString | nospace | quote", "join `,` | quote",
    "toJson | fromJson | toJson | quote", "toJson | fromJsonArray | toJson | quote", "list | uniq | toJson | quote",
    "toYaml | fromYaml | toJson | quote", "toString | title | quote", "mul 2", "toRawJson | squote",
    "toString | regexReplaceAll `[^a-z]` `-` | quote", "empty | ternary `yes` `no` | quote", "toPrettyJson | quote",
    "toString | substr 0 2 | quote", "toString | replace `a` `b` | quote", "typeOf | quote", "toStrings | join `+` | quote",
]  # fmt: skip
"""What is made of it, whatever it is."""
CHOOSY = [
    "upper | quote", "required `it is missing` | quote", "len | quote", "ternary `yes` `no` | quote", "first | quote",
    "keys | sortAlpha | join `,` | quote", "uniq | toJson | quote", "eq `plain` | quote", "toToml | quote", "atoi",
    "deepCopy | toJson | quote", "trimAll `x` | quote", "dict | toJson | quote", "fail", "nothing",
]  # fmt: skip
"""What takes only some values."""
CONDITIONS = [
    "{}", "not {}", "and {} .Values.on", "or {} .Values.count", "eq ({} | toString) `plain`", "gt (int {}) 0",
    "kindIs `map` {}", "empty {}", "semverCompare `>=1.30-0` .Capabilities.KubeVersion.Version",
    ".Capabilities.APIVersions.Has `demo.example/v1`", "ne ({} | toString) ``", "has `plain` .Values.list",
]  # fmt: skip
FORMS = [
    "  KEY: SHOWN",
    "  KEY: SHOWN",
    "  KEY: SHOWN",
    "  KEY: {{ .Values.count }}",
    "  KEY: '{{ VALUE | toString | len }}'",
    "  {{- if CONDITION }}\n  KEY: SHOWN\n  {{- else if CONDITION }}\n  KEY: on\n  {{- end }}",
    "  {{- with VALUE }}\n  KEY: {{ . | toJson | quote }}\n  {{- else }}\n  KEY: none\n  {{- end }}",
    "  {{- range $at, $one := .Values.list }}\n  'KEY-{{ $at }}': {{ $one | quote }}\n  {{- end }}",
    "  {{- range $name, $one := .Values.labels }}\n  'KEY-{{ $name }}': {{ $one | toJson | quote }}\n  {{- end }}",
    "  {{- range until 3 }}{{ if eq . 2 }}{{ break }}{{ end }}\n  KEY-{{ . }}: {{ $.Values.name | quote }}\n  {{- end }}",
    "  KEY: |\n    {{- toYaml VALUE | nindent 4 }}",
    "  KEY:\n    {{- toYaml VALUE | nindent 4 }}",
    "  KEY: {{ include `HELPER` . | quote }}",
    "  KEY: {{ include `HELPER` (dict `Values` .Values `Chart` .Chart `Release` .Release) | quote }}",
    "  KEY: {{- include `HELPER` . | fromYaml | toYaml | nindent 4 }}",
    "  KEY: {{ tpl (VALUE | toString) . | quote }}",
    "  {{- $made := merge (dict `a` VALUE) (.Values.labels | default dict) }}\n  KEY: {{ $made | toJson | quote }}",
    "  {{- $_ := set .Values `any` (VALUE | toString) }}\n  KEY: {{ .Values.any | quote }}",
    "  {{- with .Values.image }}{{ with .tag }}\n  KEY: {{ . | quote }}\n  {{- end }}{{ end }}",
]
"""Ways to write a field."""


class Charts:
    """Makes charts from one seed: the same chart from the same seed, on every machine."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def chart(self) -> Case:
        """A chart and the options to render it with."""
        files = self._tree("web", DEPTH)
        options: dict[str, Any] = {"is_upgrade": self._once_in(2)}
        if self._once_in(2):
            options["values"] = self._values()
        if self._once_in(3):
            options.setdefault("values", {})["sub2"] = None if self._once_in(4) else self._values()
        if self._once_in(2):
            options["kube_version"] = self._one(("1.29.4", "v1.31.0"))
        if self._once_in(4):
            options["api_versions"] = ["demo.example/v1"]
        content = {name: text.encode() for name, text in files.items()}
        return Case(family="random", name="a chart", builds=True, options=options, files=content)

    def _once_in(self, times: int) -> bool:
        return self._dice.randrange(times) == 0

    def _one(self, things: Sequence[T]) -> T:
        return self._dice.choice(things)

    def _some(self, things: Sequence[T], most: int) -> list[T]:
        return self._dice.sample(things, self._dice.randint(0, most))

    # Values

    def _plain(self) -> object:
        return self._one([self._one(TEXTS), self._one(NUMBERS), self._once_in(2)])

    def _anything(self) -> object:
        return self._one([self._plain(), self._labels(), [self._plain(), None], None, {}, []])

    def _labels(self) -> dict[str, Any]:
        return {name: self._plain() for name in self._some(LABELS, 3)}

    def _values(self) -> dict[str, Any]:
        """Mostly what the templates expect; sometimes less, or anything."""
        usual: dict[str, Any] = {
            "name": self._one(TEXTS),
            "count": self._one(NUMBERS),
            "on": self._once_in(2),
            "list": [self._plain() for _ in range(self._dice.randrange(4))],
            "labels": self._labels(),
            "image": {
                "repository": self._one(TEXTS),
                **({"tag": self._anything()} if self._once_in(2) else {}),
            },
        }
        given = {name: value for name, value in usual.items() if not self._once_in(6)}
        if self._once_in(2):
            given["any"] = self._anything()
        if self._once_in(20):
            given[self._one(FIELDS)] = self._anything()
        if self._once_in(2):
            given["global"] = {"zone": self._plain(), "labels": self._labels()}
        return given

    def _schema(self) -> dict[str, Any]:
        """Rules that the usual values keep, and often others too."""
        rules: dict[str, Any] = {
            "name": {"type": "string"},
            "count": {"type": "number", "minimum": self._one((-10, -10, -10, 1))},
            "labels": {"type": "object", "additionalProperties": not self._once_in(4)},
            "image": {"$ref": "#/definitions/image"},
        }
        names = self._some(sorted(rules), 4)
        return {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {name: rules[name] for name in names},
            "required": names[:1] if self._once_in(4) else [],
            "definitions": {"image": {"type": "object", "required": ["repository"]}},
        }

    # Templates

    def _expression(self, known: Sequence[str] = ANYWHERE) -> str:
        return self._one(WILD if self._once_in(CAREFUL) else known)

    def _shown(self, known: Sequence[str] = ANYWHERE) -> str:
        """An action that writes a value."""
        function = self._one(CHOOSY if self._once_in(CAREFUL) else FUNCTIONS)
        return f"{{{{ {self._expression(known)} | {function} }}}}"

    def _condition(self) -> str:
        return self._one(CONDITIONS).format(self._expression())

    def _field(self, number: int, chart: str) -> str:
        """Lines of a mapping, indented by two, with a key of their own."""
        lines = self._one(FORMS)
        for word, meant in (
            ("KEY", f"k{number}"),
            ("VALUE", self._expression()),
            ("SHOWN", self._shown()),
            ("CONDITION", self._condition()),
            ("HELPER", self._one((f"{chart}.full", f"{chart}.labels", "shared"))),
        ):
            lines = lines.replace(word, meant)
        return lines

    def _object(self, chart: str, name: str) -> str:
        version, kind = self._one(KINDS)
        own = self._one(
            (
                name,
                name,
                f"{name}-{{{{ .Release.Name }}}}",
                f'{name}-{{{{ include "{chart}.full" . }}}}',
            )
        )
        metadata = f"  name: '{own}'\n  labels: {{{{- include \"{chart}.labels\" . | nindent 4 }}}}"
        if self._once_in(4):
            hook, weight = self._one(HOOKS), self._dice.randint(-2, 2)
            metadata += (
                f'\n  annotations: {{helm.sh/hook: "{hook}", helm.sh/hook-weight: "{weight}"}}'
            )
        lines = [self._field(number, chart) for number in range(self._dice.randint(1, 4))]
        return "\n".join(
            [f"apiVersion: {version}", f"kind: {kind}", "metadata:", metadata, "data:", *lines]
        )

    def _template(self, chart: str, number: int) -> str:
        """A file of a few objects, perhaps only where a condition holds."""
        names = [f"{chart}-{number}-{part}" for part in range(self._dice.randint(1, 3))]
        text = "\n---\n".join(self._object(chart, name) for name in names)
        if self._once_in(4):
            text = f"{{{{- if {self._condition()} }}}}\n{text}\n{{{{- end }}}}"
        return text + "\n"

    def _helpers(self, chart: str) -> str:
        named = self._one(
            ("{{ .Release.Name }}-{{ .Chart.Name }}", chart + "-{{ .Release.Name | trunc 2 }}")
        )
        return "\n".join(
            [
                f'{{{{- define "{chart}.full" -}}}}{named}{{{{- end }}}}',
                f'{{{{ define "{chart}.labels" -}}}}\nchart: {{{{ .Chart.Name }}}}\nshown: {self._shown(ROOTED)}\n{{{{- end }}}}',
                f'{{{{- define "shared" }}}}{chart} {{{{ .Values.name | quote }}}}{{{{ end }}}}',
            ]
        )

    # Charts

    def _tree(self, chart: str, levels: int) -> dict[str, str]:
        """A chart with its subcharts, as files by path."""
        files = {"templates/_names.tpl": self._helpers(chart), "conf/a.txt": self._one(TEXTS)}
        for number in range(self._dice.randint(1, 2)):
            files[f"templates/t{number}.yaml"] = self._template(chart, number)
        if self._once_in(4):
            files["values.schema.json"] = json.dumps(self._schema())
        if self._once_in(3):
            files["crds/crd.yaml"] = json.dumps(_definition(chart))
        if self._once_in(4):
            files["templates/NOTES.txt"] = f"Thank you, {self._shown()}\n"
        about: dict[str, Any] = {"apiVersion": "v2", "name": chart, "version": "1.0.0"}
        about |= {"appVersion": self._one(("9", "v1.2"))} if self._once_in(2) else {}
        about |= {"type": "library"} if chart.startswith("lib") else {}
        about |= (
            {"kubeVersion": self._one((">=1.20.0-0", ">=1.31.0-0"))} if self._once_in(10) else {}
        )
        values = self._values()
        if levels > 0:
            for name in self._some(SUBCHARTS, 2):
                self._add(f"{name}{levels}", levels, files, about, values)
            if self._once_in(3):
                values["tags"] = {tag: self._once_in(2) for tag in self._some(("front", "back"), 2)}
        return files | {"values.yaml": json.dumps(values), "Chart.yaml": json.dumps(about)}

    def _add(
        self,
        name: str,
        levels: int,
        files: dict[str, str],
        about: dict[str, Any],
        values: dict[str, Any],
    ) -> None:
        """Put a subchart into a chart: named in its Chart.yaml or not, with values or without."""
        below = self._tree(name, levels - 1)
        files |= {f"charts/{name}/{path}": text for path, text in below.items()}
        key = name
        if not self._once_in(4):
            wanted = self._dependency(name)
            about.setdefault("dependencies", []).append(wanted)
            key = wanted.get("alias", name)
        if self._once_in(2):
            values[key] = self._values()

    def _dependency(self, name: str) -> dict[str, Any]:
        """How a chart asks for a subchart: always, on a condition, by a tag, under another name."""
        wanted: dict[str, Any] = {"name": name, "version": self._one(("1.0.0", "~1", ">=1.0.0-0"))}
        if self._once_in(2):
            wanted["condition"] = self._one(
                (f"{name}.on", "on", f"{name}.missing,{name}.on", "global.on")
            )
        if self._once_in(3):
            wanted["tags"] = [self._one(("front", "back"))]
        if self._once_in(4):
            wanted["alias"] = f"other{name}"
        if self._once_in(4):
            wanted["import-values"] = [{"child": "labels", "parent": "labels"}]
        if self._once_in(60):
            wanted["version"] = "2.0.0"
        return wanted


def _definition(chart: str) -> dict[str, Any]:
    metadata = {"name": f"{chart}s.demo.example"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
    }
