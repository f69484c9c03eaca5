"""Explain: which layer set a field, found by rendering the layers one after the other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distributor.errors.catalog import UnknownReference
from distributor.model.manifest import ManifestSet
from distributor.model.refs import ObjectRef
from distributor.model.rendering import Layer, RenderInput, RenderJob

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]|\[\"([^\"]*)\"\]")
_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a field's value comes from.

    ``layer`` is the path of the layer that set it last, ``files`` those of its files that speak of the
    object and the field (of its kustomization where none does), ``value`` what it says (``None`` where
    the field was taken away).
    """

    layer: str
    files: tuple[str, ...]
    value: Any


def prefixes(cell: RenderInput, job: RenderJob) -> tuple[tuple[Layer, RenderJob], ...]:
    """One job for each layer: the base alone, then with each further layer, in order."""
    base, *above = cell.layers
    bare = replace(job, layers=(), patches=b"[]")
    result = [(base, bare)]
    folders: tuple[str, ...] = ()
    for layer in above:
        if layer.folder:
            folders = (*folders, layer.folder)
            result.append((layer, replace(bare, layers=folders)))
        else:
            result.append((layer, job))
    return tuple(result)


def explain(
    renders: Sequence[tuple[Layer, RenderJob, ManifestSet]],
    bound: ManifestSet,
    ref: ObjectRef,
    path: str,
) -> Origin:
    """The layer that set a field of an object, such as ``spec.template.spec.containers[0].image``.

    ``renders`` are the finished objects of each of the ``prefixes``; ``bound`` those of the cluster. A
    key with dots is written ``["like.this"]``. Raises ``UnknownReference`` where neither object nor
    field was ever there.
    """
    steps = parse_path(path)
    before: object = _ABSENT
    found: Origin | None = None
    for layer, job, manifests in renders:
        value = _value(manifests, ref, steps)
        if value != before or (value is _ABSENT) != (before is _ABSENT):
            files = _files(layer, job, ref.name, steps)
            found = Origin(layer=layer.label, files=files, value=_shown(value))
        before = value
    final = _value(bound, ref, steps)
    if final is not _ABSENT and final != before:
        source = found.files if found is not None else ()
        return Origin(layer="late binding", files=source, value=final)
    if found is None:
        raise UnknownReference(f"{ref}:{path} is in no layer.")
    return found


def parse_path(path: str) -> tuple[str | int, ...]:
    """The steps of a field path; raises ``UnknownReference`` for what is none."""
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise UnknownReference(f"{path!r} is no path such as spec.ports[0].name.")
        name, index, key = match.groups()
        steps.append(int(index) if index is not None else name if name is not None else key)
        position = match.end()
        if path.startswith(".", position) and position + 1 < len(path):
            position += 1
    if not steps:
        raise UnknownReference("The path is empty.")
    return tuple(steps)


def _shown(value: object) -> Any:  # noqa: ANN401 - any JSON value
    return None if value is _ABSENT else value


def _value(manifests: ManifestSet, ref: ObjectRef, steps: tuple[str | int, ...]) -> object:
    found = next((m for m in manifests if m.ref == ref), None)
    value: object = found.data() if found is not None else _ABSENT
    for step in steps:
        value = _inner(value, step)
    return value


def _inner(value: object, step: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(step, _ABSENT)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return _ABSENT


def _files(
    layer: Layer, job: RenderJob, name: str, steps: tuple[str | int, ...]
) -> tuple[str, ...]:
    """The layer's files that name both the object and the field, else its kustomization."""
    if not layer.folder:
        return (layer.label,)
    last = next((s for s in reversed(steps) if isinstance(s, str)), "")
    inside = {p: d for p, d in job.files.items() if p.startswith(layer.folder + "/")}
    words = (name.encode(), last.encode())
    hits = [p for p, data in inside.items() if all(word in data for word in words)]
    hits = hits or [p for p in inside if "kustomization" in p.rpartition("/")[2].lower()]
    return tuple(sorted(layer.label + p.removeprefix(layer.folder) for p in hits))
