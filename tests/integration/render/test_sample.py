"""The sample catalog, from its files to the objects of every cluster, through the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributor.adapters.engine.pool import EnginePool
from distributor.catalog.loading import Loader
from distributor.cli.choosing import Wanted, choose
from distributor.cli.local import Local, LocalRenderer
from distributor.model.catalog import Catalog
from distributor.model.package import Package
from distributor.model.refs import ObjectRef
from distributor.placement import Placer, installations
from distributor.render import (
    PART_OF,
    Binder,
    Variables,
    applyset_id,
    binder_of,
    cells,
    finish,
    job,
    render_input,
    variables,
)
from distributor.render.images import image_places
from distributor.testing.trees import MemoryTrees

ROOT = Path(__file__).parents[3]


def sample() -> dict[str, bytes]:
    return {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for top in ("catalog", "environments", "policies")
        for path in sorted((ROOT / top).rglob("*"))
        if path.is_file()
    }


@pytest.fixture
async def engine():
    pool = EnginePool()
    yield pool
    await pool.aclose()


@pytest.fixture
def trees() -> MemoryTrees:
    return MemoryTrees()


@pytest.fixture
def catalog(trees) -> Catalog:
    return Loader(trees).load(trees.add(sample()))


async def test_every_cell_renders_and_every_cluster_binds(trees, catalog, engine):
    seen = 0
    for environment, files in catalog.environments.items():
        placer = Placer(files)
        for installation in installations(catalog, environment).values():
            for package in catalog.packages[installation.app].values():
                targets = placer.place(package, installation).targets
                clusters = [t.cluster for t in targets]
                made = cells(catalog, package, installation, files, clusters)
                values = Variables(package, installation, files.environment)
                binders = {}
                for cell in {c.digest: c for c in made.values()}.values():
                    rendered = await engine.render(job(cell, package, installation, trees))
                    finished = finish(rendered, cell, package)
                    assert finish([m.body for m in finished], cell, package) == finished
                    binders[cell.digest] = binder_of(rendered, cell, package)
                for cluster in clusters:
                    cell = made[cluster.name]
                    bound = binders[cell.digest].bind(values.of(cluster), cluster.registry)
                    check(bound, package, cell.namespace, installation.instance)
                    seen += 1
    assert seen >= 100


def check(bound, package: Package, namespace: str, instance: str) -> None:
    assert len(bound) > 0
    declared = [v.name for v in package.values.bind]
    for manifest in bound:
        labels = manifest.data()["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "distributor"
        assert labels[PART_OF] == applyset_id(instance)
        for name in ("cluster_", *declared):
            assert f"${{{name}".encode() not in manifest.body, manifest.ref
    namespaces = {m.ref.namespace for m in bound} - {""}
    assert namespace in namespaces or not namespaces


@pytest.mark.parametrize(
    ("ref", "path", "layer", "file", "place"),
    [
        ("apps/Deployment/shop/ads", "spec.template.spec.containers[0].resources.limits.cpu",
         "catalog/shop/1.4.2/tier/slim", "catalog/shop/1.4.2/tier/slim/kustomization.yaml", "patches[0]"),
        ("apps/Deployment/shop/frontend", "spec.template.spec.containers[0].image",
         "catalog/shop/1.4.2/base", "catalog/shop/1.4.2/base/frontend.yaml", ""),
        ("apps/Deployment/shop/frontend", "spec.replicas",
         "late binding", "environments/uat/environment.yaml", "spec.defaults.values.shop.frontend_replicas"),
        ("networking.k8s.io/Ingress/shop/shop", "spec.ingressClassName",
         "late binding", "environments/uat/clusters/uat-slim-1.yaml", "spec.properties.ingress_class"),
    ],
)  # fmt: skip
async def test_explain_names_layer_and_file_of_the_sample(
    trees, catalog, engine, ref, path, layer, file, place
):
    local = Local(root=ROOT, reader=trees, catalog=catalog)
    choice = choose(local, catalog.package("shop", "1.4.2"), Wanted(environment="uat", tier="slim"))
    found = await LocalRenderer(local, engine).explain(choice, ObjectRef.parse(ref), path)
    assert (found.layer, found.files, found.places) == (layer, (file,), (place,))


async def test_a_new_version_changes_what_it_changes_and_nothing_else(trees, catalog, engine):
    files = catalog.environments["prd"]
    installation = installations(catalog, "prd")["shop"]
    cluster = files.clusters["prd-central-eu-1"]
    bound = []
    for version in ("1.4.1", "1.4.2"):
        package = catalog.package("shop", version)
        cell = render_input(catalog, package, installation, files, cluster)
        objects = await engine.render(job(cell, package, installation, trees))
        values = variables(package, installation, files.environment, cluster)
        bound.append(set(binder_of(objects, cell, package).bind(values, cluster.registry)))
    changed = {m.ref.name for m in bound[0] ^ bound[1]}
    assert changed == {"frontend", "frontend-nodeport", "shop-appearance"}


async def test_a_ship_has_its_own_registry_and_the_renders_of_all(trees, catalog, engine):
    files = catalog.environments["prd"]
    installation = installations(catalog, "prd")["iot-gateway"]
    package = catalog.package("iot-gateway", "2.1.0")
    ship, shore = files.clusters["prd-edge-ship-1"], files.clusters["prd-edge-plant-1"]
    made = cells(catalog, package, installation, files, [ship, shore])
    assert made[ship.name] == made[shore.name]
    cell = made[ship.name]
    binder = binder_of(await engine.render(job(cell, package, installation, trees)), cell, package)
    values = Variables(package, installation, files.environment)
    used = {
        cluster.name: {
            image.partition("/")[::2]
            for m in binder.bind(values.of(cluster), cluster.registry)
            for _, image in image_places(m.data())
        }
        for cluster in (ship, shore)
    }
    assert {host for host, _ in used[ship.name]} == {ship.registry}
    assert {host for host, _ in used[shore.name]} == {"docker.io", "mirror.gcr.io"}
    assert {rest for _, rest in used[ship.name]} == {rest for _, rest in used[shore.name]}


GENERATED = {
    "base/kustomization.yaml": b"""
