"""Fields that cannot change: which objects a change of them can only make anew.

Only kinds on the list are ever made anew, because nothing runs or is kept in them that would be lost:
never a PersistentVolumeClaim, a CustomResourceDefinition, a Namespace or a StatefulSet. The API server
has to confirm that a field cannot change; this only says in the plan that it may come to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from distributor.model.changes import LiveObject
from distributor.model.manifest import Manifest
from distributor.model.refs import GroupKind
from distributor.plan.drift import diff

_RBAC = "rbac.authorization.k8s.io"
_FIELDS: Mapping[GroupKind, tuple[str, ...]] = MappingProxyType(
    {
        GroupKind("batch", "Job"): (
            "spec.template", "spec.selector", "spec.completions", "spec.completionMode",
            "spec.manualSelector", "spec.podFailurePolicy", "spec.podReplacementPolicy",
        ),
        GroupKind(_RBAC, "RoleBinding"): ("roleRef",),
        GroupKind(_RBAC, "ClusterRoleBinding"): ("roleRef",),
    }
)  # fmt: skip
_DATA: Mapping[GroupKind, tuple[str, ...]] = MappingProxyType(
    {
        GroupKind("", "ConfigMap"): ("data", "binaryData", "immutable"),
        GroupKind("", "Secret"): ("data", "immutable"),
    }
)
"""Cannot change in objects that are marked as ``immutable``."""


def unchangeable(manifest: Manifest, there: LiveObject) -> str:
    """The first field that this change touches and that cannot change, where the object may be made anew."""
    kind = manifest.ref.group_kind
    fields = _FIELDS.get(kind, ())
    if kind in _DATA and there.data.get("immutable") is True:
        fields = _DATA[kind]
        if manifest.data().get("immutable") is not True:
            return "immutable"
    if not fields:
        return ""
    touched = (found.path for found in diff(manifest, there.data))
    return next((path for path in touched if _within(path, fields)), "")


def _within(path: str, fields: tuple[str, ...]) -> bool:
    return any(path == top or path.startswith((f"{top}.", f"{top}[")) for top in fields)
