"""Windows: pods land on nodes of the operating system that their package runs on.

A pod that says nothing is placed on any node, and a Linux container on a Windows node never starts, nor
the other way round. Where a package's ``fits.os`` names one system, each of its pods asks for it; a pod
that says something else is refused. Where it names both, each pod speaks for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from distributor.errors.render import OsConflict
from distributor.model.package import Package
from distributor.render.places import Path, shown
from distributor.render.pods import containers, pod_path, pod_spec

LINUX, WINDOWS = "linux", "windows"
OS_LABEL = "kubernetes.io/os"
"""Set on every node by its kubelet (Kubernetes: well-known labels)."""
TOLERATION: Mapping[str, str] = {
    "key": "os", "operator": "Equal", "value": "windows", "effect": "NoSchedule",
}  # fmt: skip
"""For the taint that keeps Linux pods away (Kubernetes: guide for running Windows containers)."""

_FLAGS = ("hostPID", "hostIPC")
_POD = ("hostUsers", "resources", "shareProcessNamespace")
_POD_CONTEXT = (
    "appArmorProfile", "fsGroup", "fsGroupChangePolicy", "runAsGroup", "runAsUser",
    "seLinuxChangePolicy", "seLinuxOptions", "seccompProfile", "supplementalGroups",
    "supplementalGroupsPolicy", "sysctls",
)  # fmt: skip
_CONTEXT = (
    "allowPrivilegeEscalation", "appArmorProfile", "capabilities", "privileged", "procMount",
    "readOnlyRootFilesystem", "runAsGroup", "runAsUser", "seLinuxOptions", "seccompProfile",
)  # fmt: skip
"""What must be unset where ``spec.os.name`` is windows (Kubernetes API reference, core/v1 PodSpec.os)."""


def settle_os(objects: Iterable[dict[str, Any]], package: Package) -> None:
    """Add, in place, what the pods lack to land on the right nodes.

    Windows: node selector, toleration and ``spec.os.name``; Linux: the node selector. Raises
    ``OsConflict`` naming every object and field that contradicts it.
    """
    systems = frozenset(package.fits.os)
    only = next(iter(systems)) if len(systems) == 1 else ""
    wrong: list[str] = []
    for data in objects:
        pod = pod_spec(data)
        if pod is None:
            continue
        wanted = only or (WINDOWS if WINDOWS in _said(pod).values() else "")
        if not wanted:
            continue
        found = list(_conflicts(pod, wanted))
        wrong += [f"{_name(data)} {shown((*pod_path(data), *field))}" for field in found]
        if not found:
            _complete(pod, wanted)
    if wrong:
        text = "; ".join(wrong)
        raise OsConflict(f"{package} runs on {only or WINDOWS}, but not with {text}")


def _said(pod: Mapping[str, Any]) -> dict[Path, object]:
    """What a pod says about its system, by field."""
    said: dict[Path, object] = {}
    os, selector = pod.get("os"), pod.get("nodeSelector")
    if isinstance(os, Mapping) and os.get("name"):
        said["os", "name"] = os["name"]
    if isinstance(selector, Mapping):
        for key in (OS_LABEL, f"beta.{OS_LABEL}"):
            if selector.get(key):
                said["nodeSelector", key] = selector[key]
    return said


def _conflicts(pod: Mapping[str, Any], wanted: str) -> Iterator[Path]:
    """The fields that do not go with the system, from the pod spec on."""
    for field, value in _said(pod).items():
        if value in (LINUX, WINDOWS) and value != wanted:
            yield field
    if wanted == LINUX:
        return
    yield from ((flag,) for flag in _FLAGS if pod.get(flag))
    yield from ((field,) for field in _POD if pod.get(field) is not None)
    yield from _set(pod.get("securityContext"), _POD_CONTEXT, ())
    for place, container in containers(pod):
        yield from _set(container.get("securityContext"), _CONTEXT, place)


def _set(context: object, fields: Iterable[str], before: Path) -> Iterator[Path]:
    if isinstance(context, Mapping):
        yield from ((*before, "securityContext", f) for f in fields if context.get(f) is not None)


def _complete(pod: dict[str, Any], wanted: str) -> None:
    selector = pod.get("nodeSelector")
    if selector is None or isinstance(selector, dict):
        pod["nodeSelector"] = {OS_LABEL: wanted, **(selector or {})}
    if wanted == LINUX:
        return
    os = pod.get("os")
    if not isinstance(os, Mapping) or not os.get("name"):
        pod["os"] = {"name": WINDOWS}
    tolerations = pod.get("tolerations")
    known = tolerations if isinstance(tolerations, list) else []
    if not any(isinstance(t, Mapping) and _tolerates(t) for t in known):
        pod["tolerations"] = [*known, dict(TOLERATION)]


def _tolerates(toleration: Mapping[str, Any]) -> bool:
    """Whether a toleration is for the taint of Windows nodes (core/v1 Toleration)."""
    key, exists = toleration.get("key"), toleration.get("operator") == "Exists"
    fits = exists or toleration.get("value") == TOLERATION["value"]
    named = key == TOLERATION["key"] or (not key and exists)
    return named and fits and toleration.get("effect") in (None, "", TOLERATION["effect"])


def _name(data: Mapping[str, Any]) -> str:
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else ""
    return f"{data.get('kind')}/{name}"
