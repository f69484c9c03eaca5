"""Definitions of kinds: what an upgrade of one must not lose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distributor.model.changes import LiveObject
from distributor.model.manifest import Manifest
from distributor.plan.order import DEFINITION


def dropped_versions(manifest: Manifest, there: LiveObject) -> tuple[str, ...]:
    """Versions that a CRD would drop although objects may be stored in them, sorted.

    ``status.storedVersions`` of the live CRD names every version that was ever the stored one, until
    somebody who migrated the objects takes it out
    (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/).
    """
    if manifest.ref.group_kind != DEFINITION:
        return ()
    status = there.data.get("status")
    stored = status.get("storedVersions") if isinstance(status, Mapping) else None
    if not isinstance(stored, list):
        return ()
    return tuple(sorted({str(v) for v in stored} - _versions(manifest.data())))


def _versions(body: Mapping[str, Any]) -> set[str]:
    spec = body.get("spec")
    versions = spec.get("versions") if isinstance(spec, Mapping) else None
    listed = versions if isinstance(versions, list) else []
    return {str(v.get("name")) for v in listed if isinstance(v, Mapping)}
