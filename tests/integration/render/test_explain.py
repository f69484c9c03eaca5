"""Which layer and which file set a field: a catalog with every layer there is, through the real engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from distributor.catalog.loading import Loader
from distributor.cli.choosing import Wanted, choose
from distributor.cli.local import Local, LocalRenderer, engine
from distributor.errors.catalog import UnknownReference
from distributor.model.refs import ObjectRef
from distributor.settings import Settings
from distributor.testing.trees import MemoryTrees

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one engine for all

DIGEST = "sha256:" + "d" * 64
COMPONENT = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}


def doc(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    head = {"apiVersion": "distributor.dev/v1alpha1", "kind": kind}
    return {**head, "metadata": {"name": name}, "spec": spec}


def app(name: str) -> dict[str, Any]:
    return doc("App", name, {"summary": "An app.", "owner": "us"})


def package(name: str, **spec: Any) -> dict[str, Any]:
    version = {"version": "1.0.0", "releasedAt": "2026-01-01", "namespace": {"name": name}}
    return doc("Package", name, {**version, **spec})


def deployment(name: str, **more: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "c", "image": "ghcr.io/acme/web:1"}]}
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}}  # fmt: skip
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **more},
        "spec": spec,
    }


def settings(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def note(key: str, name: str = "web") -> dict[str, Any]:
    """A patch that writes one annotation on the Deployment."""
    patch = [{"op": "add", "path": f"/metadata/annotations/{key}", "value": key}]
    return {"target": {"kind": "Deployment", "name": name}, "patch": yaml.safe_dump(patch)}


def patch_file(key: str) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "annotations": {key: key}}}  # fmt: skip


WEB = "catalog/web/1.0.0"
SITE = "catalog/site/1.0.0"
RAW = "catalog/raw/1.0.0"
ENV = "environments/sit"
FILES: dict[str, Any] = {
    "catalog/web/app.yaml": app("web"),
    f"{WEB}/package.yaml": package(
        "web", renderer="kustomize", path="base",
        fits={"os": ["linux"]},
        images=[{"name": "w", "reference": "ghcr.io/acme/web:2", "digest": DIGEST}],
        values={
            "schema": {"type": "object"}, "defaults": {"of_package": "p", "of_env": "x", "of_app": "x"},
            "bind": [{"name": n, "type": "string"} for n in ("of_package", "of_env", "of_app", "of_site")]
            + [{"name": "of_bind", "type": "string", "default": "b"}],
        },
        topology={"components": [{"name": "front", "kind": "frontend", "objects": ["apps/Deployment/web/web"]}]},
    ),
    f"{WEB}/base/kustomization.yaml": {
        "resources": ["web.yaml", "parts", "../shared"],
        "components": ["../feature"],
        "configMapGenerator": [
            {"name": "other", "literals": ["a=b"]},
            {"name": "made", "literals": ["said=literal"], "files": ["notes.txt", "renamed=notes.txt"],
             "envs": ["made.env"]},
        ],
        "patches": [{"path": "patches/first.yaml"}, note("inline"), note("over")],
        "commonAnnotations": {"common": "yes"},
        "images": [{"name": "ghcr.io/acme/web", "newTag": "2"}],
        "replicas": [{"name": "web", "count": 2}],
    },
    f"{WEB}/base/web.yaml": deployment("web", annotations={"own": "own", "over": "base", "gone": "x"}),
    f"{WEB}/base/patches/first.yaml": patch_file("from-file"),
    f"{WEB}/base/notes.txt": "a note",
    f"{WEB}/base/made.env": "FROM_ENV=1\nOTHER=2\n",
    f"{WEB}/base/parts/kustomization.yaml": {"resources": ["inner.yaml"], "namePrefix": "my-"},
    f"{WEB}/base/parts/inner.yaml": settings("inner", key="value"),
    f"{WEB}/shared/kustomization.yaml": {"resources": ["extra.yaml"]},
    f"{WEB}/shared/extra.yaml": settings(
        "extra", tier="${cluster_tier}", region="${cluster_region}", label="${cluster_label_site}",
        package="${of_package}", env="${of_env}", app="${of_app}", site="${of_site}", bind="${of_bind}",
        inline="${of_site_2}-${cluster_domain:=nowhere}", two="${of_env}/${cluster_name}"),
    f"{WEB}/feature/kustomization.yaml": {**COMPONENT, "patches": [note("of-feature"), {"path": "more.yaml"}]},
    f"{WEB}/feature/more.yaml": patch_file("of-feature-file"),
    f"{WEB}/env/sit/kustomization.yaml": {**COMPONENT, "patches": [note("of-env")]},
    f"{WEB}/tier/slim/kustomization.yaml": {**COMPONENT, "patches": [note("of-tier")], "resources": ["added.yaml"]},
    f"{WEB}/tier/slim/added.yaml": settings("added", a="b"),
    "catalog/site/app.yaml": app("site"),
    f"{SITE}/package.yaml": package(
        "site", renderer="helm", path="chart",
        values={"schema": {"type": "object"}, "defaults": {"replicas": 2, "image": {"tag": "3"}}},
    ),
    f"{SITE}/chart/Chart.yaml": {"apiVersion": "v2", "name": "site", "version": "1.0.0"},
    f"{SITE}/chart/values.yaml": {"replicas": 1, "image": {"repository": "ghcr.io/acme/site", "tag": "0"},
                                  "host": "chart.example", "debug": False, "loud": True},
    f"{SITE}/chart/templates/_helpers.tpl": '{{- define "site.name" -}}site{{- end -}}\n',
    f"{SITE}/chart/templates/site.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ include "site.name" . }}, annotations: {host: {{ .Values.host }}, fixed: "x"}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {a: b}}
  paused: {{ .Values.debug }}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers:
        - {name: c, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"}
        - {name: d, image: "ghcr.io/${cluster_tier}/helper:1"}
""",
    f"{SITE}/chart/templates/service.yaml": """
apiVersion: v1
kind: Service
metadata: {name: {{ include "site.name" . }}}
spec: {ports: [{port: 80}]}
""",
    f"{SITE}/chart/charts/sub/Chart.yaml": {"apiVersion": "v2", "name": "sub", "version": "1.0.0"},
    f"{SITE}/chart/charts/sub/templates/map.yaml":
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sub}\ndata: {a: {{ .Values.a | quote }}}\n",
    f"{SITE}/chart/charts/sub/values.yaml": {"a": "of-sub"},
    f"{SITE}/chart/crds/thing.yaml": {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.site.example"}, "spec": {"group": "site.example"}},
    f"{SITE}/tier/slim/kustomization.yaml": {**COMPONENT, "patches": [note("of-tier", "site")]},
    "catalog/raw/app.yaml": app("raw"),
    f"{RAW}/package.yaml": package("raw", renderer="raw", path="manifests", values={"schema": {"type": "object"}}),
    f"{RAW}/manifests/one.yaml": settings("one", a="b"),
    f"{RAW}/manifests/deep/two.yaml": settings("two", one="one"),
    "environments/tiers/slim/tier.yaml": doc("Tier", "slim", {"displayName": "Slim"}),
    "environments/tiers/slim/kustomization.yaml": {**COMPONENT, "patches": [note("of-all-slim", ".*")]},
    f"{ENV}/environment.yaml": doc("Environment", "sit", {
        "install": "explicit", "signatures": "optional",
        "defaults": {"registry": "mirror.example/m", "values": {"web": {"of_env": "e", "of_app": "x"}, "site": {"host": "env.example"}}}}),
    f"{ENV}/overlay/kustomization.yaml": {**COMPONENT, "patches": [note("of-overlay", ".*"), {
        "target": {"kind": "Deployment", "name": "web"},
        "patch": "- {op: remove, path: /metadata/annotations/gone}"}]},
    f"{ENV}/apps/web.yaml": doc("Installation", "web", {
        "app": "web", "values": {"of_app": "a"}, "patches": [note("first"), note("last")]}),
    f"{ENV}/apps/site.yaml": doc("Installation", "site", {
        "app": "site", "namespace": "sites", "values": {"image": {"tag": "4"}}}),
    f"{ENV}/apps/raw.yaml": doc("Installation", "raw", {"app": "raw"}),
    f"{ENV}/clusters/c1.yaml": doc("Cluster", "c1", {
        "tier": "slim", "kubernetes": "1.33", "region": "north", "labels": {"site": "ship"},
        "properties": {"of_site": "s"}, "delivery": {"mode": "directory", "connection": "c1"}}),
    f"{ENV}/clusters/c2.yaml": doc("Cluster", "c2", {
        "tier": "slim", "kubernetes": "1.33", "region": "south", "labels": {"site": "shore"},
        "properties": {"of_site": "s"}, "registry": "own.example:5000",
        "delivery": {"mode": "directory", "connection": "c2"}}),
    "environments/pipeline.yaml": doc("Pipeline", "pipeline", {"environments": [{"name": "sit"}]}),
}  # fmt: skip