configMapGenerator:
  - name: settings
    literals: ["site=${cluster_name}", "same=1"]
  - name: fixed
    literals: ["a=b"]
resources: [web.yaml]
""",
    "base/web.yaml": b"""
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: example.com/web:1
          envFrom: [{configMapRef: {name: settings}}, {configMapRef: {name: fixed}}]
""",
}


async def test_a_name_that_kustomize_generated_follows_the_bound_data(trees, catalog, engine):
    """The real generator's names are recognised, and the reference in the Deployment moves along."""
    shop = catalog.package("shop", "1.4.2")
    files = catalog.environments["sit"]
    installation = installations(catalog, "sit")["shop"]
    clusters = sorted(files.clusters.values(), key=lambda c: c.name)[:2]
    package = Package(
        app="shop", version=shop.version, digest=shop.digest, tree=trees.add(GENERATED),
        folder="catalog/shop/1.4.2", renderer=shop.renderer, path="base", namespace=shop.namespace,
    )  # fmt: skip
    cell = render_input(catalog, package, installation, files, clusters[0])
    rendered = await engine.render(job(cell, package, installation, trees))
    binder = Binder(finish(rendered, cell, package), ())
    settings, fixed = set(), set()
    for cluster in clusters:
        values = variables(package, installation, files.environment, cluster)
        bound = binder.bind(values)
        names = {m.ref.name for m in bound if m.ref.kind == "ConfigMap"}
        pod = next(m.data() for m in bound if m.ref.kind == "Deployment")["spec"]["template"]
        sources = [s["configMapRef"]["name"] for s in pod["spec"]["containers"][0]["envFrom"]]
        assert set(sources) == names
        settings.add(sources[0])
        fixed.add(sources[1])
    assert len(settings) == 2
    assert len(fixed) == 1
    assert {name.count("-") for name in settings} == {2}
