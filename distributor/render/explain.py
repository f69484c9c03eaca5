"""Explain: which layer and which file set a field, found by rendering the layers one after the other."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Generator, Sequence
from dataclasses import replace

import orjson
import yaml

from distributor.errors.catalog import UnknownReference
from distributor.model.manifest import ManifestSet
from distributor.model.package import Renderer
from distributor.model.refs import ObjectRef
from distributor.model.rendering import Layer, RenderInput, RenderJob
from distributor.render.binding import binder_of
from distributor.render.finishing import finish
from distributor.render.kustomizations import Kustomization
from distributor.render.marks import mark
from distributor.render.origins import (
    LATE,
    SERVICE,
    Origin,
    Question,
    in_repository,
    late,
    origin_of,
    own,
    value_source,
)
from distributor.render.places import Path
from distributor.render.secrets import SECRET
from distributor.render.tracing import (
    ABSENT,
    FAILED,
    NAMES,
    Answer,
    Probe,
    Source,
    Trace,
    in_files,
    in_kustomization,
    in_patches,
    in_values,
    inner,
    same,
)
from distributor.render.values import merged
from distributor.render.variables import Variables

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]|\[\"([^\"]*)\"\]")

Search = Generator[RenderJob, Answer, Origin]
"""Yields the renders that it needs, is sent their objects (``None`` where one fails), returns."""


def prefixes(cell: RenderInput, job: RenderJob) -> tuple[tuple[Layer, RenderJob], ...]:
    """One job for each layer: the base alone, then with each further layer, in order.

    A later layer that changes the names of objects does so in every job, so that each finds the object
    by the name that it has in the end.
    """
    bare = replace(job, layers=(), patches=b"[]")
    naming = _naming(cell, job)
    result: list[tuple[Layer, RenderJob]] = []
    folders: tuple[str, ...] = ()
    for number, layer in enumerate(cell.layers):
        if not layer.folder:
            result.append((layer, job))
            continue
        if number:
            folders = (*folders, layer.folder)
        later = [k for k in naming if k.folder not in (*folders, job.path)]
        files = {k.file: k.with_entries(()) for k in later}
        layers = (*folders, *(k.folder for k in later))
        given = {**job.files, **files} if files else job.files
        result.append((layer, replace(bare, files=given, layers=layers)))
    return tuple(result)


def _naming(cell: RenderInput, job: RenderJob) -> list[Kustomization]:
    """The layers above the base whose kustomization changes names or namespaces."""
    read = (
        Kustomization.read(job.files, layer.folder) for layer in cell.layers[1:] if layer.folder
    )
    return [k for k in read if k is not None and k.naming]


def explain(asked: Question, objects: Sequence[bytes], ref: ObjectRef, path: str) -> Search:
    """What set a field, such as ``spec.template.spec.containers[0].image``, of an object on the cluster.

    ``objects`` are what the engine gave for the question's job. A key with dots is written
    ``["like.this"]``; a reference without a group may name an object of any group. Raises
    ``UnknownReference`` where neither object nor field was ever there, and what binding raises.
    """
    steps = parse_path(path)
    finished = finish(objects, asked.cell, asked.package)
    known = Variables(asked.package, asked.installation, asked.environment).of(asked.cluster)
    bound = binder_of(objects, asked.cell, asked.package).bind(known, asked.cluster.registry)
    ref = _meant(ref, bound)
    here = _before_binding(ref, finished, bound)
    final = _value(bound, ref, steps)
    steps, text = _before_encoding(finished, bound, here, ref, steps)
    probe = Probe(ref=here, steps=steps)
    rendered, made = probe.value(tuple(objects)), _value(finished, here, steps)
    origin = yield from _in_layers(asked, probe)
    if not same(rendered, made):
        origin = origin_of(SERVICE, own(asked, here, steps, rendered, made), made, origin)
    if not same(made, text):
        origin = origin_of(LATE, late(asked, known, made, text), text, origin)
    if not same(text, final):
        origin = origin_of(SERVICE, {}, final, origin)
    if origin is None:
        raise UnknownReference(f"{ref}:{path} is in no layer.{_others(ref, bound)}")
    return origin


def _others(ref: ObjectRef, bound: ManifestSet) -> str:
    """What there is of the kind, where the object itself is not there."""
    if ref in bound.refs():
        return ""
    alike = sorted(str(r) for r in bound.refs() if r.kind == ref.kind)
    more = " ..." if len(alike) > _SHOWN else ""
    return f" There is {', '.join(alike[:_SHOWN]) or 'nothing'}{more} of that kind."


_SHOWN = 5


def _in_layers(asked: Question, probe: Probe) -> Generator[RenderJob, Answer, Origin | None]:
    """The last layer after which the field said something else than before it."""
    named = yield from _named(asked, probe)
    if named is not None:
        return named
    before: object = ABSENT
    found: tuple[Layer, RenderJob, object] | None = None
    for layer, job in prefixes(asked.cell, asked.job):
        value = probe.value((yield job))
        if value is not FAILED and not same(value, before):
            found, before = (layer, job, value), value
    if found is None:
        return None
    again = yield from _set_again(asked, found[0], probe, found[2])
    layer, job, value = again or found
    sources = yield from _in_layer(asked, layer, job, probe, value)
    told = dict.fromkeys(
        in_repository(asked, s) if s.file else value_source(asked, s.place) for s in sources
    )
    return origin_of(layer.label, told, value)


def _set_again(
    asked: Question, layer: Layer, probe: Probe, value: object
) -> Generator[RenderJob, Answer, tuple[Layer, RenderJob, object] | None]:
    """The last layer above one that sets the field to the same value once more, with a job that shows it."""
    other = mark(probe.ref, probe.steps, value)
    jobs = prefixes(asked.cell, asked.job)
    if other is None or probe.steps in NAMES:
        return None
    for number in range(len(jobs) - 1, asked.cell.layers.index(layer), -1):
        upper, job = jobs[number]
        marked = other.below(job, number - 1)
        if same(probe.value((yield marked)), value):
            before = other.below(jobs[number - 1][1], number - 1)
            if same(probe.value((yield before)), other.value):  # else the mark did not reach it
                return upper, marked, value
    return None


def _named(asked: Question, probe: Probe) -> Generator[RenderJob, Answer, Origin | None]:
    """The last layer that names the object, where the field is its name or namespace."""
    if probe.steps not in NAMES:
        return None
    labels = {layer.folder: layer.label for layer in asked.cell.layers}
    for found in reversed(_naming(asked.cell, asked.job)):
        for key in probe.naming(found):
            bare = {found.file: found.with_entries(found.entries, without=key)}
            job = replace(asked.job, files={**asked.job.files, **bare})
            if probe.value((yield job)) is ABSENT:
                source = in_repository(asked, Source(file=found.file, place=key))
                value = probe.ref.name if probe.steps == NAMES[0] else probe.ref.namespace
                return origin_of(labels[found.folder], {source: None}, value)
    return None


def _in_layer(asked: Question, layer: Layer, job: RenderJob, probe: Probe, value: object) -> Trace:
    if not layer.folder:
        return (yield from in_patches(job, layer.label, probe, value))
    if job.layers or asked.package.renderer is Renderer.KUSTOMIZE:
        return (yield from in_kustomization(job, layer.folder, probe, value))
    files = yield from in_files(job, probe)
    values = yield from in_values(job, probe, value, _chart_values(job))
    return (*files, *values)


def _chart_values(job: RenderJob) -> dict[str, object]:
    """All values of a chart: its own, and the given ones over them."""
    if job.chart is None:
        return {}
    try:
        own_values = yaml.load(job.files.get(f"{job.path}/values.yaml", b""), yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        own_values = None
    return merged(
        own_values if isinstance(own_values, dict) else {}, orjson.loads(job.chart.values)
    )


def parse_path(path: str) -> Path:
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


def _value(manifests: ManifestSet, ref: ObjectRef, steps: Path) -> object:
    found = next((m for m in manifests if m.ref == ref), None)
    return ABSENT if found is None else inner(found.data(), steps)


def _meant(ref: ObjectRef, manifests: ManifestSet) -> ObjectRef:
    """The object meant; a reference without a group may name an object of any group."""
    wanted = (ref.kind, ref.namespace, ref.name)
    alike = [m.ref for m in manifests if (m.ref.kind, m.ref.namespace, m.ref.name) == wanted]
    return alike[0] if len(alike) == 1 and not ref.group else ref


def _before_encoding(
    finished: ManifestSet, bound: ManifestSet, here: ObjectRef, ref: ObjectRef, steps: Path
) -> tuple[Path, object]:
    """Where a Secret's field stood, and its bound text, before ``stringData`` became ``data``."""
    if ref.group_kind != SECRET or steps[0] not in ("data", "stringData"):
        return steps, _value(bound, ref, steps)
    plain = ("stringData", *steps[1:])
    said, encoded = _value(finished, here, plain), _value(bound, ref, ("data", *steps[1:]))
    if said is ABSENT:
        return steps, _value(bound, ref, steps)
    text = b64decode(encoded).decode() if isinstance(encoded, str) else said
    return plain, text


def _before_binding(ref: ObjectRef, finished: ManifestSet, bound: ManifestSet) -> ObjectRef:
    """What the object was called before variables, or a second hash, changed its name."""
    if any(m.ref == ref for m in finished):
        return ref
    gone = finished.refs() - bound.refs()
    alike = sorted(r for r in gone if r.group_kind == ref.group_kind)
    hashed = [r for r in alike if ref.name.startswith(f"{r.name}-")]
    chosen = hashed or alike
    return chosen[0] if len(chosen) == 1 else ref