def read(files: dict[str, Any]) -> Local:
    trees = MemoryTrees()
    texts = {k: v if isinstance(v, str) else yaml.safe_dump(v) for k, v in files.items()}
    catalog = Loader(trees).load(trees.add({k: v.encode() for k, v in texts.items()}))
    assert [f for f in catalog.findings if f.code != "DST113"] == []
    return Local(root=Path(), reader=trees, catalog=catalog)


@pytest.fixture(scope="module")
def local() -> Local:
    return read(FILES)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool():
    async with engine(Settings()) as pool:
        yield pool


async def asked(local, pool, name, ref, path, cluster="c1"):
    choice = choose(
        local, local.catalog.package(name, "1.0.0"), Wanted(environment="sit", cluster=cluster)
    )
    return await LocalRenderer(local, pool).explain(choice, ObjectRef.parse(ref), path)


DEPLOYMENT = "apps/Deployment/web/web"
NOTE = "metadata.annotations"
IMAGE = "spec.template.spec.containers[0].image"


@pytest.mark.parametrize(
    ("ref", "path", "layer", "file", "place"),
    [
        # the base: resources, their folders, generators, components, patches, transformers
        (DEPLOYMENT, "kind", f"{WEB}/base", f"{WEB}/base/web.yaml", ""),
        (DEPLOYMENT, f"{NOTE}.own", f"{WEB}/base", f"{WEB}/base/web.yaml", ""),
        ("ConfigMap/web/my-inner", "data.key", f"{WEB}/base", f"{WEB}/base/parts/inner.yaml", ""),
        ("ConfigMap/web/my-inner", "metadata.name", f"{WEB}/base", f"{WEB}/base/parts/kustomization.yaml", "namePrefix"),
        ("ConfigMap/web/my-inner", "metadata.namespace", "the service", f"{WEB}/package.yaml", "spec.namespace.name"),
        ("ConfigMap/web/extra", "kind", f"{WEB}/base", f"{WEB}/shared/extra.yaml", ""),
        (DEPLOYMENT, f"{NOTE}.from-file", f"{WEB}/base", f"{WEB}/base/patches/first.yaml", ""),
        (DEPLOYMENT, f"{NOTE}.inline", f"{WEB}/base", f"{WEB}/base/kustomization.yaml", "patches[1]"),
        (DEPLOYMENT, f"{NOTE}.over", f"{WEB}/base", f"{WEB}/base/kustomization.yaml", "patches[2]"),
        (DEPLOYMENT, f"{NOTE}.of-feature", f"{WEB}/base", f"{WEB}/feature/kustomization.yaml", "patches[0]"),
        (DEPLOYMENT, f"{NOTE}.of-feature-file", f"{WEB}/base", f"{WEB}/feature/more.yaml", ""),
        (DEPLOYMENT, f"{NOTE}.common", f"{WEB}/base", f"{WEB}/base/kustomization.yaml", "commonAnnotations"),
        (DEPLOYMENT, "spec.replicas", f"{WEB}/base", f"{WEB}/base/kustomization.yaml", "replicas[0]"),
        # the layers above it
        (DEPLOYMENT, f"{NOTE}.of-env", f"{WEB}/env/sit", f"{WEB}/env/sit/kustomization.yaml", "patches[0]"),
        (DEPLOYMENT, f"{NOTE}.of-tier", f"{WEB}/tier/slim", f"{WEB}/tier/slim/kustomization.yaml", "patches[0]"),
        ("ConfigMap/web/added", "data.a", f"{WEB}/tier/slim", f"{WEB}/tier/slim/added.yaml", ""),
        (DEPLOYMENT, f"{NOTE}.of-all-slim", "environments/tiers/slim", "environments/tiers/slim/kustomization.yaml", "patches[0]"),
        (DEPLOYMENT, f"{NOTE}.of-overlay", f"{ENV}/overlay", f"{ENV}/overlay/kustomization.yaml", "patches[0]"),
        (DEPLOYMENT, f"{NOTE}.gone", f"{ENV}/overlay", f"{ENV}/overlay/kustomization.yaml", "patches[1]"),
        (DEPLOYMENT, f"{NOTE}.first", f"{ENV}/apps/web.yaml", f"{ENV}/apps/web.yaml", "spec.patches[0]"),
        (DEPLOYMENT, f"{NOTE}.last", f"{ENV}/apps/web.yaml", f"{ENV}/apps/web.yaml", "spec.patches[1]"),
        # the service
        (DEPLOYMENT, "metadata.namespace", "the service", f"{WEB}/package.yaml", "spec.namespace.name"),
        (DEPLOYMENT, 'metadata.labels["app.kubernetes.io/component"]', "the service", f"{WEB}/package.yaml", "spec.topology"),
        (DEPLOYMENT, 'spec.template.spec.nodeSelector["kubernetes.io/os"]', "the service", f"{WEB}/package.yaml", "spec.fits.os"),
        ("Namespace//web", "kind", "the service", f"{WEB}/package.yaml", "spec.namespace.create"),
        # the cluster
        ("ConfigMap/web/extra", "data.tier", "late binding", f"{ENV}/clusters/c1.yaml", "spec.tier"),
        ("ConfigMap/web/extra", "data.region", "late binding", f"{ENV}/clusters/c1.yaml", "spec.region"),
        ("ConfigMap/web/extra", "data.label", "late binding", f"{ENV}/clusters/c1.yaml", "spec.labels"),
        ("ConfigMap/web/extra", "data.site", "late binding", f"{ENV}/clusters/c1.yaml", "spec.properties.of_site"),
        ("ConfigMap/web/extra", "data.package", "late binding", f"{WEB}/package.yaml", "spec.values.defaults.of_package"),
        ("ConfigMap/web/extra", "data.env", "late binding", f"{ENV}/environment.yaml", "spec.defaults.values.web.of_env"),
        ("ConfigMap/web/extra", "data.app", "late binding", f"{ENV}/apps/web.yaml", "spec.values.of_app"),
        ("ConfigMap/web/extra", "data.bind", "late binding", f"{WEB}/package.yaml", "spec.values.bind[4].default"),
    ],
)  # fmt: skip
async def test_the_layer_the_file_and_the_place(local, pool, ref, path, layer, file, place):
    found = await asked(local, pool, "web", ref, path)
    assert (found.layer, found.files, found.places) == (layer, (file,), (place,))


