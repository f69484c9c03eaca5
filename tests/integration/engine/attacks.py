"""Hostile packages: each as the job that it becomes, with the codes that it may end in."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import NamedTuple

from distributor.model.package import Renderer
from distributor.model.rendering import ChartOptions, RenderJob

Text = str | bytes

LIMIT = r"DST(309|310|311|312|322|323|324)"
CODED = r"DST3\d\d"

OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
WORKLOAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {}\n"
CHART = "apiVersion: v2\nname: web\nversion: 1.2.3\n"
SUBCHART = CHART.replace("web", "s")
LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
MERGES = "b0: &b0 {q: 1}\n" + "".join(
    f"b{n}: &b{n} {{<<: [{','.join([f'*b{n - 1}'] * 9)}]}}\n" for n in range(1, 12)
)


class Attack(NamedTuple):
    """A hostile job, and a pattern for its code."""

    job: RenderJob
    code: str


def data(files: Mapping[str, Text]) -> dict[str, bytes]:
    return {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}


def raw(text: Text, **files: Text) -> RenderJob:
    return RenderJob(
        renderer=Renderer.RAW, files=data({"m/a.yaml": text, **files}), path="m", package="bad"
    )


def kust(text: str, files: Mapping[str, Text] | None = None, path: str = "k") -> RenderJob:
    every = data({"k/kustomization.yaml": text, **(files or {})})
    return RenderJob(renderer=Renderer.KUSTOMIZE, files=every, path=path, package="bad")


def chart(
    template: str = OBJECT, values: str = "{}", files: Mapping[str, Text] | None = None
) -> RenderJob:
    there = {"c/Chart.yaml": CHART, "c/values.yaml": values, "c/templates/a.yaml": template}
    return RenderJob(
        renderer=Renderer.HELM,
        files=data(there | dict(files or {})),
        path="c",
        chart=ChartOptions(release_name="r", namespace="n"),
        package="bad",
    )


def says(expression: str) -> str:
    """A template of one object that says what the expression gives."""
    return f"{OBJECT}data: {{x: {{{{ {expression} }}}}}}\n"


def archive(*entries: tuple[str, Text, bytes, str]) -> bytes:
    """A tar.gz of (name, content, type, link target)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content, kind, target in entries:
            body = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            info.size = len(body) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(body))
    return out.getvalue()


def packed(*entries: tuple[str, Text]) -> RenderJob:
    """A chart with a subchart as an archive of plain files."""
    tgz = archive(*((name, content, tarfile.REGTYPE, "") for name, content in entries))
    return chart(files={"c/charts/s.tgz": tgz})


def diamonds(levels: int) -> RenderJob:
    """Bases that name the next ones twice: two to the power of the levels."""
    files: dict[str, Text] = {f"k{levels}/d.yaml": WORKLOAD}
    files[f"k{levels}/kustomization.yaml"] = "resources: [d.yaml]\n"
    for n in range(levels):
        files[f"k{n}/kustomization.yaml"] = "resources: [a, b]\n"
        for side in "ab":
            files[f"k{n}/{side}/kustomization.yaml"] = (
                f"resources: [../../k{n + 1}]\nnamePrefix: {side}{n}-\n"
            )
    return kust("", files, "k0")


def patched(patch: str, workload: str = WORKLOAD) -> RenderJob:
    text = "resources: [d.yaml]\npatches: [{target: {kind: Deployment}, path: p.yaml}]\n"
    return kust(text, {"k/d.yaml": workload, "k/p.yaml": patch})


def named(name: str) -> RenderJob:
    """A file map with a name that is no plain path."""
    files = {"m/a.yaml": OBJECT.encode(), name: b"x"}
    return RenderJob(renderer=Renderer.RAW, files=files, path="m", package="bad")


def doubling_schema() -> str:
    both = ",".join(
        f'"d{n}":{{"allOf":[{{"$ref":"#/$defs/d{n + 1}"}},{{"$ref":"#/$defs/d{n + 1}"}}]}}'
        for n in range(40)
    )
    return f'{{"$defs":{{{both},"d40":{{}}}},"$ref":"#/$defs/d0"}}'


