"""Manifests and indexes of the OCI image specification 1.1, and Docker's older names for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from distributor.adapters.oci.contents import CHART
from distributor.errors.vendoring import UnsupportedArtifact
from distributor.model.refs import Digest, is_digest

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
ACCEPT = ", ".join((*_MANIFESTS, *_INDEXES))
_ATTESTATION = "vnd.docker.reference.type"
"""The annotation of entries in an index that are about another entry (docs.docker.com, "attestation storage")."""
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What stands in a manifest for something else."""

    media_type: str
    digest: Digest
    size: int


_SCHEMA = 2
"""The version of the manifest's form, as the OCI image specification numbers it."""


def read_manifest(data: bytes) -> Mapping[str, Any]:
    """A manifest or index; raises ``UnsupportedArtifact`` also where it could be read as both."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UnsupportedArtifact(f"(its manifest is no JSON: {error})") from error
    if not isinstance(document, dict) or document.get("schemaVersion") != _SCHEMA:
        raise UnsupportedArtifact("(its manifest is none of schema version 2)")
    if ("layers" in document) == ("manifests" in document):
        raise UnsupportedArtifact("(its manifest has to have either layers or manifests)")
    return document


def only_child(index: Mapping[str, Any]) -> Descriptor | None:
    """The one manifest that an index lists; ``None`` where it is no index."""
    if "manifests" not in index:
        return None
    rows = [row for row in _rows(index, "manifests") if not _is_attestation(row)]
    if len(rows) != 1:
        shown = ", ".join(str(row.get("digest")) for row in rows[:_SHOWN])
        raise UnsupportedArtifact(
            f"(its index lists {len(rows)} manifests: {shown})",
            remedy="Name one of them by its digest: HOST/REPOSITORY@sha256:...",
        )
    return _descriptor(rows[0])


def content_layer(manifest: Mapping[str, Any]) -> Descriptor:
    """The one layer that holds files: a chart, else a gzipped tar."""
    layers = [_descriptor(row) for row in _rows(manifest, "layers")]
    charts = [layer for layer in layers if layer.media_type == CHART]
    archives = [layer for layer in layers if _is_archive(layer.media_type)]
    found = charts or archives
    if len(found) != 1:
        kinds = ", ".join(sorted({layer.media_type for layer in layers})[:_SHOWN]) or "none"
        raise UnsupportedArtifact(f"({len(found)} of its layers hold files; it has: {kinds})")
    return found[0]


def _is_archive(media_type: str) -> bool:
    return media_type.endswith(("tar+gzip", "tar.gzip"))


def _is_attestation(row: Mapping[str, Any]) -> bool:
    annotations = row.get("annotations")
    return isinstance(annotations, Mapping) and _ATTESTATION in annotations


def _rows(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = document[name]
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise UnsupportedArtifact(f"(its {name} are no list of descriptors)")
    return rows


def _descriptor(row: Mapping[str, Any]) -> Descriptor:
    media_type, digest, size = row.get("mediaType"), row.get("digest"), row.get("size")
    if not isinstance(media_type, str) or not isinstance(digest, str) or not is_digest(digest):
        raise UnsupportedArtifact("(a descriptor has no media type, or no sha256 digest)")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise UnsupportedArtifact(f"(a descriptor has the size {size!r})")
    return Descriptor(media_type=media_type, digest=Digest(digest), size=size)