async def test_what_lies_below_is_told(local, pool):
    found = await asked(local, pool, "web", "ConfigMap/web/extra", "data.two")
    assert found.value == "e/c1"
    assert found.files == (f"{ENV}/environment.yaml", f"{ENV}/clusters/c1.yaml")
    assert found.under.value == "${of_env}/${cluster_name}"
    assert found.under.files == (f"{WEB}/shared/extra.yaml",)
    inline = await asked(local, pool, "web", "ConfigMap/web/extra", "data.inline")
    assert (inline.value, inline.files) == ("${of_site_2}-nowhere", ())
    over = await asked(local, pool, "web", DEPLOYMENT, f"{NOTE}.gone")
    assert over.value is None


@pytest.mark.parametrize(
    ("path", "layer", "file", "place"),
    [
        ("metadata.name", f"{ENV}/overlay", f"{ENV}/overlay/kustomization.yaml", "nameSuffix"),
        ("metadata.namespace", f"{ENV}/overlay", f"{ENV}/overlay/kustomization.yaml", "namespace"),
        ("data.key", f"{WEB}/base", f"{WEB}/base/inner.yaml", ""),
        (f"{NOTE}.of-env", f"{WEB}/env/sit", f"{WEB}/env/sit/kustomization.yaml", "patches[0]"),
    ],
)
async def test_an_object_that_an_upper_layer_renames(pool, path, layer, file, place):
    """It is found in the layers below by the name that it has in the end."""
    overlay = {**COMPONENT, "nameSuffix": "-end", "namespace": "elsewhere"}
    patch = {"op": "add", "path": f"/{NOTE.replace('.', '/')}", "value": {"of-env": "x"}}
    of_env = {"target": {"kind": "ConfigMap"}, "patch": yaml.safe_dump([patch])}
    files = {
        **FILES,
        f"{WEB}/base/kustomization.yaml": {"resources": ["inner.yaml"]},
        f"{WEB}/base/inner.yaml": settings("inner", key="value"),
        f"{WEB}/env/sit/kustomization.yaml": {**COMPONENT, "patches": [of_env]},
        f"{ENV}/overlay/kustomization.yaml": overlay,
    }
    ref = "ConfigMap/elsewhere/inner-end"
    found = await asked(read(files), pool, "web", ref, path)
    assert (found.layer, found.files, found.places) == (layer, (file,), (place,))


