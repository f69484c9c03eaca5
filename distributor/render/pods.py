"""Pods: where the pod specs of an object lie, for the kinds that are known to hold one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from distributor.model.refs import GroupKind
from distributor.render.scopes import group_kind

PodPath = tuple[str, ...]

POD = GroupKind("", "Pod")

_TEMPLATE: PodPath = ("spec", "template", "spec")
_PATHS: Mapping[GroupKind, PodPath] = {
    POD: ("spec",),
    GroupKind("", "PodTemplate"): ("template", "spec"),
    GroupKind("", "ReplicationController"): _TEMPLATE,
    GroupKind("apps", "DaemonSet"): _TEMPLATE,
    GroupKind("apps", "Deployment"): _TEMPLATE,
    GroupKind("apps", "ReplicaSet"): _TEMPLATE,
    GroupKind("apps", "StatefulSet"): _TEMPLATE,
    GroupKind("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    GroupKind("batch", "Job"): _TEMPLATE,
    # Kinds of widely used extensions whose template is Kubernetes' own PodTemplateSpec.
    GroupKind("apps.kruise.io", "CloneSet"): _TEMPLATE,
    GroupKind("apps.kruise.io", "DaemonSet"): _TEMPLATE,
    GroupKind("apps.kruise.io", "StatefulSet"): _TEMPLATE,
    GroupKind("argoproj.io", "Rollout"): _TEMPLATE,
}
"""Kubernetes API reference, core/v1, apps/v1 and batch/v1."""


def pod_spec(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The pod spec that an object runs, itself and no copy; ``None`` where it runs none."""
    path = _PATHS.get(group_kind(data))
    value: object = data
    for step in path or ():
        value = value.get(step) if isinstance(value, Mapping) else None
    return value if path is not None and isinstance(value, dict) else None


def pod_path(data: Mapping[str, Any]) -> PodPath:
    """Where the pod spec of an object lies; empty where its kind has none."""
    return _PATHS.get(group_kind(data), ())


def containers(pod: Mapping[str, Any]) -> Iterator[tuple[tuple[str, int], dict[str, Any]]]:
    """Every container of a pod spec with its list and index, those of its start-up first."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        listed = pod.get(key)
        for number, container in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(container, dict):
                yield (key, number), container
