"""Factories for the nouns that rendering needs."""

from __future__ import annotations

import pytest

from distributor.model.catalog import Catalog, EnvironmentFiles
from distributor.model.fleet import Cluster, Environment, Installation, Mode
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.package import NamespaceSpec, Package, Renderer, ValuesSpec
from distributor.model.refs import Digest, ObjectId
from distributor.model.versions import Version


class Make:
    """Makes values with sensible parts; keywords replace them."""

    def package(self, **parts: object) -> Package:
        values = {
            k: parts.pop(k) for k in ("schema", "defaults", "bind", "per_cluster") if k in parts
        }
        given: dict[str, object] = {
            "app": "shop",
            "version": Version.parse("1.4.2"),
            "digest": Digest("sha256:" + "a" * 64),
            "tree": ObjectId("1" * 40),
            "folder": "catalog/shop/1.4.2",
            "renderer": Renderer.KUSTOMIZE,
            "path": "base",
            "namespace": NamespaceSpec(name="shop"),
            "values": ValuesSpec(**values),
        }
        return Package(**{**given, **parts})

    def installation(self, **parts: object) -> Installation:
        return Installation(**{"app": "shop", "instance": "shop", "environment": "uat", **parts})

    def cluster(self, name: str = "c1", **parts: object) -> Cluster:
        given = {"environment": "uat", "tier": "slim", "mode": Mode.DIRECTORY, "kubernetes": "1.33"}
        return Cluster(name=name, **{**given, **parts})

    def environment(self, **parts: object) -> Environment:
        return Environment(**{"name": "uat", **parts})

    def files(self, environment: Environment | None = None, **parts: object) -> EnvironmentFiles:
        return EnvironmentFiles(environment=environment or self.environment(), **parts)

    def catalog(self, **parts: object) -> Catalog:
        return Catalog(**{"root": ObjectId("0" * 40), **parts})

    def manifest(self, kind: str, name: str, namespace: str = "shop", **body: object) -> Manifest:
        version = {"Deployment": "apps/v1", "Ingress": "networking.k8s.io/v1"}.get(kind, "v1")
        metadata = {"name": name, **body.pop("metadata", {})}
        if namespace:
            metadata["namespace"] = namespace
        return Manifest.of({"apiVersion": version, "kind": kind, "metadata": metadata, **body})

    def set(self, *manifests: Manifest) -> ManifestSet:
        return ManifestSet.of(manifests)


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()
