"""Labels: what the service says about every object, without changing what any selector selects.

The recommended labels of Kubernetes ("Recommended Labels", app.kubernetes.io). They are set on objects
alone, never in pod templates: a label there restarts pods, and a selector cannot be changed later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distributor.errors.render import BadManifest
from distributor.model.package import Package
from distributor.model.refs import GroupKind, ObjectRef
from distributor.render.applyset import PART_OF, applyset_id
from distributor.render.images import Reference
from distributor.render.pods import POD, containers, pod_spec
from distributor.render.scopes import group_kind

PREFIX = "app.kubernetes.io/"
MANAGED_BY = PREFIX + "managed-by"
INSTANCE = PREFIX + "instance"
NAME, COMPONENT, VERSION = PREFIX + "name", PREFIX + "component", PREFIX + "version"
APP = PREFIX + "part-of"

_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_NAMESPACE = GroupKind("", "Namespace")
_OF_PODS = frozenset({"", "apps", "autoscaling", "batch", "networking.k8s.io", "policy"})
"""Groups whose selectors select pods."""
_DATA = frozenset({GroupKind("", "ConfigMap"), GroupKind("", "Secret")})
_OTHERS: Mapping[GroupKind, GroupKind] = {
    GroupKind("", "PersistentVolumeClaim"): GroupKind("", "PersistentVolume"),
}
"""Kinds of these groups that select something else (Kubernetes API reference)."""


class Labels:
    """The labels of one instance's objects.

    ``managed-by`` and the ApplySet are the service's own. ``instance``, ``part-of`` (the app), ``name``,
    ``component`` and ``version`` are the author's where they are set; ``name`` and ``component`` come
    from the package's topology where it lists the object. ``version`` is the tag of the image that an
    object runs, not the package's version: that would change every object with every version. A label
    by which a selector of the same render would select other objects than before is left out.
    """

    def __init__(
        self, package: Package, instance: str, objects: Iterable[Mapping[str, Any]]
    ) -> None:
        self._package, self._instance = package, instance
        self._applyset = applyset_id(instance)
        self._components = _components(package)
        self._selectors: dict[GroupKind | None, list[_Selector]] = {}
        for selector in (s for data in objects for s in _selectors(data)):
            self._selectors.setdefault(selector.selects, []).append(selector)

    def put(self, data: dict[str, Any]) -> None:
        """Add, in place, what an object lacks."""
        labels = labels_of(data)
        added = {k: v for k, v in self._defaults(data).items() if labels.get(k) in (None, "")}
        added[MANAGED_BY] = "distributor"
        kind = group_kind(data)
        for _ in range(len(added)):
            lost = self._betrayed(kind, labels, added)
            if not lost:
                break
            added = {k: v for k, v in added.items() if k not in lost}
        labels.update(added)
        labels[PART_OF] = self._applyset

    def _defaults(self, data: Mapping[str, Any]) -> dict[str, str]:
        metadata = data["metadata"]
        known = self._components.get((group_kind(data), metadata.get("name")))
        made = {INSTANCE: self._instance, APP: self._package.app}
        made[NAME] = known.name if known is not None else self._package.app
        if known is not None:
            made[COMPONENT] = known.role
        version = _version(data)
        if version:
            made[VERSION] = version
        return made

    def _betrayed(
        self, kind: GroupKind, labels: Mapping[str, Any], added: Mapping[str, str]
    ) -> frozenset[str]:
        """The labels by which a selector would take an object in, or leave it out, anew."""
        after = {**labels, **added}
        return frozenset(
            key
            for selector in (*self._selectors.get(None, ()), *self._selectors.get(kind, ()))
            if selector.keys & added.keys()
            if selector.matches(labels) != selector.matches(after)
            for key in selector.keys & added.keys()
        )


def labels_of(data: dict[str, Any]) -> dict[str, Any]:
    """The labels of an object, itself and no copy, made where there are none; raises ``BadManifest``."""
    metadata = data["metadata"]
    if metadata.get("labels") is None:
        metadata["labels"] = {}
    labels = metadata["labels"]
    if not isinstance(labels, dict):
        raise BadManifest(f"(metadata.labels of {metadata.get('name')} are no mapping)")
    return labels


@dataclass(frozen=True, slots=True, kw_only=True)
class _Component:
    name: str
    role: str


def _components(package: Package) -> dict[tuple[GroupKind, str], _Component]:
    """The components of the topology by kind and name: an instance may have another namespace."""
    found: dict[tuple[GroupKind, str], _Component] = {}
    for box in package.topology.get("components", ()):
        for text in box.get("objects", ()):
            ref = ObjectRef.parse(text)
            found[ref.group_kind, ref.name] = _Component(name=box["name"], role=box["kind"])
    return found


def _version(data: Mapping[str, Any]) -> str:
    """The tag of the image that an object runs, if it can be a label and says more than ``latest``."""
    pod = pod_spec(data)
    if pod is None:
        return ""
    images = (c.get("image") for (key, _), c in containers(pod) if key == "containers")
    first = next(images, None)
    found = Reference.parse(first) if isinstance(first, str) else None
    tag = found.tag if found is not None else ""
    return tag if tag != "latest" and _VALUE.fullmatch(tag) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selector:
    """A label selector (meta/v1 LabelSelector); ``selects`` is the one kind it is about, if known."""

    selects: GroupKind | None
    labels: Mapping[str, Any]
    rules: Sequence[Mapping[str, Any]]
    keys: frozenset[str]

    def matches(self, labels: Mapping[str, Any]) -> bool:
        return all(labels.get(k) == v for k, v in self.labels.items()) and all(
            _holds(rule, labels) for rule in self.rules
        )


def _holds(rule: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    value, values = labels.get(rule.get("key", "")), rule.get("values") or ()
    match rule.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False


def _selectors(data: Mapping[str, Any]) -> Iterator[_Selector]:
    """Every selector in an object that is about labels of ours."""
    kind = group_kind(data)
    if kind in _DATA:
        return
    for name, value in _mappings(data):
        labels, rules = value.get("matchLabels"), value.get("matchExpressions")
        if name == "selector" and _is_plain(value):
            labels, rules = value, ()
        labels = labels if isinstance(labels, Mapping) else {}
        rules = [r for r in rules or () if isinstance(r, Mapping)]
        keys = frozenset(labels) | {str(rule.get("key")) for rule in rules}
        if any(key.startswith(PREFIX) for key in keys):
            selects = _selected(kind, name)
            yield _Selector(selects=selects, labels=labels, rules=rules, keys=keys)


def _selected(kind: GroupKind, name: str) -> GroupKind | None:
    if name == "namespaceSelector":
        return _NAMESPACE
    return _OTHERS.get(kind, POD) if kind.group in _OF_PODS else None


def _is_plain(value: Mapping[str, Any]) -> bool:
    """Whether a selector is written as labels alone, as a Service does."""
    return bool(value) and all(isinstance(v, str) for v in value.values())


def _mappings(data: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every mapping in an object that can be a selector, with the key that it stands under."""
    waiting: list[tuple[str, object]] = [("", data)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            if name == "selector" or "matchLabels" in value or "matchExpressions" in value:
                yield name, value
            waiting += [(key, v) for key, v in value.items() if isinstance(v, dict | list)]
        elif isinstance(value, list):
            waiting += [(name, v) for v in value if isinstance(v, dict | list)]
