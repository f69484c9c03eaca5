"""Few lines that ask for endless work: each is refused at once, with what to mend."""

from __future__ import annotations

import io
import tarfile

import orjson
import pytest

from distributor.errors.render import (
    ChartValuesInvalid,
    RenderFailed,
    RenderTooLarge,
    TooDeep,
)

DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {a: [x, x, x, x]}\n"
CHART = "apiVersion: v2\nname: %s\nversion: 1.0.0\n"


def diamond(levels: int) -> dict[str, str]:
    """Each level builds the next one twice."""
    files = {f"e{levels}/kustomization.yaml": "resources: [d.yaml]\n"}
    files[f"e{levels}/d.yaml"] = DEPLOYMENT
    for level in range(levels):
        files[f"e{level}/kustomization.yaml"] = "resources: [a, b]\n"
        for side in "ab":
            files[f"e{level}/{side}/kustomization.yaml"] = (
                f"resources: [../../e{level + 1}]\nnamePrefix: {side}{level}-\n"
            )
    return files


def tower(levels: int) -> dict[str, str]:
    """Each level stands on one other."""
    files = {
        f"e{level}/kustomization.yaml": f"resources: [../e{level + 1}]" for level in range(levels)
    }
    return files | {f"e{levels}/kustomization.yaml": "namePrefix: a-\n"}


def app(text: str, **files: str) -> dict[str, str]:
    return {
        "e0/kustomization.yaml": f"resources: [d.yaml]\n{text}",
        "e0/d.yaml": DEPLOYMENT,
        **{f"e0/{name.replace('__', '.')}": content for name, content in files.items()},
    }


def listed(field: str, entry: str, count: int) -> str:
    return f"{field}: [{', '.join(entry.replace('N', str(n)) for n in range(count))}]\n"


COPIES = "".join(f"- {{op: copy, from: /spec, path: /spec/c{n}}}\n" for n in range(40))
PATCH = "patches: [{target: {kind: Deployment}, path: p.yaml}]\n"
LOOP = {
    "definitions": {
        "a": {"$ref": "#/definitions/b"},
        "b": {"$ref": "#/definitions/a"},
        "T": {
            "type": "object",
            "x-kubernetes-group-version-kind": [
                {"group": "apps", "kind": "Deployment", "version": "v1"}
            ],
            "properties": {"spec": {"$ref": "#/definitions/a"}},
        },
    }
}
TYPES = {
    "x/A": {
        "Schema": {
            "properties": {"kind": {}, "apiVersion": {}, "metadata": {}, "a": {"$ref": "x/B"}}
        }
    },
    "x/B": {"Schema": {"properties": {"a": {"$ref": "x/B"}}}},
}


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        (diamond(14), RenderTooLarge, "2000 builds"),
        (tower(20_000), RenderTooLarge, "2000"),
        (app(f"commonLabels: {{{', '.join(f'k{n}: v' for n in range(20_000))}}}"), RenderTooLarge, "20000 labels"),
        (app(listed("labels", "{pairs: {kN: v}}", 1001)), RenderTooLarge, "1001 labels"),
        (app(listed("images", "{name: iN, newTag: v}", 1001)), RenderTooLarge, "images"),
        (app(listed("patches", "{patch: 'N'}", 1001)), RenderTooLarge, "patches"),
        (app(listed("configMapGenerator", "{name: cN}", 1001)), RenderTooLarge, "generators"),
        (
            app(listed("replacements", "{sourceValue: a, targets: [{fieldPaths: [a, b]}]}", 400)),
            RenderTooLarge,
            "1200 replacements",
        ),
        (app(PATCH, p__yaml=COPIES), RenderTooLarge, "copies an object into itself"),
        (app("openapi: {path: s.json}\n", s__json=orjson.dumps(LOOP).decode()), RenderFailed, "leads back"),
        (app("crds: [c.json]\n", c__json=orjson.dumps(TYPES).decode()), RenderFailed, "refers to itself"),
    ],
    ids=[
        "diamond", "tower", "common-labels", "labels", "images", "patches", "generators", "replacements",
        "copies", "openapi", "crds",
    ],
)  # fmt: skip
async def test_kustomizations(kustomize, files, error, words):
    with pytest.raises(error, match=words) as caught:
        await kustomize(files, "e0")
    assert caught.value.where.file


