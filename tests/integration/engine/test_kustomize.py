"""Kustomizations, components and patches on the real engine, and what is refused."""

from __future__ import annotations

import pytest

from distributor.errors.render import (
    BadManifest,
    DuplicateObject,
    NoKustomization,
    OutsideTree,
    PluginRefused,
    RemoteBase,
    RenderFailed,
    RenderTooLarge,
    TooDeep,
)

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  template:
    spec:
      containers: [{name: web, image: nginx:1, envFrom: [{configMapRef: {name: settings}}]}]
"""
BASE = {
    "base/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator:\n- {name: settings, literals: [a=1]}\n",
    "base/web.yaml": DEPLOYMENT,
}
REPLICAS = """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
- target: {kind: Deployment}
  patch: |
    - {op: replace, path: /spec/replicas, value: %s}
"""
LAYERED = {
    **BASE,
    "env/uat/kustomization.yaml": REPLICAS % 3,
    "tier/edge/kustomization.yaml": REPLICAS % 5 + "namePrefix: edge-\n",
}
PATCH = {
    "target": {"kind": "Deployment"},
    "patch": "- {op: add, path: /metadata/labels, value: {x: z}}",
}


def one(objects, kind="Deployment"):
    (found,) = [item for item in objects if item["kind"] == kind]
    return found


async def test_a_kustomization(kustomize):
    objects = await kustomize(BASE, "base")
    name = one(objects, "ConfigMap")["metadata"]["name"]
    container = one(objects)["spec"]["template"]["spec"]["containers"][0]
    assert name.startswith("settings-")
    assert container["envFrom"] == [{"configMapRef": {"name": name}}]


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
async def test_all_names_of_a_kustomization(kustomize, name):
    objects = await kustomize({name: "resources: [web.yaml]", "web.yaml": DEPLOYMENT})
    assert one(objects)["metadata"] == {"name": "web"}


async def test_layers_apply_in_order_then_patches_and_names_are_followed(kustomize):
    layers = ("env/uat", "tier/edge")
    objects = await kustomize(LAYERED, "base", layers=layers, patches=[PATCH])
    web = one(objects)
    assert web["spec"]["replicas"] == 5
    assert web["metadata"] == {"name": "edge-web", "labels": {"x": "z"}}
    config = one(objects, "ConfigMap")["metadata"]["name"]
    assert config.startswith("edge-settings-")
    container = web["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"configMapRef": {"name": config}}]
    turned = await kustomize(LAYERED, "base", layers=tuple(reversed(layers)))
    assert one(turned)["spec"]["replicas"] == 3


async def test_the_label_that_names_the_release_of_kustomize(kustomize):
    files = {
        "kustomization.yaml": "resources: [web.yaml]\nbuildMetadata: [managedByLabel]\n",
        "web.yaml": DEPLOYMENT,
    }
    labels = one(await kustomize(files))["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/managed-by": "kustomize-v5.8.1"}


async def test_a_patch_in_a_file_is_read_from_the_root_of_the_tree(kustomize):
    files = {**BASE, "patches/p.yaml": PATCH["patch"]}
    patch = {"target": PATCH["target"], "path": "patches/p.yaml"}
    assert one(await kustomize(files, "base", patches=[patch]))["metadata"]["labels"] == {"x": "z"}
    with pytest.raises(RenderFailed, match="not in the tree"):
        await kustomize(files, "base", patches=[{**patch, "path": "gone.yaml"}])
    with pytest.raises(OutsideTree):
        await kustomize(files, "base", patches=[{**patch, "path": "../p.yaml"}])


async def test_the_root_of_the_tree_can_be_a_base_with_layers(kustomize):
    files = {"kustomization.yaml": "resources: [web.yaml]", "web.yaml": DEPLOYMENT}
    files |= {"c/kustomization.yaml": REPLICAS % 7}
    assert one(await kustomize(files, layers=("c",)))["spec"]["replicas"] == 7


async def test_nothing_between_braces_is_empty_text_as_kubectl_has_it(kustomize):
    text = "apiVersion: v1\nkind: A\nmetadata: {name: a}\nx: {a: , b: ~}\ny:\n  a:\n"
    (found,) = await kustomize({"kustomization.yaml": "resources: [a.yaml]", "a.yaml": text})
    assert (found["x"], found["y"]) == ({"a": "", "b": None}, {"a": None})


ODD_NAMES = [
    "a name (with spaces).yaml",
    "größe-☃.yaml",
    "host:port.yaml",
    "me@home.yaml",
    "why?.yaml",
    "github.com/web.yaml",
    "dir.git/web.yaml",
]


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_names_of_files_are_free(kustomize, name):
    files = {"app/kustomization.yaml": f"resources: ['{name}']", f"app/{name}": DEPLOYMENT}
    assert one(await kustomize(files, "app"))["metadata"] == {"name": "web"}
    unused = {"kustomization.yaml": "resources: [web.yaml]", "web.yaml": DEPLOYMENT, name: "x"}
    assert len(await kustomize(unused)) == 1


@pytest.mark.parametrize("folder", ["me@home", "x.git", "a b", "ä"])
async def test_names_of_folders_are_free(kustomize, folder):
    files = {"kustomization.yaml": f"resources: ['{folder}']"}
    files |= {f"{folder}/kustomization.yaml": "resources: [d.yaml]", f"{folder}/d.yaml": DEPLOYMENT}
    assert len(await kustomize(files)) == 1


async def test_a_folder_that_kustomize_would_clone_is_remote(kustomize):
    files = {"kustomization.yaml": "resources: [github.com/a/b]"}
    files |= {"github.com/a/b/kustomization.yaml": "namePrefix: a-"}
    with pytest.raises(RemoteBase):
        await kustomize(files)


async def test_a_path_is_a_file_or_a_folder(kustomize):
    with pytest.raises(RenderFailed, match="file and of a folder"):
        await kustomize({**BASE, "x": "1", "x/y": "1"}, "base")


REFUSED = [
    ("resources: [https://example.org/a.yaml]", RemoteBase),
    ("resources: ['git@example.org:a/b']", RemoteBase),
    ("resources: ['ssh://git@example.org/a/b']", RemoteBase),
    ("resources: [github.com/a/b]", RemoteBase),
    ("resources: ['example.org/a/b?ref=v1']", RemoteBase),
    ("resources: ['git::https://example.org/a']", RemoteBase),
    ("resources: ['file:///etc']", RemoteBase),
    ("components: [https://example.org/a]", RemoteBase),
    ("configMapGenerator: [{name: a, files: ['k=https://example.org/x']}]", RemoteBase),
    ("secretGenerator: [{name: a, envs: ['http://example.org/x']}]", RemoteBase),
    ("patches: [{path: 'https://example.org/x'}]", RemoteBase),
    ("patchesStrategicMerge: ['https://example.org/x']", RemoteBase),
    ("openapi: {path: 'https://example.org/x'}", RemoteBase),
    ("helmCharts: [{name: a, repo: 'https://example.org'}]", RemoteBase),
    ("resources: [/etc]", OutsideTree),
    ("resources: [../../etc]", OutsideTree),
    ("configMapGenerator: [{name: a, files: [../../etc/passwd]}]", OutsideTree),
    ("configMapGenerator: [{name: a, files: [k=/etc/passwd]}]", OutsideTree),
    ("configMapGenerator: [{name: a, files: [../beside.txt]}]", OutsideTree),
    ("generators: [plugin.yaml]", PluginRefused),
    ("transformers: [function.yaml]", PluginRefused),
    ("transformers: ['{apiVersion: x/v1, kind: Y, metadata: {name: z}}']", PluginRefused),
    ("resources: [empty-folder]", NoKustomization),
    ("resources: [gone.yaml]", RenderFailed),
    ("resources: [../gone]", OutsideTree),
    ("patches: [{path: ../gone.yaml}]", OutsideTree),
    ("resources: [web.yaml, again.yaml]", DuplicateObject),
    (
        "configMapGenerator: [{name: a, literals: [a=1]}, {name: a, literals: [a=2]}]",
        DuplicateObject,
    ),
    ("resources: [twice.yaml]", BadManifest),
    ("resources: [bomb.yaml]", RenderTooLarge),
    ("resources: [deep.yaml]", TooDeep),
    ("resources: [latin.yaml]", BadManifest),
    ("resources: [nul.yaml]", BadManifest),
    ("resources: [web.yaml]\nresources: []", BadManifest),
    ("resources: [web.yaml]\nunknownField: 1", RenderFailed),
    ("resources: [.]", RenderFailed),
    ("kind: Component", RenderFailed),
]
HOSTILE = {
    "app/web.yaml": DEPLOYMENT,
    "app/again.yaml": DEPLOYMENT,
    "beside.txt": "x",
    "app/plugin.yaml": "apiVersion: someteam/v1\nkind: Exec\nmetadata: {name: a}\n",
    "app/function.yaml": (
        "apiVersion: x/v1\nkind: F\nmetadata:\n  name: a\n"
        "  annotations: {config.kubernetes.io/function: 'container: {image: x}'}\n"
    ),
    "app/empty-folder/readme.md": "",
    "app/twice.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: a}\ndata: {y: b}\n",
    "app/bomb.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nx:\n  a0: &a0 [1,1,1,1,1,1,1,1,1]\n"
    + "".join(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)),
    "app/deep.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: a}\nx: " + "[" * 500 + "]" * 500,
    "app/latin.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: é}\n".encode("latin-1"),
    "app/nul.yaml": b"apiVersion: v1\nkind: A\nmetadata: {name: \0}\n",
}


@pytest.mark.parametrize(("text", "error"), REFUSED, ids=[text[:60] for text, _ in REFUSED])
async def test_what_is_refused(kustomize, text, error):
    with pytest.raises(error) as caught:
        await kustomize({**HOSTILE, "app/kustomization.yaml": text}, "app")
    assert type(caught.value) is error
    assert caught.value.where.file


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("gone", NoKustomization),
        ("../x", OutsideTree),
        ("/etc", OutsideTree),
        ("a/../b", OutsideTree),
    ],
)
async def test_paths_are_inside_the_tree(kustomize, path, error):
    with pytest.raises(error):
        await kustomize(BASE, path)
    with pytest.raises(error):
        await kustomize(BASE, "base", layers=(path,))


@pytest.mark.parametrize("name", ["../a", "/a", "a/../b", "a//b", "a\\b", "a\0"])
async def test_file_names_are_inside_the_tree(kustomize, name):
    with pytest.raises(OutsideTree):
        await kustomize({**BASE, name: "x"}, "base")


async def test_two_kustomization_files_are_one_too_many(kustomize):
    with pytest.raises(RenderFailed, match="several"):
        await kustomize({**BASE, "base/Kustomization": "resources: []"}, "base")


SCHEMA = """{"definitions": {"x": {"type": "object",
 "x-kubernetes-group-version-kind": [{"group": "example.org", "kind": "Thing", "version": "v1"}],
 "properties": {"parts": {"type": "array", "x-kubernetes-patch-merge-key": "name",
  "x-kubernetes-patch-strategy": "merge", "items": {"type": "object"}}}}}}"""
THING = {
    "thing.yaml": "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: t}\nparts: [{name: a}]\n",
    "kustomization.yaml": (
        "resources: [thing.yaml]\npatches:\n- patch: |\n"
        "    {apiVersion: example.org/v1, kind: Thing, metadata: {name: t}, parts: [{name: b}]}\n"
    ),
}


async def test_a_custom_schema_stays_with_its_request(make_pool, job):
    pool = make_pool(workers=1)
    plain = job("kustomize", THING)
    text = THING["kustomization.yaml"] + "openapi: {path: schema.json}\n"
    custom = job("kustomize", {**THING, "kustomization.yaml": text, "schema.json": SCHEMA})
    before = await pool.render(plain)
    merged = await pool.render(custom)
    assert b'"parts":[{"name":"b"}]' in before[0]
    assert merged[0].count(b'"name":"a"') == 1
    assert await pool.render(plain) == before
    assert await pool.render(custom) == merged
    assert len(pool.workers()) == 1


async def test_a_panic_is_an_answer_and_the_worker_lives_on(make_pool, job):
    pool = make_pool(workers=1)
    text = THING["kustomization.yaml"] + "openapi: {path: schema.json}\n"
    broken = job("kustomize", {**THING, "kustomization.yaml": text, "schema.json": "{"})
    with pytest.raises(RenderFailed, match="panicked"):
        await pool.render(broken)
    (worker,) = pool.workers()
    assert len(await pool.render(job("kustomize", THING))) == 1
    assert [status.pid for status in pool.workers()] == [worker.pid]
