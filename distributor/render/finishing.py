"""Finishing: what the service does to every rendered object before it is bound to a cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from distributor.errors.render import BadManifest, DuplicateObject
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.package import Package
from distributor.model.refs import GroupKind
from distributor.model.rendering import RenderInput
from distributor.render import hooks
from distributor.render.images import Images, set_images
from distributor.render.labels import Labels, labels_of
from distributor.render.scopes import cluster_wide, group_kind
from distributor.render.windows import settle_os

POD_SECURITY = "pod-security.kubernetes.io/enforce"

_NAMESPACE = GroupKind("", "Namespace")
_ALWAYS_THERE = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
"""Namespaces that every cluster has: an instance must not own them."""
_OF_ONE_OBJECT = ("uid", "resourceVersion", "managedFields")
"""What an exported object says of itself: no API server takes it for another one, or a second time."""
_BINDINGS = frozenset({"RoleBinding", "ClusterRoleBinding"})


def finish(objects: Sequence[bytes], cell: RenderInput, package: Package) -> ManifestSet:
    """The objects of a cell with namespaces, labels and images set, sorted and digested.

    Namespaced objects always name their namespace; the instance's own is added where the package asks
    for it. Hooks stay among the objects, but for those that no delivery runs (``hooks.wanted``). Raises
    ``BadManifest`` for what is no object, ``OsConflict`` for pods that ask for another operating system
    than their package, and ``DuplicateObject`` naming every object rendered twice.
    """
    parsed = hooks.wanted(data for raw in objects for data in _expanded(_object(raw)))
    wide = cluster_wide(parsed)
    for data in parsed:
        _set_namespace(data, cell.namespace, wide)
    _add_namespace(parsed, cell, package)
    settle_os(parsed, package)
    images = Images(package.images, cell.registry)
    labels = Labels(package, cell.instance, parsed)
    made = [_made(data, labels, images) for data in parsed]
    refuse_duplicates(made)
    return ManifestSet.of(made)


def refuse_duplicates(manifests: Iterable[Manifest]) -> None:
    """Raise ``DuplicateObject`` naming every object that is there more than once."""
    counts = Counter(m.ref for m in manifests)
    twice = sorted(ref for ref, count in counts.items() if count > 1)
    if twice:
        raise DuplicateObject(", ".join(str(ref) for ref in twice))


def _object(raw: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadManifest(f"({error})") from error
    return _mapping(data, "the document")


def _mapping(data: object, what: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise BadManifest(f"({what} is {type(data).__name__}, not a mapping)")
    return data


def _expanded(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if data.get("kind") != "List" or data.get("apiVersion") != "v1":
        yield data
        return
    items = data.get("items") or []
    if not isinstance(items, list):
        raise BadManifest("(items of a List are no list)")
    for item in items:
        yield from _expanded(_mapping(item, "an item of a List"))


def _metadata(data: dict[str, Any]) -> dict[str, Any]:
    return _mapping(data.get("metadata"), f"metadata of a {data.get('kind')}")


def _set_namespace(data: dict[str, Any], namespace: str, wide: frozenset[GroupKind]) -> None:
    kind, metadata = group_kind(data), _metadata(data)
    if kind in wide:
        metadata.pop("namespace", None)
    elif metadata.get("namespace") in (None, ""):
        metadata["namespace"] = namespace
    if kind.group == "rbac.authorization.k8s.io" and kind.kind in _BINDINGS:
        _set_subjects(data.get("subjects"), metadata.get("namespace", namespace))


def _set_subjects(subjects: object, namespace: str) -> None:
    """A service account in a binding needs a namespace, and can only mean the one it is made in."""
    for subject in subjects if isinstance(subjects, list) else ():
        if isinstance(subject, dict) and subject.get("kind") == "ServiceAccount":
            subject["namespace"] = subject.get("namespace") or namespace


def _add_namespace(parsed: list[dict[str, Any]], cell: RenderInput, package: Package) -> None:
    if not package.namespace.create or cell.namespace in _ALWAYS_THERE:
        return
    found = next(
        (
            data
            for data in parsed
            if group_kind(data) == _NAMESPACE and _metadata(data).get("name") == cell.namespace
        ),
        None,
    )
    if found is None:
        found = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cell.namespace}}
        parsed.append(found)
    if package.namespace.pod_security:
        labels_of(found).setdefault(POD_SECURITY, package.namespace.pod_security)


def _made(data: dict[str, Any], labels: Labels, images: Images) -> Manifest:
    metadata = _metadata(data)
    if metadata.get("creationTimestamp", "") is None:
        del metadata["creationTimestamp"]  # what Go writes for "not set"
    for name in _OF_ONE_OBJECT:
        metadata.pop(name, None)
    labels.put(data)
    if images:
        set_images(data, images)
    return Manifest.of(data)
