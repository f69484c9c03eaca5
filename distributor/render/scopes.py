"""Scopes: which kinds are cluster-wide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from distributor.model.refs import GroupKind

CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")

_BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "": ("ComponentStatus", "Namespace", "Node", "PersistentVolume"),
    "admissionregistration.k8s.io": (
        "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    ),
    "apiextensions.k8s.io": ("CustomResourceDefinition",),
    "apiregistration.k8s.io": ("APIService",),
    "authentication.k8s.io": ("SelfSubjectReview", "TokenReview"),
    "authorization.k8s.io": (
        "SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview",
    ),
    "certificates.k8s.io": ("CertificateSigningRequest", "ClusterTrustBundle"),
    "flowcontrol.apiserver.k8s.io": ("FlowSchema", "PriorityLevelConfiguration"),
    "internal.apiserver.k8s.io": ("StorageVersion",),
    "networking.k8s.io": ("IPAddress", "IngressClass", "ServiceCIDR"),
    "node.k8s.io": ("RuntimeClass",),
    "policy": ("PodSecurityPolicy",),
    "rbac.authorization.k8s.io": ("ClusterRole", "ClusterRoleBinding"),
    "resource.k8s.io": ("DeviceClass", "DeviceTaintRule", "ResourceSlice"),
    "scheduling.k8s.io": ("PriorityClass",),
    "storage.k8s.io": (
        "CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass",
    ),
    "storagemigration.k8s.io": ("StorageVersionMigration",),
    # Served by widely used extensions whose CRDs rarely travel with the packages that use them.
    "cert-manager.io": ("ClusterIssuer",),
    "external-secrets.io": ("ClusterExternalSecret", "ClusterSecretStore"),
    "gateway.networking.k8s.io": ("GatewayClass",),
    "kyverno.io": ("ClusterPolicy",),
    "snapshot.storage.k8s.io": ("VolumeSnapshotClass", "VolumeSnapshotContent"),
}  # fmt: skip
"""Cluster-wide kinds of the Kubernetes API (1.29 to 1.36), by group, and a few of common add-ons."""

CLUSTER_WIDE = frozenset(GroupKind(g, kind) for g, kinds in _BUILT_IN.items() for kind in kinds)


def cluster_wide(objects: Iterable[Mapping[str, Any]]) -> frozenset[GroupKind]:
    """The cluster-wide kinds: the known ones, corrected by the CRDs among ``objects``."""
    kinds = set(CLUSTER_WIDE)
    for kind, scope in _defined(objects):
        if scope == "Cluster":
            kinds.add(kind)
        else:
            kinds.discard(kind)
    return frozenset(kinds)


def defined(objects: Iterable[Mapping[str, Any]]) -> frozenset[GroupKind]:
    """The kinds that the CRDs among ``objects`` define."""
    return frozenset(kind for kind, _ in _defined(objects))


def _defined(objects: Iterable[Mapping[str, Any]]) -> Iterator[tuple[GroupKind, object]]:
    for data in objects:
        if group_kind(data) != CRD:
            continue
        spec = data.get("spec")
        names = spec.get("names") if isinstance(spec, Mapping) else None
        if isinstance(spec, Mapping) and isinstance(names, Mapping):
            yield GroupKind(str(spec.get("group")), str(names.get("kind"))), spec.get("scope")


def group_kind(data: Mapping[str, Any]) -> GroupKind:
    """Group and kind of an object; empty strings where it has none."""
    version, kind = data.get("apiVersion"), data.get("kind")
    return _group_kind(
        version if isinstance(version, str) else "", kind if isinstance(kind, str) else ""
    )


@lru_cache(maxsize=1024)
def _group_kind(version: str, kind: str) -> GroupKind:
    return GroupKind(version.rpartition("/")[0], kind)