SCHEMA = "c/values.schema.json"
_OPENAPI_LOOP = (
    '{"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"},"T":{"type":"object",'
    '"x-kubernetes-group-version-kind":[{"group":"e.org","kind":"T","version":"v1"}],'
    '"properties":{"a":{"$ref":"#/definitions/a"}}}}}'
)
_CRD_LOOP = (
    '{"x/A":{"Schema":{"properties":{"apiVersion":{"type":"string"},"kind":{"type":"string"},'
    '"metadata":{"type":"object"},"a":{"$ref":"x/B"}}},"Dependencies":["x/B"]},'
    '"x/B":{"Schema":{"properties":{"a":{"$ref":"x/B"}}},"Dependencies":["x/B"]}}'
)
_CUSTOM = "apiVersion: e.org/v1\nkind: T\nmetadata: {name: t}\na: {b: {d: 2}}\n"
_CUSTOM_PATCH = "[{patch: '{apiVersion: e.org/v1, kind: T, metadata: {name: t}, a: {b: {c: 1}}}'}]"

TEXT = {
    "billion laughs": Attack(raw(OBJECT + LAUGHS), LIMIT),
    "billion laughs of merge keys": Attack(raw(OBJECT + MERGES), LIMIT),
    "deep nesting, flow": Attack(raw(OBJECT + "x: " + "[" * 5000 + "]" * 5000), "DST312"),
    "deep nesting, block": Attack(
        raw(OBJECT + "".join(" " * n + "k:\n" for n in range(2000))), "DST312"
    ),
    "nesting that never closes": Attack(raw(OBJECT + "x: " + "{a: " * 100_000), "DST3(08|12)"),
    "lists in lists": Attack(raw("- " * 200_000), "DST3(08|12)"),
    "a NUL byte": Attack(raw(OBJECT + 'data: {a: "\0"}'), "DST308"),
    "no UTF-8": Attack(raw(OBJECT.encode() + b"x: \xff\xfe"), "DST308"),
    "UTF-16": Attack(raw(("\ufeff" + OBJECT).encode("utf-16")), "DST308"),
    "half a surrogate pair": Attack(raw(OBJECT + 'data: {a: "\\uD800"}\n'), "DST308"),
    "a duplicate key": Attack(raw(OBJECT + "data: {a: b, a: c}\n"), "DST308"),
    "no end of a string": Attack(raw(OBJECT + 'x: "\\'), "DST308"),
    "too many objects": Attack(
        raw("".join(OBJECT.replace("a}", f"a{n}}}") + "---\n" for n in range(30_000))), "DST311"
    ),
    "too much input": Attack(raw(OBJECT, **{"m/b.bin": b"x" * (33 << 20)}), "DST310"),
}

PATHS = {
    "a name that climbs": Attack(named("m/../../x"), "DST303"),
    "a name from the root": Attack(named("/etc/x"), "DST303"),
    "a name with NUL": Attack(named("m/\0"), "DST303"),
    "a name with a backslash": Attack(named("m\\..\\x"), "DST303"),
    "a name that is nothing": Attack(named(""), "DST303"),
    "a name that is no text": Attack(named("m/\udc80"), "DST301"),
    "a resource from the root": Attack(kust("resources: [/etc/passwd]\n"), "DST303"),
    "a resource that climbs": Attack(kust("resources: [../../../etc/passwd]\n"), "DST303"),
    "a generator that climbs": Attack(
        kust("configMapGenerator: [{name: a, files: [../../../etc/passwd]}]\n"), "DST303"
    ),
    "a base on the network": Attack(kust("resources: ['https://example.org/x']\n"), "DST302"),
    "a program as generator": Attack(
        kust(
            "generators: [g.yaml]\n",
            {
                "k/g.yaml": "apiVersion: x/v1\nkind: G\nmetadata:\n  name: g\n  annotations:\n"
                "    config.kubernetes.io/function: |\n      exec: {path: ./run}\n"
            },
        ),
        "DST304",
    ),
    "an archive that climbs": Attack(packed(("../../x/Chart.yaml", CHART)), CODED),
    "an archive from the root": Attack(packed(("/etc/Chart.yaml", CHART)), CODED),
    "a schema on the disk": Attack(
        chart(files={SCHEMA: '{"properties":{"a":{"$ref":"file:///etc/passwd"}}}'}), CODED
    ),
}

