"""Which custom resources are plain data: nobody ever writes a status on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from distributor.health.fields import at, maps, text
from distributor.model.refs import GroupKind

STATUS = "distributor.dev/status"
"""Annotation: ``none`` on an object says that it never gets a status."""

BUILT_IN = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)
"""The API groups that every API server has; all others hold custom or aggregated resources."""

_DATA_GROUPS = frozenset(
    # Istio writes a status on its configuration only where that is switched on, so none is the rule.
    {"networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io"}
)
_DATA_KINDS = frozenset(
    {
        GroupKind("gateway.networking.k8s.io", "ReferenceGrant"),
        GroupKind("monitoring.coreos.com", "PodMonitor"),
        GroupKind("monitoring.coreos.com", "PrometheusRule"),
        GroupKind("monitoring.coreos.com", "ServiceMonitor"),
        GroupKind("traefik.io", "IngressRoute"),
        GroupKind("traefik.io", "Middleware"),
    }
)


def is_custom(group: str) -> bool:
    """Whether a group is not one of Kubernetes' own."""
    return group not in BUILT_IN


def is_plain(obj: Mapping[str, Any], kind: GroupKind, more: frozenset[GroupKind]) -> bool:
    """Whether no status is to be waited for: by annotation, by a known kind, or by its CRD (``more``)."""
    if text(at(obj, "metadata", "annotations"), STATUS) == "none":
        return True
    return kind.group in _DATA_GROUPS or kind in _DATA_KINDS or kind in more


def plain_kinds(definitions: Iterable[Mapping[str, Any]]) -> frozenset[GroupKind]:
    """The kinds whose CustomResourceDefinition has no status sub-resource in any version.

    Give it the CRDs among the objects at hand; objects of other kinds are passed over.
    """
    return frozenset(
        GroupKind(text(crd, "spec", "group"), text(crd, "spec", "names", "kind"))
        for crd in definitions
        if text(crd, "kind") == "CustomResourceDefinition" and _has_no_status(crd)
    )


def _has_no_status(crd: Mapping[str, Any]) -> bool:
    versions = maps(crd, "spec", "versions")
    return bool(versions) and all(
        at(version, "subresources", "status") is None
        and at(version, "schema", "openAPIV3Schema", "properties", "status") is None
        for version in versions
    )