def sets(path: str, value: object) -> dict[str, Any]:
    """A patch that sets one field of the Deployment."""
    patch = [{"op": "replace", "path": path, "value": value}]
    return {"target": {"kind": "Deployment", "name": "web"}, "patch": yaml.safe_dump(patch)}


@pytest.mark.parametrize(
    ("layers", "layer", "file", "place"),
    [
        ([], f"{WEB}/base", "base/kustomization.yaml", "replicas[0]"),
        (["base"], f"{WEB}/base", "base/kustomization.yaml", "patches[1]"),
        (["base", "env"], f"{WEB}/env/sit", "env/sit/kustomization.yaml", "patches[1]"),
        (["env", "overlay"], f"{ENV}/overlay", f"{ENV}/overlay/kustomization.yaml", "replicas[0]"),
        (["env", "app"], f"{ENV}/apps/web.yaml", f"{ENV}/apps/web.yaml", "spec.patches[0]"),
        (["app", "other"], f"{WEB}/base", "base/kustomization.yaml", "replicas[0]"),
    ],
)
async def test_of_layers_that_say_the_same_the_last_is_in_force(pool, layers, layer, file, place):
    two = sets("/spec/replicas", 2)
    base = {"resources": ["web.yaml"], "patches": [note("x"), sets("/spec/replicas", 2)]}
    if "base" not in layers:
        base |= {"patches": [note("x")], "replicas": [{"name": "web", "count": 2}]}
    app_patches = [two, note("x")] if "app" in layers and "other" not in layers else [note("x")]
    files = {
        **FILES,
        f"{WEB}/base/kustomization.yaml": base,
        f"{WEB}/base/web.yaml": {**deployment("web", annotations={}), "spec": {
            **deployment("web")["spec"], "replicas": 2 if "base" in layers else 1}},
        f"{WEB}/env/sit/kustomization.yaml": {
            **COMPONENT, "patches": [note("x"), *([two] if "env" in layers else [])]},
        f"{ENV}/overlay/kustomization.yaml": {
            **COMPONENT, "patches": [note("x")],
            **({"replicas": [{"name": "web", "count": 2}]} if "overlay" in layers else {})},
        f"{ENV}/apps/web.yaml": doc("Installation", "web", {"app": "web", "patches": app_patches}),
    }  # fmt: skip
    found = await asked(read(files), pool, "web", DEPLOYMENT, "spec.replicas")
    file = file if file.startswith("environments") else f"{WEB}/{file}"
    assert (found.layer, found.files, found.places) == (layer, (file,), (place,))
    assert found.value == 2


