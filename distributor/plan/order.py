"""The order of kinds: what must be there before what, by group and kind."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from distributor.model.manifest import Manifest
from distributor.model.refs import GroupKind, ObjectRef

NAMESPACE = GroupKind("", "Namespace")
CLAIM = GroupKind("", "PersistentVolumeClaim")
DEFINITION = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")

_RBAC = "rbac.authorization.k8s.io"
_NET = "networking.k8s.io"
_ORDER: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Namespace", ("",)),
    ("PriorityClass", ("scheduling.k8s.io",)),
    ("NetworkPolicy", (_NET, "extensions")),
    ("ResourceQuota", ("",)),
    ("LimitRange", ("",)),
    ("PodDisruptionBudget", ("policy",)),
    ("ServiceAccount", ("",)),
    ("Secret", ("",)),
    ("ConfigMap", ("",)),
    ("StorageClass", ("storage.k8s.io",)),
    ("PersistentVolume", ("",)),
    ("PersistentVolumeClaim", ("",)),
    ("CustomResourceDefinition", ("apiextensions.k8s.io",)),
    ("ClusterRole", (_RBAC,)),
    ("ClusterRoleBinding", (_RBAC,)),
    ("Role", (_RBAC,)),
    ("RoleBinding", (_RBAC,)),
    ("Service", ("",)),
    ("DaemonSet", ("apps", "extensions")),
    ("Pod", ("",)),
    ("ReplicationController", ("",)),
    ("ReplicaSet", ("apps", "extensions")),
    ("Deployment", ("apps", "extensions")),
    ("HorizontalPodAutoscaler", ("autoscaling",)),
    ("StatefulSet", ("apps",)),
    ("Job", ("batch",)),
    ("CronJob", ("batch",)),
    ("IngressClass", (_NET,)),
    ("Ingress", (_NET, "extensions")),
    ("APIService", ("apiregistration.k8s.io",)),
)
_OTHER = len(_ORDER)
_ADMISSION = "admissionregistration.k8s.io"
_LAST = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_RANKS = MappingProxyType(
    {
        GroupKind(group, kind): position
        for position, (kind, groups) in enumerate(_ORDER)
        for group in groups
    }
    | {GroupKind(_ADMISSION, kind): _OTHER + 1 + n for n, kind in enumerate(_LAST)}
)


def rank(ref: ObjectRef) -> int:
    """The place of an object's kind: lower ones are applied earlier and pruned later."""
    return _RANKS.get(ref.group_kind, _OTHER)


def ordered(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """In apply order: by kind, then by reference, so that equal input prints equally."""
    return tuple(sorted(manifests, key=lambda m: (rank(m.ref), m.ref)))
