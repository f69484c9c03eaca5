"""Capacity: what a set of objects asks of a cluster, and what its record says that it has.

A pod asks for the sum of its containers, or for the largest of its init containers where that is more;
init containers that go on running count as containers
(https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache, reduce
from typing import Any

from distributor.model.capacity import Resources
from distributor.model.fleet import Cluster, NodeGroup
from distributor.model.manifest import Manifest, ManifestSet
from distributor.plan.quantities import quantity

_NOTHING = Resources()
_COUNTS = {
    "Deployment": "replicas",
    "ReplicaSet": "replicas",
    "StatefulSet": "replicas",
    "Job": "parallelism",
}
"""Kinds that run pods, and the field of their spec that says how many; one where it is absent."""
_GROUPS = {"apps": {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"}, "batch": {"Job"}, "": {"Pod"}}  # fmt: skip


def supply(cluster: Cluster, systems: Iterable[str]) -> Resources:
    """What the nodes of some operating systems have in all; workers alone where there are any.

    A figure that one of them does not declare is not known of all.
    """
    return reduce(
        Resources.__add__,
        (_node(group).times(group.count) for group in _groups(cluster, systems)),
        _NOTHING if _groups(cluster, systems) else Resources(cpu=None, memory=None),
    )


def demand(manifests: ManifestSet, cluster: Cluster, systems: Iterable[str]) -> Resources:
    """What all pods ask for at once. A DaemonSet runs one pod a node; CronJobs and hooks come and go."""
    nodes = max(1, sum(group.count for group in _groups(cluster, systems)))
    asked = (_workload(manifest, nodes) for manifest in manifests)
    return reduce(Resources.__add__, asked, _NOTHING)


def declared(figures: Mapping[str, Any]) -> Resources:
    """Figures as descriptors write them: ``cpu`` and ``memory``."""
    return Resources(cpu=quantity(figures.get("cpu")), memory=quantity(figures.get("memory")))


def _groups(cluster: Cluster, systems: Iterable[str]) -> list[NodeGroup]:
    wanted = tuple(systems) or ("linux",)
    groups = [g for g in cluster.nodes if g.count > 0 and g.os in wanted]
    return [g for g in groups if g.role == "worker"] or groups


def _node(group: NodeGroup) -> Resources:
    return Resources(cpu=quantity(group.cpu), memory=quantity(group.memory))


@lru_cache(maxsize=1024)  # most objects are the same on many clusters
def _workload(manifest: Manifest, nodes: int) -> Resources:
    ref = manifest.ref
    if ref.kind not in _GROUPS.get(ref.group, ()):
        return _NOTHING
    spec = _map(manifest.data().get("spec"))
    if ref.kind == "Pod":
        return _pod(spec)
    pod = _pod(_map(_map(spec.get("template")).get("spec")))
    if ref.kind == "DaemonSet":
        return pod.times(nodes)
    count = spec.get(_COUNTS[ref.kind], 1)
    return pod.times(count if isinstance(count, int) and count >= 0 else 1)


def _pod(spec: Mapping[str, Any]) -> Resources:
    running = reduce(Resources.__add__, map(_container, _list(spec.get("containers"))), _NOTHING)
    first = _NOTHING
    for init in _list(spec.get("initContainers")):
        if init.get("restartPolicy") == "Always":
            running += _container(init)
        first = first.most(_container(init))
    return running.most(first)


def _container(container: Mapping[str, Any]) -> Resources:
    """Its requests; a limit without a request is one."""
    resources = _map(container.get("resources"))
    asked = {**_map(resources.get("limits")), **_map(resources.get("requests"))}
    found = declared(asked)
    return _NOTHING.most(found)


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
