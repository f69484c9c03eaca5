"""Artifacts: looked up by tag or digest, and fetched by digest alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distributor.adapters.oci.manifests import ACCEPT, content_layer, only_child, read_manifest
from distributor.adapters.oci.settings import Limits
from distributor.adapters.oci.sink import Sink
from distributor.adapters.oci.transport import Request, Transport
from distributor.errors.vendoring import ArtifactMismatch, ArtifactTooLarge, UnsupportedArtifact
from distributor.model.artifacts import Artifact, Reference
from distributor.model.refs import Digest, is_digest

_HEADER = "docker-content-digest"


class OciRegistry:
    """Implements what ``services.vendoring`` needs of registries; every digest is computed here, none believed."""

    def __init__(self, transport: Transport, *, limits: Limits | None = None) -> None:
        self._transport = transport
        self._limits = limits or Limits()

    async def resolve(self, reference: Reference) -> Artifact:
        """What a reference stands for now; raises the errors of ``errors.vendoring``."""
        digest, manifest = await self._manifest(reference, reference.digest)
        child = only_child(manifest)
        if child is not None:
            _, manifest = await self._manifest(reference, child.digest)
            if only_child(manifest) is not None:
                raise UnsupportedArtifact("(its index lists an index)")
        layer = content_layer(manifest)
        if layer.size > self._limits.layer:
            raise ArtifactTooLarge(f"({layer.size} bytes, and {self._limits.layer} are allowed)")
        return Artifact(
            reference=reference,
            digest=digest,
            layer=layer.digest,
            media_type=layer.media_type,
            size=layer.size,
        )

    async def fetch(self, artifact: Artifact) -> bytes:
        """The bytes of an artifact's layer, exactly those that its digest names."""
        reference = artifact.reference
        sink = Sink(artifact.size)
        await self._read(reference, f"blobs/{artifact.layer}", "application/octet-stream", sink)
        if (sink.digest, sink.size) != (artifact.layer, artifact.size):
            raise ArtifactMismatch(
                f"({reference.location}: the layer is {sink.digest} of {sink.size} bytes, and its manifest "
                f"says {artifact.layer} of {artifact.size})"
            )
        return sink.data

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def _manifest(
        self, reference: Reference, digest: Digest
    ) -> tuple[Digest, Mapping[str, Any]]:
        sink = Sink(self._limits.manifest)
        headers = await self._read(reference, f"manifests/{digest or reference.tag}", ACCEPT, sink)
        said = {name.lower(): value for name, value in headers.items()}.get(_HEADER, "")
        for expected in (digest, Digest(said)):
            if is_digest(expected) and expected != sink.digest:
                raise ArtifactMismatch(
                    f"({reference}: the manifest is {sink.digest}, and {expected} was announced)"
                )
        return sink.digest, read_manifest(sink.data)

    async def _read(
        self, reference: Reference, path: str, accept: str, sink: Sink
    ) -> Mapping[str, str]:
        repository = reference.repository
        if reference.host == "docker.io" and "/" not in repository:
            repository = f"library/{repository}"  # docker's short names
        request = Request(host=reference.host, repository=repository, path=path, accept=accept)
        return await self._transport.read(request, sink)
