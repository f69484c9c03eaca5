"""The order of objects in a file or folder, for readers that apply from top to bottom."""

from __future__ import annotations

from distributor.model.refs import GroupKind, ObjectRef

_FIRST = (
    "Namespace",
    "apiextensions.k8s.io/CustomResourceDefinition",
    "scheduling.k8s.io/PriorityClass",
    "networking.k8s.io/NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "policy/PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "storage.k8s.io/StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "rbac.authorization.k8s.io/ClusterRole",
    "rbac.authorization.k8s.io/ClusterRoleBinding",
    "rbac.authorization.k8s.io/Role",
    "rbac.authorization.k8s.io/RoleBinding",
    "Service",
    "apps/DaemonSet",
    "Pod",
    "ReplicationController",
    "apps/ReplicaSet",
    "apps/Deployment",
    "autoscaling/HorizontalPodAutoscaler",
    "apps/StatefulSet",
    "batch/Job",
    "batch/CronJob",
    "networking.k8s.io/IngressClass",
    "networking.k8s.io/Ingress",
    "apiregistration.k8s.io/APIService",
)
_LAST = (
    "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
    "admissionregistration.k8s.io/MutatingWebhookConfiguration",
)
_RANK = {name: rank for rank, name in enumerate(_FIRST)} | dict.fromkeys(_LAST, len(_FIRST) + 1)


def rank(kind: GroupKind) -> int:
    """The place of a kind, below 100; kinds that are not listed come before admission webhooks."""
    return _RANK.get(str(kind), len(_FIRST))


def apply_order(ref: ObjectRef) -> tuple[int, ObjectRef]:
    """A key that sorts references in apply order."""
    return rank(ref.group_kind), ref
