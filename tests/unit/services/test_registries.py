"""A cluster's own registry reaches its objects through the service, and costs no render."""

from __future__ import annotations

from types import SimpleNamespace

import orjson

from distributor.model.catalog import Catalog, EnvironmentFiles
from distributor.model.fleet import Cluster, Environment, Installation, Mode
from distributor.model.package import Image, NamespaceSpec, Package, Renderer
from distributor.model.refs import Digest, ObjectId
from distributor.model.versions import Version
from distributor.services.rendering import renderer as rendering
from distributor.testing.clock import FakeClock
from distributor.testing.trees import MemoryTrees

POD = {"containers": [{"name": "c", "image": "ghcr.io/acme/web:1"}]}
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
       "spec": {"template": {"spec": POD}}}  # fmt: skip


class Engine:
    version = "1"

    def __init__(self):
        self.renders = 0

    async def render(self, job):
        assert job.path == "package/base"
        self.renders += 1
        return (orjson.dumps(WEB),)


async def test_clusters_share_a_render_and_not_a_registry():
    trees, engine = MemoryTrees(), Engine()
    package = Package(
        app="web", version=Version.parse("1.0.0"), digest=Digest("sha256:" + "a" * 64),
        tree=trees.add({"base/web.yaml": b"{}"}), folder="catalog/web/1.0.0", renderer=Renderer.KUSTOMIZE,
        path="base", namespace=NamespaceSpec(name="web"),
        images=(Image(name="web", reference="ghcr.io/acme/web:1"),),
    )  # fmt: skip
    registries = {"a": "", "b": "b.example:5000", "c": "c.example/m", "d": ""}
    clusters = {
        name: Cluster(
            name=name, environment="sit", tier="slim", mode=Mode.DIRECTORY, kubernetes="1.33", registry=registry
        )
        for name, registry in registries.items()
    }  # fmt: skip
    subject = rendering.Subject(
        catalog=Catalog(root=ObjectId("0" * 40)), package=package,
        installation=Installation(app="web", instance="web", environment="sit"),
        files=EnvironmentFiles(environment=Environment(name="sit"), clusters=clusters),
    )  # fmt: skip
    kept = {}
    cache = SimpleNamespace(get=kept.get, put=kept.__setitem__)
    world = SimpleNamespace(objects=trees, engine=engine, cache=cache, clock=FakeClock())
    rendered = await rendering.Renderer(world).render(subject, clusters)
    assert (engine.renders, rendered.cells, rendered.failures) == (1, 1, {})
    images = {}
    for name, manifests in rendered.manifests.items():
        (web,) = (m.data() for m in manifests if m.ref.kind == "Deployment")
        images[name] = web["spec"]["template"]["spec"]["containers"][0]["image"]
    assert images == {
        "a": "ghcr.io/acme/web:1", "b": "b.example:5000/acme/web:1",
        "c": "c.example/m/acme/web:1", "d": "ghcr.io/acme/web:1",
    }  # fmt: skip
    assert rendered.manifests["a"] is rendered.manifests["d"]
