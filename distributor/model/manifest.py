"""Manifests: Kubernetes objects as canonical JSON bytes with their identity and digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from distributor.errors.render import BadManifest
from distributor.model.refs import Digest, ObjectRef

_NAMELESS = (
    "Give it a metadata.name instead: what has another name each time is never found again. A hook that runs "
    "anew each time has the delete policy before-hook-creation."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One desired object. ``body`` is compact JSON with sorted keys; ``digest`` is its SHA-256."""

    ref: ObjectRef
    api_version: str
    body: bytes
    digest: Digest

    def data(self) -> dict[str, Any]:
        """The object, parsed anew at each call so that nobody shares it."""
        parsed: dict[str, Any] = orjson.loads(self.body)
        return parsed

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Manifest:
        """Make a manifest of an object; raises ``BadManifest`` where it has no identity."""
        api_version, kind = data.get("apiVersion"), data.get("kind")
        metadata = data.get("metadata")
        named: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
        name, namespace = named.get("name"), named.get("namespace") or ""
        if not name and named.get("generateName"):
            raise BadManifest(
                f"({kind} with generateName {named['generateName']!r} and no name)",
                remedy=_NAMELESS,
            )
        if not (isinstance(api_version, str) and isinstance(kind, str) and isinstance(name, str)):
            raise BadManifest(f"(apiVersion {api_version!r}, kind {kind!r}, name {name!r})")
        if not (api_version and kind and name and isinstance(namespace, str)):
            raise BadManifest(f"({kind} {name!r} in namespace {namespace!r})")
        group = api_version.partition("/")[0] if "/" in api_version else ""
        body = canonical(data)
        return cls(
            ref=ObjectRef(group, kind, namespace, name),
            api_version=api_version,
            body=body,
            digest=body_digest(body),
        )


def canonical(data: object) -> bytes:
    """Compact JSON with sorted keys: the same value gives the same bytes anywhere."""
    try:
        return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except (TypeError, orjson.JSONEncodeError) as error:
        raise BadManifest(str(error)) from error


def body_digest(body: bytes) -> Digest:
    """The digest of canonical bytes."""
    return Digest("sha256:" + hashlib.sha256(body).hexdigest())


@dataclass(frozen=True, slots=True)
class ManifestSet:
    """The desired objects of one instance on one cluster, or of one cell, sorted by reference."""

    manifests: tuple[Manifest, ...]
    digest: Digest

    @classmethod
    def of(cls, manifests: Iterable[Manifest]) -> ManifestSet:
        """Sort, and digest over the lines (reference, apiVersion, object digest)."""
        ordered = tuple(sorted(manifests, key=lambda m: m.ref))
        lines = "".join(f"{m.ref} {m.api_version} {m.digest}\n" for m in ordered)
        return cls(ordered, body_digest(lines.encode()))

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.manifests)

    def __len__(self) -> int:
        return len(self.manifests)

    def refs(self) -> frozenset[ObjectRef]:
        """The identities of all objects."""
        return frozenset(m.ref for m in self.manifests)
