"""The health of any object: generic rules first, then the rule of its kind, then conditions.

The rules and their order are those of kstatus (sigs.k8s.io/cli-utils, pkg/kstatus). Its known holes are
closed: a custom resource before its first status is in progress, and a Ready condition counts only for
the generation that it speaks of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from distributor.health import others, services, workloads
from distributor.health.fields import (
    Condition,
    Told,
    at,
    condition,
    conditions,
    current,
    failed,
    in_progress,
    maybe_number,
    text,
    unknown,
)
from distributor.health.plain import is_custom, is_plain
from distributor.health.pods import pod
from distributor.health.ruled import NO_RULES, Rulebook
from distributor.health.settling import unsettled
from distributor.model.health import HealthStatus, ObjectHealth, worst
from distributor.model.refs import GroupKind, ObjectRef

Rule = Callable[[Mapping[str, Any]], Told]

_GATEWAY = "gateway.networking.k8s.io"
RULES: Mapping[GroupKind, Rule] = MappingProxyType(
    {
        GroupKind("", "Service"): services.service,
        GroupKind("", "Secret"): services.always_ready,
        GroupKind("", "ConfigMap"): services.always_ready,
        GroupKind("", "PersistentVolumeClaim"): services.claim,
        GroupKind("", "Namespace"): services.namespace,
        GroupKind("apps", "Deployment"): workloads.deployment,
        GroupKind("apps", "StatefulSet"): workloads.stateful_set,
        GroupKind("apps", "DaemonSet"): workloads.daemon_set,
        GroupKind("apps", "ReplicaSet"): workloads.replica_set,
        GroupKind("extensions", "Deployment"): workloads.deployment,
        GroupKind("extensions", "DaemonSet"): workloads.daemon_set,
        GroupKind("extensions", "ReplicaSet"): workloads.replica_set,
        GroupKind("batch", "Job"): workloads.job,
        GroupKind("batch", "CronJob"): services.always_ready,
        GroupKind("policy", "PodDisruptionBudget"): services.disruption_budget,
        GroupKind("autoscaling", "HorizontalPodAutoscaler"): services.autoscaler,
        GroupKind("networking.k8s.io", "Ingress"): services.ingress,
        GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): services.resource_definition,
        GroupKind("apiregistration.k8s.io", "APIService"): services.api_service,
        GroupKind("", "PersistentVolume"): others.volume,
        GroupKind("", "ReplicationController"): workloads.replica_set,
        GroupKind("certificates.k8s.io", "CertificateSigningRequest"): others.certificate_request,
        GroupKind("certificates.k8s.io", "PodCertificateRequest"): others.certificate_request,
        GroupKind("flowcontrol.apiserver.k8s.io", "FlowSchema"): others.flow,
        GroupKind("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): others.flow,
        GroupKind("storage.k8s.io", "VolumeAttachment"): others.attachment,
        GroupKind("storagemigration.k8s.io", "StorageVersionMigration"): others.migration,
        GroupKind(_GATEWAY, "Gateway"): others.gateway,
        GroupKind(_GATEWAY, "GatewayClass"): others.gateway_class,
        **{
            GroupKind(_GATEWAY, f"{kind}Route"): others.route
            for kind in ("HTTP", "GRPC", "TLS", "TCP", "UDP")
        },
    }
)
_OBSERVED = frozenset(
    GroupKind(group, kind)
    for group, kinds in {
        "": ("ReplicationController",),
        "apps": ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
        "extensions": ("DaemonSet", "Deployment", "ReplicaSet"),
    }.items()
    for kind in kinds
)
"""Kinds whose controllers always say which generation they have looked at."""
_POD = GroupKind("", "Pod")


def health(
    obj: Mapping[str, Any],
    now: datetime | None = None,
    *,
    plain: frozenset[GroupKind] = frozenset(),
    rulebook: Rulebook = NO_RULES,
) -> ObjectHealth:
    """The health of one live object, whatever its shape.

    ``now`` is needed for the 15 s that a pod has to be scheduled: without it they count as over.
    ``plain`` are kinds that never get a status (``plain_kinds``). The rules of a package come before
    those of the kind, and after deletion and the observed generation.
    """
    api_version = text(obj, "apiVersion")
    group = api_version.rpartition("/")[0]
    kind = text(obj, "kind")
    ref = ObjectRef(group, kind, text(obj, "metadata", "namespace"), text(obj, "metadata", "name"))
    told = (
        _unready(obj, ref.group_kind)
        or _unsettled(obj, ref.group_kind, now, plain)
        or rulebook.told(obj, ref.group_kind)
        or _told(obj, ref.group_kind, now, plain)
        if api_version and kind and ref.name
        else unknown(
            "This is not a Kubernetes object: apiVersion, kind or metadata.name is missing"
        )
    )
    return ObjectHealth(
        ref=ref,
        api_version=api_version,
        status=told.status,
        message=told.message,
        observed_at=now,
    )


def aggregate(healths: Iterable[ObjectHealth]) -> HealthStatus:
    """The worst of all; ``Unknown`` for none, because nothing was seen."""
    return worst(h.status for h in healths)


def _told(
    obj: Mapping[str, Any], kind: GroupKind, now: datetime | None, plain: frozenset[GroupKind]
) -> Told:
    stuck = _stuck(obj)
    if stuck is not None:
        return stuck
    if kind == _POD:
        return pod(obj, now)
    rule = RULES.get(kind)
    if rule is not None:
        return rule(obj)
    return _by_ready(obj) or _by_status(obj, kind, plain)


def _unready(obj: Mapping[str, Any], kind: GroupKind) -> Told | None:
    """What holds for every kind, whatever its rules: deletion, and the observed generation."""
    if text(obj, "metadata", "deletionTimestamp"):
        return Told(HealthStatus.TERMINATING, "Resource scheduled for deletion")
    generation = maybe_number(obj, "metadata", "generation")
    observed = maybe_number(obj, "status", "observedGeneration")
    if generation is not None and observed is not None and generation != observed:
        return in_progress(
            f"{kind.kind} generation is {generation}, but latest observed generation is {observed}"
        )
    if generation is not None and observed is None and kind in _OBSERVED:
        return in_progress(
            f"status.observedGeneration not found: nobody has looked at this {kind.kind} yet"
        )
    return None


def _unsettled(
    obj: Mapping[str, Any], kind: GroupKind, now: datetime | None, plain: frozenset[GroupKind]
) -> Told | None:
    custom = is_custom(kind.group) and not is_plain(obj, kind, plain)
    return unsettled(obj, now) if custom else None


def _stuck(obj: Mapping[str, Any]) -> Told | None:
    """The conditions by which any kind may say that it works on something, or cannot."""
    for c in conditions(obj):
        if c.type == "Reconciling" and c.status == "True":
            return in_progress(c.words)
        if c.type == "Stalled" and c.status == "True":
            return failed(c.words)
    return None


def _by_ready(obj: Mapping[str, Any]) -> Told | None:
    """The Ready condition, or where there is none, Available.

    False cannot tell doomed from progressing: the caller's deadline or a rule of the package does.
    """
    ready = condition(obj, "Ready") or condition(obj, "Available")
    if ready is None:
        return None
    if _stale(obj, ready):
        return in_progress(f"The {ready.type} condition speaks of an earlier generation")
    if ready.status == "True":
        return current(f"Resource is {ready.type}")
    since = f" since {ready.since}" if ready.since else ""
    return in_progress(f"Not {ready.type.lower()}{since}. {ready.words}".strip())


def _stale(obj: Mapping[str, Any], c: Condition) -> bool:
    generation = maybe_number(obj, "metadata", "generation")
    return generation is not None and c.observed is not None and c.observed < generation


def _by_status(obj: Mapping[str, Any], kind: GroupKind, plain: frozenset[GroupKind]) -> Told:
    """Without a Ready condition: current, but a custom resource must have been looked at."""
    if not is_custom(kind.group) or is_plain(obj, kind, plain):
        return current("Resource is current")
    if not at(obj, "status"):
        return in_progress(f"No controller has reported a status of this {kind.kind} yet")
    found = conditions(obj)
    if found and all(c.status == "Unknown" for c in found):
        return in_progress(f"Every condition is still Unknown. {found[0].words}".strip())
    return current("Resource is current")
