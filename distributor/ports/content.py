"""Content: the engine that renders, its cache, schemas, expressions, and what opens secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from distributor.model.findings import Finding
from distributor.model.manifest import ManifestSet
from distributor.model.package import GroupVersionKind
from distributor.model.rendering import RenderJob


class RenderEngine(Protocol):
    """Turns files into objects; knows nothing of environments."""

    @property
    def version(self) -> str:
        """Names the engine and the releases of its renderers; part of the cache key."""
        ...

    async def render(self, job: RenderJob) -> tuple[bytes, ...]:
        """The objects as JSON bytes; raises the errors of ``errors.render``."""
        ...

    async def aclose(self) -> None:
        """Stop all workers."""
        ...


class RenderCache(Protocol):
    """Keeps rendered objects by content key; may forget anything at any time."""

    def get(self, key: str) -> tuple[bytes, ...] | None:
        """What was put under the key, or ``None``; never something half or wrong."""
        ...

    def put(self, key: str, objects: Sequence[bytes]) -> None:
        """Keep the objects; failing to is no error."""
        ...


class SecretOpener(Protocol):
    """Opens encrypted files with the keys that this process holds."""

    def open(self, data: bytes, path: str, environment: str) -> Mapping[str, bytes]:
        """Every encrypted value by its key, and the whole decrypted file under the empty one.

        ``environment`` is where the values go: its key must open the file. All of them or none: raises the errors of ``errors.secrets``, which name ``path`` and never a value.
        """
        ...


class Expressions(Protocol):
    """Evaluates CEL over one variable, ``object``; cheap enough to be asked of every object."""

    def problem(self, expression: str) -> str:
        """What is wrong with an expression; empty where nothing is."""
        ...

    def holds(self, expression: str, obj: Mapping[str, Any]) -> bool:
        """Whether it is true of an object; raises ``ExpressionFailed`` where it is neither true nor false."""
        ...


class SchemaSource(Protocol):
    """Knows the schemas of Kubernetes kinds."""

    def check(
        self, manifests: ManifestSet, kubernetes: str, known: frozenset[GroupVersionKind]
    ) -> tuple[Finding, ...]:
        """What does not fit its kind's schema at that Kubernetes minor version.

        ``known`` are kinds that the package says the cluster serves: without a schema they only warn.
        """
        ...
