"""Plain manifests on the real engine: order, types, and what is refused."""

from __future__ import annotations

import orjson
import pytest

from distributor.errors.render import (
    BadManifest,
    NoKustomization,
    RenderTooLarge,
    TooDeep,
    TooManyObjects,
)

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def named(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


async def test_every_document_in_path_order(raw):
    files = {
        "m/b.yml": named("b1") + "---\n# nothing\n---\n" + named("b2") + "---\n",
        "m/a/x.yaml": named("a"),
        "m/c.json": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}',
        "m/readme.md": "no",
        "other/d.yaml": named("d"),
    }
    assert [item["metadata"]["name"] for item in await raw(files, "m")] == ["a", "b1", "b2", "c"]
    assert [item["metadata"]["name"] for item in await raw(files, "m/b.yml")] == ["b1", "b2"]


async def test_lists_are_expanded(raw):
    text = "apiVersion: v1\nkind: List\nitems:\n- &x {apiVersion: v1, kind: A}\n- *x\n"
    inner = "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: B}]}]"
    assert [item["kind"] for item in await raw({"a.yaml": text, "b.yaml": inner})] == [
        "A",
        "A",
        "B",
    ]


async def test_layers_lie_over_manifests(raw):
    component = (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {a: b}\n"
    )
    files = {"m/a.yaml": HEAD + "data: {'n': '1', 'y': 'yes'}\n", "c/kustomization.yaml": component}
    (found,) = await raw(files, "m", layers=("c",))
    assert found["metadata"]["annotations"] == {"a": "b"}
    assert found["data"] == {"n": "1", "y": "yes"}


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ("1", b"1"),
        ("-0", b"0"),
        ("+7", b"7"),
        ("0644", b"420"),
        ("0x1F", b"31"),
        ("1_000", b"1000"),
        ("18446744073709551615", b"18446744073709551615"),
        ("123456789012345678901234567890", b"123456789012345678901234567890"),
        ("-123456789012345678901234567890", b"-123456789012345678901234567890"),
        ("1.50", b"1.5"),
        ("1e3", b"1000"),
        ("1e21", b"1e+21"),
        ("1e999999999", b'"1e999999999"'),
        ("true", b"true"),
        ("yes", b"true"),
        ("off", b"false"),
        ("'yes'", b'"yes"'),
        ("!!str yes", b'"yes"'),
        ("~", b"null"),
        ("", b"null"),
        ("2020-01-01", b'"2020-01-01"'),
        ("'123'", b'"123"'),
        ("!!binary aGk=", b'"hi"'),
        ("'<a&b>'", b'"<a&b>"'),
        ('"\\t\\x01\\"\\\\"', b'"\\t\\u0001\\"\\\\"'),
        ("ü☃", '"ü☃"'.encode()),
        ("{b: 1, a: 2, 3: x, yes: z}", b'{"3":"x","a":2,"b":1,"true":"z"}'),
        ("{<<: {a: 1, b: 1}, a: 2}", b'{"a":2,"b":1}'),
        ("{<<: [{a: 1}, {a: 2, b: 3}]}", b'{"a":1,"b":3}'),
    ],
)
async def test_values_are_typed_as_kubernetes_types_them(pool, job, text, json):
    (found,) = await pool.render(job("raw", {"a.yaml": f"{HEAD}x: {text}\n"}))
    assert found.endswith(b',"x":' + json + b"}")
    orjson.loads(found)


@pytest.mark.parametrize(
    ("text", "error", "line"),
    [
        (HEAD + "data: {a: b, a: c}\n", BadManifest, 4),
        (HEAD + "data:\n  1: b\n  '1': c\n", BadManifest, 6),
        (HEAD + "x: .inf\n", BadManifest, 4),
        (HEAD + "x: !custom y\n", BadManifest, 4),
        (HEAD + "x: !custom [y]\n", BadManifest, 4),
        (HEAD + "x: !!set {y}\n", BadManifest, 4),
        (HEAD + f"x: {'9' * 5_000_000}\n", BadManifest, 4),
        (HEAD + "x: &a [*a]\n", BadManifest, 4),
        (HEAD + "x: &a {<<: *a}\n", TooDeep, 4),
        (HEAD + "? [a]\n: b\n", BadManifest, 4),
        (HEAD + "x: " + "[" * 200 + "]" * 200, TooDeep, 4),
        ("- a\n", BadManifest, 1),
        ("text\n", BadManifest, 1),
        ("kind: A\n", BadManifest, 1),
        ("apiVersion: v1\nkind: 3\n", BadManifest, 1),
        ("a: b: c\n", BadManifest, 0),
        ("a: 'b\n", BadManifest, 0),
        ("{", BadManifest, 0),
        (b"\xff\xfe", BadManifest, 0),
        (b"a: \0", BadManifest, 0),
    ],
)
async def test_what_is_refused(raw, text, error, line):
    with pytest.raises(error) as caught:
        await raw({"m/a.yaml": text}, "m")
    assert caught.value.where.file == "m/a.yaml"
    if line:
        assert caught.value.where.line == line


async def test_a_folder_without_manifests_is_no_empty_app(raw):
    with pytest.raises(NoKustomization):
        await raw({"m/readme.md": "x"}, "m")


async def test_limits(make_pool, job):
    pool = make_pool(max_objects=2, max_output=400, max_depth=5)
    with pytest.raises(TooManyObjects):
        await pool.render(job("raw", {"a.yaml": "---\n".join(map(named, "abc"))}))
    with pytest.raises(TooManyObjects, match="documents"):
        await pool.render(job("raw", {"a.yaml": "---\n" * 5 + named("a")}))
    with pytest.raises(TooManyObjects, match="documents"):
        await pool.render(
            job(
                "kustomize",
                {
                    "kustomization.yaml": "resources: [a.yaml]",
                    "a.yaml": "---\n".join(map(named, "abc")),
                },
            )
        )
    with pytest.raises(TooManyObjects, match="files that kustomizations name"):
        await pool.render(
            job(
                "kustomize",
                {
                    "kustomization.yaml": "resources: [a.yaml, b.yaml]",
                    "a.yaml": "---\n".join(map(named, "ab")),
                    "b.yaml": named("c"),
                },
            )
        )
    with pytest.raises(RenderTooLarge):
        await pool.render(job("raw", {"a.yaml": HEAD + f"x: {'y' * 500}\n"}))
    with pytest.raises(TooDeep):
        await pool.render(job("raw", {"a.yaml": HEAD + "x: [[[[[[]]]]]]\n"}))


async def test_fifty_megabytes_are_refused(pool, job):
    large = job("raw", {"a.yaml": b"#" * (50 << 20)})
    with pytest.raises(RenderTooLarge):
        await pool.render(large)
    assert pool.workers() == ()
