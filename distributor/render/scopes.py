"""Scopes: which kinds are cluster-wide."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from distributor.errors.render import BadManifest
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

KNOWN_GROUPS = frozenset(
    {
        "acme.cert-manager.io", "cert-manager.io", "gateway.networking.k8s.io", "helm.cattle.io",
        "monitoring.coreos.com", "networking.istio.io", "security.istio.io", "snapshot.storage.k8s.io",
        "telemetry.istio.io", "traefik.io",
    }
)  # fmt: skip
"""Groups of common add-ons of which every cluster-wide kind is known: the others are namespaced."""
CLUSTER_WIDE = frozenset(GroupKind(g, kind) for g, kinds in _BUILT_IN.items() for kind in kinds)


SCOPE = "distributor.dev/scope"
"""Annotation of an object: whether its kind is cluster-wide, where no CRD says so."""
_CLUSTER, _NAMESPACED = "Cluster", "Namespaced"


def cluster_wide(objects: Iterable[Mapping[str, Any]]) -> frozenset[GroupKind]:
    """The cluster-wide kinds: the known ones, corrected by annotations and then by the CRDs among ``objects``.

    Raises ``BadManifest`` for annotations that say nothing, or one thing and the other.
    """
    among = list(objects)
    kinds = set(CLUSTER_WIDE)
    for kind, scope in (*stated(among).items(), *_defined(among)):
        if scope == _CLUSTER:
            kinds.add(kind)
        else:
            kinds.discard(kind)
    return frozenset(kinds)


def stated(objects: Iterable[Mapping[str, Any]]) -> dict[GroupKind, str]:
    """What objects say of the scope of their kinds by annotation."""
    found: dict[GroupKind, str] = {}
    for data in objects:
        metadata = data.get("metadata")
        notes = metadata.get("annotations") if isinstance(metadata, Mapping) else None
        scope = notes.get(SCOPE) if isinstance(notes, Mapping) else None
        if scope is None:
            continue
        kind = group_kind(data)
        if scope not in {_CLUSTER, _NAMESPACED}:
            raise BadManifest(f"({kind}: {SCOPE} is {scope!r}, not {_CLUSTER} or {_NAMESPACED})")
        if found.setdefault(kind, scope) != scope:
            raise BadManifest(f"({kind}: {SCOPE} is {_CLUSTER} on one object, and not on another)")
    return found


def namespaced(
    kinds: Collection[GroupKind], objects: Iterable[Mapping[str, Any]]
) -> dict[GroupKind, bool]:
    """Whether kinds are namespaced, of those that the CRDs among ``objects`` define."""
    return {kind: scope != _CLUSTER for kind, scope in _defined(objects) if kind in kinds}


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