async def test_text_of_a_secret_is_told_as_it_was_written(pool):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"own": "eA=="},
              "stringData": {"fixed": "plain", "bound": "of ${cluster_name}"}}  # fmt: skip
    files = {
        **FILES,
        f"{WEB}/base/kustomization.yaml": {"resources": ["web.yaml", "secret.yaml"]},
        f"{WEB}/base/web.yaml": deployment("web", annotations={"gone": "x"}),
        f"{WEB}/base/secret.yaml": secret,
    }
    local = read(files)

    async def rows(path):
        found, said = await asked(local, pool, "web", "Secret/web/s", path), []
        while found is not None:
            said.append((found.layer, found.value))
            found = found.under
        return said

    base = f"{WEB}/base"
    assert await rows("data.own") == [(base, "eA==")]
    assert await rows("data.fixed") == [("the service", "cGxhaW4="), (base, "plain")]
    assert await rows("stringData.fixed") == [("the service", None), (base, "plain")]
    assert await rows("data.bound") == [
        ("the service", "b2YgYzE="),
        ("late binding", "of c1"),
        (base, "of ${cluster_name}"),
    ]


@pytest.mark.parametrize(
    ("key", "sources"),
    [
        ("said", [("kustomization.yaml", "configMapGenerator[1]")]),
        ('["notes.txt"]', [("kustomization.yaml", "configMapGenerator[1]"), ("notes.txt", "")]),
        ("renamed", [("kustomization.yaml", "configMapGenerator[1]"), ("notes.txt", "")]),
        ("FROM_ENV", [("kustomization.yaml", "configMapGenerator[1]"), ("made.env", "")]),
    ],
)
async def test_generated_data_names_the_file_that_it_was_read_from(local, pool, key, sources):
    choice = choose(
        local, local.catalog.package("web", "1.0.0"), Wanted(environment="sit", cluster="c1")
    )
    bound = await LocalRenderer(local, pool).bound(choice)
    name = next(m.ref.name for m in bound if m.ref.name.startswith("made-"))
    path = f"data{key}" if key.startswith("[") else f"data.{key}"
    found = await asked(local, pool, "web", f"ConfigMap/web/{name}", path)
    assert list(zip(found.files, found.places, strict=True)) == [
        (f"{WEB}/base/{f}", p) for f, p in sources
    ]


