"""What a render needs, and what keys it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from distributor.model.package import Renderer
from distributor.model.refs import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartOptions:
    """How a Helm chart is rendered; ``values`` is a JSON object as bytes."""

    release_name: str
    namespace: str
    kube_version: str = ""  # "" leaves the engine's default
    api_versions: tuple[str, ...] = ()
    values: bytes = b"{}"
    include_crds: bool = True
    is_upgrade: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """One request to the engine.

    ``files`` maps slash-separated relative paths to bytes; ``path`` names the folder in it to render;
    ``layers`` are folders in ``files`` that hold kustomize Components, applied in order; ``patches`` is
    a JSON list of kustomize patch entries, applied last. ``package`` is whose turn the render takes where
    several packages wait; it changes nothing in the result. ``placeholders`` are those that stand in
    ``files`` for encrypted values.
    """

    renderer: Renderer
    files: Mapping[str, bytes]
    path: str
    layers: tuple[str, ...] = ()
    patches: bytes = b"[]"
    chart: ChartOptions | None = None
    package: str = ""
    placeholders: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderInput:
    """A cell: everything that decides a render before late binding, and the digest that keys it.

    ``layers`` names each folder and where its content comes from, in the fixed order of layers, base first.
    ``values`` is a JSON object without the per-cluster ones. ``registry`` replaces the registry of the
    package's images; empty leaves them.
    """

    digest: Digest
    app: str
    version: str
    environment: str
    tier: str
    instance: str
    namespace: str
    kubernetes: str
    layers: tuple[Layer, ...]
    values: bytes
    per_cluster: Mapping[str, object] = field(default_factory=dict)
    registry: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of a render: its label for ``--explain``, the Git tree, and the folder in the job.

    The label is the path in the repository. Inline patches have the digest of their text as ``tree``
    and no folder.
    """

    label: str
    tree: str
    folder: str
