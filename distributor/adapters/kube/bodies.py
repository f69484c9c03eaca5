"""What is sent for one object, and what is read back of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from distributor.health import is_by_being
from distributor.model.changes import LiveObject
from distributor.model.manifest import Manifest
from distributor.model.refs import Digest, ObjectRef
from distributor.render.applyset import PART_OF

APPLIED = "distributor.dev/applied"
"""The annotation with the digest of the manifest last applied: an object in step is not sent again."""
FIELD_MANAGER = "distributor"
_TOLD = ("name", "namespace", "generation", "deletionTimestamp")
"""What of an object's metadata its health depends on."""


def apply_body(manifest: Manifest, *, at: str = "", autoscaled: bool = False) -> bytes:
    """The object with its ``applied`` annotation, and a Secret's ``stringData`` as ``data``; bound to a version.

    A Secret applied with ``stringData`` would keep a key that was removed from it for ever. Where an
    autoscaler owns the number of replicas, it is left out: the live number then stays as it is.
    """
    data = manifest.data()
    if autoscaled:
        data["spec"].pop("replicas", None)
    metadata = data["metadata"]
    metadata["annotations"] = {**(metadata.get("annotations") or {}), APPLIED: manifest.digest}
    if at:
        metadata["resourceVersion"] = at
    if (manifest.ref.group, manifest.ref.kind) == ("", "Secret"):
        plain = data.pop("stringData", None) or {}
        encoded = {
            key: base64.b64encode(str(text).encode()).decode() for key, text in plain.items()
        }
        if encoded:
            data["data"] = {**(data.get("data") or {}), **encoded}
    return orjson.dumps(data)


def live_object(
    ref: ObjectRef, api_version: str, data: Mapping[str, Any], read_at: datetime | None = None
) -> LiveObject:
    """An object as the API shows it. Objects of a list come without apiVersion and kind."""
    whole = {**data, "apiVersion": data.get("apiVersion") or api_version, "kind": ref.kind}
    metadata = whole.get("metadata") or {}
    return LiveObject(
        ref=ref,
        api_version=str(whole["apiVersion"]),
        uid=str(metadata.get("uid", "")),
        applied=Digest(str((metadata.get("annotations") or {}).get(APPLIED, ""))),
        owner=owner_of(whole),
        data=whole,
        read_at=read_at,
    )


def after(
    manifest: Manifest, metadata: Mapping[str, Any], read_at: datetime | None
) -> LiveObject | None:
    """An object as the answer to its apply shows it, where its metadata tell its health.

    Nothing else is kept of it: a package may have thousands.
    """
    data = manifest.data()
    if not is_by_being(data):
        return None
    whole = live_object(manifest.ref, manifest.api_version, {"metadata": metadata}, read_at)
    kept = {name: metadata[name] for name in _TOLD if name in metadata}
    return replace(whole, data={**whole.data, "metadata": kept})


def owner_of(data: Mapping[str, Any]) -> str:
    """The value of the ApplySet label, empty where there is none."""
    labels = (data.get("metadata") or {}).get("labels") or {}
    return str(labels.get(PART_OF, ""))


def version_of(api_version: str) -> str:
    """The version in an apiVersion."""
    return api_version.rpartition("/")[2]
