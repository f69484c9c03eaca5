"""Kinds that are current as soon as they are there: the answer to a write tells all that is to be known of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distributor.health.fields import text
from distributor.model.refs import GroupKind

_KINDS = frozenset(
    GroupKind(group, kind)
    for group, kinds in {
        "": ("ConfigMap", "Secret", "Service", "ServiceAccount"),
        "networking.k8s.io": ("Ingress", "NetworkPolicy"),
        "rbac.authorization.k8s.io": (
            "ClusterRole",
            "ClusterRoleBinding",
            "Role",
            "RoleBinding",
        ),
    }.items()
    for kind in kinds
)


def is_by_being(obj: Mapping[str, Any]) -> bool:
    """Whether an object is current by being there; a load balancer has an address to get first."""
    kind = GroupKind(text(obj, "apiVersion").rpartition("/")[0], text(obj, "kind"))
    return kind in _KINDS and text(obj, "spec", "type") != "LoadBalancer"