async def test_what_people_write_is_within_the_bounds(kustomize):
    assert len(await kustomize(diamond(6), "e0")) == 64
    assert len(await kustomize(tower(100), "e0")) == 0
    small = "".join(f"- {{op: copy, from: /spec/a, path: /spec/c{n}}}\n" for n in range(40))
    (copied,) = await kustomize(app(PATCH, p__yaml=small), "e0")
    assert copied["spec"]["c39"] == ["x"] * 4


def packed(files: dict[str, bytes], top: str = "sub") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, content in {"Chart.yaml": CHART.encode() % top.encode(), **files}.items():
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def nested(levels: int) -> bytes:
    inner = packed({})
    for _ in range(levels):
        inner = packed({"charts/sub.tgz": inner})
    return inner


MAP = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sub}\n"


@pytest.mark.parametrize(
    ("archive", "error", "words"),
    [
        (packed({f"f{n}": b"" for n in range(10_001)}), RenderTooLarge, "10000 entries"),
        (packed({"zeros": bytes(40 << 20)}), RenderTooLarge, "33554432 bytes"),
        (nested(11), TooDeep, "10 deep"),
        (packed({"charts\\sub.tgz": nested(11)}), TooDeep, "10 deep"),
        (packed({"charts/sub.tgz": packed({f"f{n}": b"" for n in range(10_001)})}), RenderTooLarge, "entries"),
        (b"\x1f\x8b not gzip", RenderFailed, "sub"),
    ],
    ids=["entries", "bytes", "nested", "backslashes", "inner-entries", "no-archive"],
)  # fmt: skip
async def test_archives_of_subcharts(helm, archive, error, words):
    files = {"chart/Chart.yaml": CHART % "web", "chart/charts/sub.tgz": archive}
    with pytest.raises(error, match=words):
        await helm(files)


async def test_a_packed_subchart_is_rendered(helm):
    archive = packed(
        {"templates/a.yaml": MAP, "charts/deep.tgz": packed({"templates/b.yaml": MAP}, "deep")}
    )
    files = {"chart/Chart.yaml": CHART % "web", "chart/charts/sub.tgz": archive}
    assert len(await helm(files)) == 2


async def test_a_values_schema_that_doubles(helm):
    parts = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]}
        for n in range(40)
    }
    schema = {"$defs": {**parts, "d40": {}}, "$ref": "#/$defs/d0"}
    files = {
        "chart/Chart.yaml": CHART % "web",
        "chart/values.schema.json": orjson.dumps(schema).decode(),
    }
    with pytest.raises(ChartValuesInvalid, match="200000 steps"):
        await helm(files)


async def test_subcharts_come_in_one_order(make_pool, job):
    """Helm loads subcharts in the order of a map; CRDs follow it."""
    from distributor.model.rendering import ChartOptions

    crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: %s}\n"
    files = {"chart/Chart.yaml": CHART % "web"}
    for name in "abcdefgh":
        files[f"chart/charts/{name}/Chart.yaml"] = CHART % name
        files[f"chart/charts/{name}/crds/x.yaml"] = crd % name
    pool = make_pool(workers=1)
    options = ChartOptions(release_name="r", namespace="n")
    answers = {await pool.render(job("helm", files, "chart", chart=options)) for _ in range(5)}
    assert len(answers) == 1
    names = [orjson.loads(item)["metadata"]["name"] for item in answers.pop()]
    assert names == list("abcdefgh")