BUILDS = {
    "laughing bases": Attack(kust("resources: [l.yaml]\n", {"k/l.yaml": OBJECT + LAUGHS}), LIMIT),
    "a laughing kustomization": Attack(kust(LAUGHS + "resources: []\n"), LIMIT),
    "diamonds of bases": Attack(diamonds(16), CODED),
    "a base of itself": Attack(kust("resources: [../k]\n"), CODED),
    "a patch that copies itself": Attack(
        patched("".join(f"- {{op: copy, from: /spec, path: /spec/c{n}}}\n" for n in range(40))),
        CODED,
    ),
    "labels without number": Attack(
        kust(
            "resources: [d.yaml]\ncommonLabels: {" + ",".join(f"k{n}: v" for n in range(20_000)) + "}\n",
            {"k/d.yaml": WORKLOAD},
        ),
        CODED,
    ),
    "a huge number of replicas": Attack(
        kust(f"resources: [d.yaml]\nreplicas: [{{name: d, count: {'9' * 30}}}]\n", {"k/d.yaml": WORKLOAD}),
        CODED,
    ),
    "a name that is a costly pattern": Attack(
        kust(
            "resources: [d.yaml]\npatches: [{target: {name: '((((a{1,1000}){1,1000}){1,1000})'},"
            " patch: '- {op: add, path: /x, value: 1}'}]\n",
            {"k/d.yaml": WORKLOAD},
        ),
        CODED,
    ),
    "an OpenAPI schema in a loop": Attack(
        kust(
            f"resources: [t.yaml]\nopenapi: {{path: s.json}}\npatches: {_CUSTOM_PATCH}\n",
            {"k/t.yaml": _CUSTOM, "k/s.json": _OPENAPI_LOOP},
        ),
        CODED,
    ),
    "a definition in a loop": Attack(
        kust(
            "resources: [d.yaml]\ncrds: [c.json]\n", {"k/d.yaml": WORKLOAD, "k/c.json": _CRD_LOOP}
        ),
        CODED,
    ),
}  # fmt: skip

CHARTS = {
    "a loop without end": Attack(
        chart("{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"), LIMIT
    ),
    "memory, bit by bit": Attack(
        chart('{{ $x := repeat 100000000 "x" }}{{ range until 2000 }}{{ $x }}{{ end }}'), LIMIT
    ),
    "memory, by doubling": Attack(
        chart(
            says("len $s").replace(
                "{{ len",
                '{{ $s := "a" }}{{ range until 40 }}{{ $s = printf "%s%s" $s $s }}{{ end }}{{ len',
            )
        ),
        LIMIT,
    ),
    "memory, all at once": Attack(chart(says('repeat 2147483647 "xxxxxxxx" | len')), LIMIT),
    "memory, as a list": Attack(chart(says("until 2000000000 | len")), LIMIT),
    "memory, as an indent": Attack(chart(says('indent 1000000000 "a"')), LIMIT),
    "memory, by replacing": Attack(
        chart(says('regexReplaceAll "" (repeat 1000000 "a") (repeat 1000 "b") | len')), LIMIT
    ),
    "more output than anybody reads": Attack(chart(says('repeat 90000000 "y"')), LIMIT),
    "a template of itself": Attack(
        chart('{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}'), CODED
    ),
    "text that is a template of itself": Attack(
        chart("{{ tpl .Values.t . }}", "t: '{{ tpl .Values.t . }}'\n"), CODED
    ),
    "laughing values": Attack(chart(values=LAUGHS), LIMIT),
    "a laughing Chart.yaml": Attack(chart(files={"c/Chart.yaml": LAUGHS + CHART}), CODED),
    "laughing values of a subchart": Attack(
        chart(files={"c/charts/s/Chart.yaml": SUBCHART, "c/charts/s/values.yaml": LAUGHS}), CODED
    ),
    "a schema that doubles": Attack(
        chart(values="a: 1\n", files={SCHEMA: doubling_schema()}), CODED
    ),
    "a schema of itself": Attack(chart(values="a: 1\n", files={SCHEMA: '{"$ref":"#"}'}), CODED),
    "an archive that unpacks to much": Attack(
        packed(("s/Chart.yaml", SUBCHART), ("s/z", b"\0" * 300_000_000)), CODED
    ),
    "a NUL byte in a template": Attack(chart("a: \0"), "DST308"),
    "a broken .helmignore": Attack(chart(files={"c/.helmignore": "[" * 1000 + "\n"}), CODED),
    "a random password": Attack(chart(says("randAlphaNum 8")), "DST319"),
}  # fmt: skip

ATTACKS = TEXT | PATHS | BUILDS | CHARTS
