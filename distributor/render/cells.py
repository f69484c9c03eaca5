"""Cells: what decides a render, and the digest that keys it.

A thousand clusters usually share a handful of cells, so everything here is computed once a cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from distributor.errors import Where
from distributor.errors.catalog import SchemaViolation
from distributor.errors.render import OutsideTree
from distributor.model.catalog import Catalog, EnvironmentFiles
from distributor.model.fleet import Cluster, Installation
from distributor.model.manifest import canonical
from distributor.model.package import Package
from distributor.model.refs import digest_of
from distributor.model.rendering import Layer, RenderInput
from distributor.render.values import instance_values, merged, require_values, values_file
from distributor.render.variables import facts, is_fact

PACKAGE_FOLDER = "package"
"""Where a version's folder lies in a job's files."""


def render_input(
    catalog: Catalog,
    package: Package,
    installation: Installation,
    files: EnvironmentFiles,
    cluster: Cluster,
) -> RenderInput:
    """The cell of one cluster; raises ``BadValues``, ``SchemaViolation``, ``OutsideTree``."""
    return Cells(catalog, package, installation, files).of(cluster)


def cells(
    catalog: Catalog,
    package: Package,
    installation: Installation,
    files: EnvironmentFiles,
    clusters: Iterable[Cluster],
) -> Mapping[str, RenderInput]:
    """The cells of many clusters by cluster name; clusters of one cell share one ``RenderInput``.

    Raises for the first cluster without one; ``Cells`` tells them apart.
    """
    made = Cells(catalog, package, installation, files)
    return {cluster.name: made.of(cluster) for cluster in clusters}


class Cells:
    """The cells of one instance: ``of`` a cluster fails for that cluster alone.

    Making it raises ``SchemaViolation`` for a namespace that the package fixes.
    """

    def __init__(
        self,
        catalog: Catalog,
        package: Package,
        installation: Installation,
        files: EnvironmentFiles,
    ) -> None:
        self._catalog, self._package, self._files = catalog, package, files
        self._installation = installation
        self._file = values_file(installation)
        self._values = instance_values(package, installation, files.environment)
        names = frozenset(package.values.per_cluster)
        self._shared = {k: v for k, v in self._values.items() if k not in names}
        self._namespace = namespace_of(package, installation)
        self._patches = canonical(list(installation.patches))
        self._made: dict[tuple[str, str, bytes], RenderInput] = {}

    def of(self, cluster: Cluster) -> RenderInput:
        """The cell of a cluster; raises ``BadValues`` where its values do not fit, ``OutsideTree``."""
        own = self._own(cluster) if self._package.values.per_cluster else {}
        key = (cluster.tier, cluster.kubernetes, canonical(own) if own else b"")
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._make(cluster, own)
        return made

    def _own(self, cluster: Cluster) -> dict[str, Any]:
        """The values that templates may see of this cluster: facts, properties, merged values."""
        known = facts(cluster)
        result: dict[str, Any] = {}
        for name in self._package.values.per_cluster:
            value = known.get(name) if is_fact(name) else cluster.properties.get(name)
            if value is None:
                value = self._values.get(name)
            if value is not None:
                result[name] = value
        return result

    def _make(self, cluster: Cluster, own: Mapping[str, Any]) -> RenderInput:
        package, installation = self._package, self._installation
        # Fixed facts are added for the templates; the package's schema need not know them.
        checked = {k: v for k, v in own.items() if not is_fact(k)}
        require_values(package, merged(self._shared, checked), self._file)
        cell = _Cell(
            layers=self._layers(cluster.tier), values=canonical(self._shared), own=canonical(own)
        )
        registry = self._files.environment.registry
        release = installation.release_name or installation.instance
        identity = (installation.instance, self._namespace, release, registry, cluster.kubernetes)
        return RenderInput(
            digest=digest_of(
                package.digest.encode(),
                *(f"{layer.folder} {layer.tree}".encode() for layer in cell.layers[1:]),
                b"values", cell.values, cell.own, self._patches,
                *(part.encode() for part in identity),
            ),
            app=package.app,
            version=str(package.version),
            environment=self._files.environment.name,
            tier=cluster.tier,
            instance=installation.instance,
            namespace=self._namespace,
            kubernetes=cluster.kubernetes,
            layers=cell.layers,
            values=cell.values,
            per_cluster=dict(own),
            registry=registry,
        )  # fmt: skip

    def _layers(self, tier: str) -> tuple[Layer, ...]:
        """The layers that exist, in the fixed order of the formats."""
        package, environment = self._package, self._files.environment.name
        layers = [_package_layer(package, package.path)]
        if environment in package.env_components:
            layers.append(_package_layer(package, f"env/{environment}"))
        if tier in package.tier_components:
            layers.append(_package_layer(package, f"tier/{tier}"))
        shared = self._catalog.tiers.get(tier)
        if shared is not None and shared.component:
            label = f"environments/tiers/{tier}"
            layers.append(Layer(label=label, tree=shared.tree, folder=f"tiers/{tier}"))
        if self._files.overlay is not None:
            label = f"environments/{environment}/overlay"
            layers.append(Layer(label=label, tree=self._files.overlay, folder="overlay"))
        if self._installation.patches:
            layers.append(Layer(label=self._file, tree=digest_of(self._patches), folder=""))
        return tuple(layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    layers: tuple[Layer, ...]
    values: bytes
    own: bytes


def _package_layer(package: Package, path: str) -> Layer:
    inner = inside(path)
    folder = f"{PACKAGE_FOLDER}/{inner}" if inner else PACKAGE_FOLDER
    label = f"{package.folder}/{inner}" if inner else package.folder
    return Layer(label=label, tree=package.tree, folder=folder)


def inside(path: str) -> str:
    """A relative path in its shortest form, ``""`` for the folder itself; raises ``OutsideTree``."""
    if path.startswith("/") or "\\" in path or "\0" in path:
        raise OutsideTree(f"{path!r}", where=Where(field="spec.path"))
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise OutsideTree(f"{path!r}", where=Where(field="spec.path"))
    return "/".join(parts)


def namespace_of(package: Package, installation: Installation) -> str:
    """The namespace of an instance; raises ``SchemaViolation`` where a fixed one is to be changed."""
    own = package.namespace
    if own.fixed and installation.namespace not in ("", own.name):
        raise SchemaViolation(
            f"{package} must run in namespace {own.name}, not {installation.namespace}.",
            where=Where(file=values_file(installation), field="spec.namespace"),
            remedy="Remove spec.namespace: the package says that its namespace is fixed.",
        )
    return installation.namespace or own.name