async def test_an_image_tells_every_hand_that_touched_it(local, pool):
    found = await asked(local, pool, "web", DEPLOYMENT, IMAGE, cluster="c2")
    assert (found.layer, found.value) == ("late binding", f"own.example:5000/acme/web:2@{DIGEST}")
    assert list(zip(found.files, found.places, strict=True)) == [
        (f"{ENV}/clusters/c2.yaml", "spec.registry")
    ]
    service = found.under
    assert (service.layer, service.value) == (
        "the service",
        f"mirror.example/m/acme/web:2@{DIGEST}",
    )
    assert list(zip(service.files, service.places, strict=True)) == [
        (f"{WEB}/package.yaml", "spec.images[0].digest"),
        (f"{ENV}/environment.yaml", "spec.defaults.registry"),
    ]
    base = service.under
    assert (base.layer, base.places, base.value) == (
        f"{WEB}/base",
        ("images[0]",),
        "ghcr.io/acme/web:2",
    )
    assert base.under is None
    assert (await asked(local, pool, "web", DEPLOYMENT, IMAGE, cluster="c1")).layer == "the service"


@pytest.mark.parametrize(
    ("ref", "path", "sources"),
    [
        ("apps/Deployment/sites/site", "spec.replicas",
         [("chart/templates/site.yaml", ""), ("package.yaml", "spec.values.defaults.replicas")]),
        ("apps/Deployment/sites/site", f"{NOTE}.fixed", [("chart/templates/site.yaml", "")]),
        ("apps/Deployment/sites/site", f"{NOTE}.host",
         [("chart/templates/site.yaml", ""), (f"{ENV}/environment.yaml", "spec.defaults.values.site.host")]),
        ("apps/Deployment/sites/site", "spec.paused",
         [("chart/templates/site.yaml", ""), ("chart/values.yaml", "debug")]),
        ("Service/sites/site", "spec.ports[0].port", [("chart/templates/service.yaml", "")]),
        ("ConfigMap/sites/sub", "kind", [("chart/charts/sub/templates/map.yaml", "")]),
        ("apiextensions.k8s.io/CustomResourceDefinition//things.site.example", "spec.group", [("chart/crds/thing.yaml", "")]),
        ("apps/Deployment/sites/site", f"{NOTE}.of-tier", [("tier/slim/kustomization.yaml", "patches[0]")]),
        ("Service/sites/site", "metadata.namespace", [(f"{ENV}/apps/site.yaml", "spec.namespace")]),
    ],
)  # fmt: skip
async def test_a_chart_names_template_and_values(local, pool, ref, path, sources):
    found = await asked(local, pool, "site", ref, path)
    wanted = [
        (f if f.startswith("environments/") else f"{SITE}/{f}", place) for f, place in sources
    ]
    assert list(zip(found.files, found.places, strict=True)) == wanted


