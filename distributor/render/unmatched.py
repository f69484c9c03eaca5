"""Shared Components: whether their patches find anything in the apps that are rendered with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from distributor.errors import Where
from distributor.errors.catalog import UnusedComponent
from distributor.model.findings import Finding, Severity
from distributor.model.rendering import Layer, RenderInput, RenderJob
from distributor.render.kustomizations import Kustomization

_TARGETED = frozenset({"patches", "patchesJson6902"})
_PLAIN = frozenset({"apiVersion", "kind", "metadata"}) | _TARGETED
_TARGET = frozenset(
    {"group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector"}
)
_TAKES_AWAY = re.compile(rb"\$patch|allowKindChange")
"""What may take from the result an object that a patch found, or give it another kind."""
_RENAMES = re.compile(rb"allowNameChange|replacements")
_MARKS = re.compile(rb"labels|annotations|commonLabels|commonAnnotations")
_SIMPLE = re.compile(r"(?:[A-Za-z0-9_-]|\.[*+]?)*")
_ANY = re.compile(r"\.[*+]")
_AT_MOST = 2
"""Repetitions in a pattern that is tried; Python's expressions, unlike Go's, take their time for more."""
_IN_SET = re.compile(r"([^\s!=<>,()]+)\s+(in|notin)\s+\(([^()]*)\)")
_EQUAL = re.compile(r"([^\s!=<>,()]+)\s*(==?|!=)\s*([^\s!=<>,()]*)")
_EXISTS = re.compile(r"(!?)\s*([^\s!=<>,()]+)")


class Unmatched:
    """Watches renders, and tells the shared Components that found nothing in any of them.

    Only what is certain is told. What cannot be judged by the result counts as found: Components that do
    more than patch targets, patches without a target, namespaces (a target may mean one that an object
    had before), patterns beyond the simple ones, labels that a layer changes.
    """

    def __init__(self) -> None:
        self._found: set[str] = set()
        self._missed: dict[str, Where] = {}

    def saw(self, cell: RenderInput, job: RenderJob, objects: Sequence[bytes]) -> None:
        """Take one render in: the objects as the engine gave them."""
        parsed: list[_Object] | None = None
        for number, layer in enumerate(cell.layers):
            if not _shared(layer) or layer.label in self._found:
                continue
            if parsed is None:
                parsed = [_Object.of(orjson.loads(raw)) for raw in objects]
            component = Kustomization.read(job.files, layer.folder)
            later = [each.folder for each in cell.layers[number:] if each.folder]
            if component is None or _Judge(job, component, later).finds(parsed):
                self._found.add(layer.label)
            else:
                self._missed.setdefault(layer.label, _place(layer, component, job.files))

    def findings(self) -> tuple[Finding, ...]:
        """A warning for each Component that found nothing."""
        return tuple(
            Finding.of(
                UnusedComponent,
                "None of its patches finds an object in any app that is rendered with it.",
                where,
                severity=Severity.WARNING,
            )
            for label, where in sorted(self._missed.items())
            if label not in self._found
        )


def _shared(layer: Layer) -> bool:
    return layer.folder == "overlay" or layer.folder.startswith("tiers/")


def _place(layer: Layer, component: Kustomization, files: Mapping[str, bytes]) -> Where:
    lines = files[component.file].splitlines()
    line = next((n for n, text in enumerate(lines, 1) if text.startswith(b"patches")), 0)
    file = f"{layer.label}/{component.file.rpartition('/')[2]}"
    return Where(file=file, line=line, field="patches" if line else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    group: str
    version: str
    kind: str
    name: str
    labels: Mapping[str, Any]
    annotations: Mapping[str, Any]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> _Object:
        group, _, version = str(data.get("apiVersion", "")).rpartition("/")
        metadata = data.get("metadata") or {}
        return cls(
            group=group,
            version=version,
            kind=str(data.get("kind", "")),
            name=str(metadata.get("name", "")),
            labels=metadata.get("labels") or {},
            annotations=metadata.get("annotations") or {},
        )


class _Judge:
    """Judges one Component by the result of one render; ``layers`` are its folder and all above it."""

    def __init__(self, job: RenderJob, component: Kustomization, layers: Iterable[str]) -> None:
        self._component = component
        above = [job.patches, *_texts(job.files, layers)]
        self._gone = any(_TAKES_AWAY.search(text) for text in above)
        self._marked = any(_MARKS.search(text) for text in above)
        self._renamed = any(_RENAMES.search(text) for text in (job.patches, *job.files.values()))

    def finds(self, objects: Sequence[_Object]) -> bool:
        """Whether it may have found something."""
        entries = self._component.entries
        if self._gone or not entries or self._component.keys - _PLAIN:
            return True
        targets = [e.item.get("target") if isinstance(e.item, Mapping) else None for e in entries]
        return any(self._hits(target, each) for target in targets for each in objects) or not all(
            isinstance(target, Mapping) and target.keys() <= _TARGET for target in targets
        )

    def _hits(self, target: object, each: _Object) -> bool:
        if not isinstance(target, Mapping) or each.kind == "List":
            return True
        exact = all(
            _whole(target.get(key), text)
            for key, text in (("group", each.group), ("version", each.version), ("kind", each.kind))
        )
        return (
            exact
            and (self._renamed or _part(target.get("name"), each.name))
            and (
                self._marked
                or (
                    _selects(target.get("labelSelector"), each.labels)
                    and _selects(target.get("annotationSelector"), each.annotations)
                )
            )
        )


def _texts(files: Mapping[str, bytes], folders: Iterable[str]) -> list[bytes]:
    below = tuple(f"{folder}/" for folder in folders)
    return [text for path, text in files.items() if path.startswith(below)]


def _whole(pattern: object, text: str) -> bool:
    """Whether an anchored pattern of kustomize takes a text; one that is not simple may."""
    if not isinstance(pattern, str) or not pattern:
        return True
    return any(
        not _SIMPLE.fullmatch(each)
        or len(_ANY.findall(each)) > _AT_MOST
        or re.fullmatch(each, text) is not None
        for each in pattern.split("|")
    )


def _part(pattern: object, name: str) -> bool:
    """Whether it may have taken the name that a name began as: prefix, suffix and hash came later."""
    if not isinstance(pattern, str) or not pattern:
        return True
    return any(not _SIMPLE.fullmatch(each) or _in_order(each, name) for each in pattern.split("|"))


def _in_order(pattern: str, name: str) -> bool:
    start = 0
    for piece in _ANY.split(pattern):
        found = re.compile(piece).search(name, start)
        if found is None:
            return False
        start = found.end()
    return True


def _selects(selector: object, marks: Mapping[str, Any]) -> bool:
    """Whether a selector takes labels or annotations (kubernetes.io, "Label selectors").

    One that cannot be read may.
    """
    if not isinstance(selector, str):
        return True
    rest = _IN_SET.sub(lambda found: found[0].replace(",", "\0"), selector)
    return all(
        _requires(each.strip().replace("\0", ","), marks) for each in rest.split(",") if each
    )


def _requires(text: str, marks: Mapping[str, Any]) -> bool:
    if found := _IN_SET.fullmatch(text):
        key, how, values = found.groups()
        known = {value.strip() for value in values.split(",")}
        return (marks.get(key) in known) is (how == "in")
    if found := _EQUAL.fullmatch(text):
        key, how, value = found.groups()
        return (marks.get(key) == value) is (how != "!=")
    if found := _EXISTS.fullmatch(text):
        return (found[2] in marks) is not bool(found[1])
    return True