async def test_an_image_that_no_package_lists_comes_from_the_mirror_too(local, pool):
    found = await asked(local, pool, "site", "apps/Deployment/sites/site", IMAGE)
    assert (found.layer, found.value) == ("the service", "mirror.example/m/acme/site:4")
    assert list(zip(found.files, found.places, strict=True)) == [
        (f"{ENV}/environment.yaml", "spec.defaults.registry")
    ]
    chart = found.under
    assert chart.value == "ghcr.io/acme/site:4"
    assert list(zip(chart.files, chart.places, strict=True)) == [
        (f"{SITE}/chart/templates/site.yaml", ""),
        (f"{SITE}/chart/values.yaml", "image.repository"),
        (f"{ENV}/apps/site.yaml", "spec.values.image.tag"),
    ]


@pytest.mark.parametrize(
    ("cluster", "registry", "source"),
    [
        ("c1", "mirror.example/m", (f"{ENV}/environment.yaml", "spec.defaults.registry")),
        ("c2", "own.example:5000", (f"{ENV}/clusters/c2.yaml", "spec.registry")),
    ],
)
async def test_an_image_with_a_variable_comes_from_the_mirror_when_it_is_bound(
    local, pool, cluster, registry, source
):
    path = IMAGE.replace("[0]", "[1]")
    found = await asked(local, pool, "site", "apps/Deployment/sites/site", path, cluster=cluster)
    assert (found.layer, found.value) == ("late binding", f"{registry}/slim/helper:1")
    assert list(zip(found.files, found.places, strict=True)) == [
        (f"{ENV}/clusters/{cluster}.yaml", "spec.tier"),
        source,
    ]


@pytest.mark.parametrize(
    ("ref", "path", "file"),
    [
        ("ConfigMap/raw/one", "data.a", "one.yaml"),
        ("ConfigMap/raw/two", "data.one", "deep/two.yaml"),
    ],
)
async def test_plain_manifests(local, pool, ref, path, file):
    found = await asked(local, pool, "raw", ref, path)
    assert (found.layer, found.files) == (f"{RAW}/manifests", (f"{RAW}/manifests/{file}",))


@pytest.mark.parametrize(
    ("ref", "path"),
    [("ConfigMap/web/none", "data"), (DEPLOYMENT, "spec.none"), (DEPLOYMENT, "kind.x"), (DEPLOYMENT, "a[")],
)  # fmt: skip
async def test_what_is_nowhere(local, pool, ref, path):
    with pytest.raises(UnknownReference):
        await asked(local, pool, "web", ref, path)
