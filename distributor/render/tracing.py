"""Tracing: the file of a layer that set a field, found by rendering the layer in parts.

Nothing is guessed from the text of a file. An entry of a kustomization, a template or a value set a field
if the field is another without it; of several the last one did. A search yields the renders that it
needs and is sent what they give, so that it stays a pure function of them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import orjson

from distributor.model.manifest import canonical
from distributor.model.refs import ObjectRef
from distributor.model.rendering import RenderJob
from distributor.render.kustomizations import ORDER, Entry, Kustomization
from distributor.render.marks import mark
from distributor.render.places import Path
from distributor.render.scopes import group_kind

Answer = tuple[bytes, ...] | None
"""The objects of a render; ``None`` where it failed."""

NAMES: tuple[Path, Path] = (("metadata", "name"), ("metadata", "namespace"))
"""The fields by which an object is found."""

ABSENT: object = object()
FAILED: object = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file of the job, and the place in it; an empty place means the file."""

    file: str
    place: str = ""


Trace = Generator[RenderJob, Answer, tuple[Source, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One field of one object, as the engine names it."""

    ref: ObjectRef
    steps: Path

    def value(self, answer: Answer) -> object:
        """The field in a render: ``ABSENT`` where it is not there, ``FAILED`` for no render."""
        if answer is None:
            return FAILED
        return inner(self.object(answer), self.steps)

    def naming(self, found: Kustomization) -> tuple[str, ...]:
        """The keys of a kustomization that change the field, where it is the name or namespace."""
        wanted = self.steps == NAMES[1]
        return tuple(key for key in found.naming if (key == "namespace") is wanted)

    def object(self, answer: Iterable[bytes]) -> object:
        """The object; one that names no namespace is taken for one of the instance's."""
        name = orjson.dumps(self.ref.name)
        for raw in answer:
            if name in raw:
                data = orjson.loads(raw)
                metadata = data.get("metadata") or {}
                named = group_kind(data) == self.ref.group_kind
                if not named or metadata.get("name") != self.ref.name:
                    continue
                given = metadata.get("namespace")
                if not given or not self.ref.namespace or given == self.ref.namespace:
                    return data
        return ABSENT


def inner(value: object, steps: Path) -> object:
    """What lies below a value, or ``ABSENT``."""
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step, ABSENT)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return ABSENT
    return value


def same(one: object, other: object) -> bool:
    """Whether two values of a field are the same; ``1`` and ``true`` are not."""
    if ABSENT in (one, other) or FAILED in (one, other):
        return one is other
    return canonical(one) == canonical(other)


def in_kustomization(job: RenderJob, folder: str, probe: Probe, value: object) -> Trace:
    """The source in the kustomization of one folder, after which the field has this value."""
    found = Kustomization.read(job.files, folder)
    if found is None:
        return (Source(file=folder),)
    top = (Source(file=found.file),)
    whole = probe.value((yield _with(job, found.file, found.with_entries(found.entries))))
    if not same(whole, value):
        return top  # written anew it says something else: better vague than wrong
    if probe.steps in NAMES:
        for key in probe.naming(found):
            bare = found.with_entries(found.entries, without=key)
            if not same(probe.value((yield _with(job, found.file, bare))), value):
                return (Source(file=found.file, place=key),)
    for count in range(len(found.entries) - 1, -1, -1):
        fewer = _with(job, found.file, found.with_entries(found.entries[:count]))
        if not same(probe.value((yield fewer)), value):
            again = yield from _set_again(job, found, count, probe, value)
            if again is not None:
                return again
            upto = _with(job, found.file, found.with_entries(found.entries[: count + 1]))
            return (yield from _in_entry(upto, found, found.entries[count], probe, value))
    return top


def _set_again(
    job: RenderJob, found: Kustomization, number: int, probe: Probe, value: object
) -> Generator[RenderJob, Answer, tuple[Source, ...] | None]:
    """The last entry after one that sets the field to the same value once more."""
    other = mark(probe.ref, probe.steps, value)
    later = [n for n, e in enumerate(found.entries) if n > number and e.key in _AFTER_MARKS]
    if other is None or probe.steps in NAMES:
        return None
    for count in later[: -_MAX_VALUES - 1 : -1]:
        entry = Entry(key="patches", index=count, item=other.patch)
        before = (*found.entries[:count], entry)
        both = _with(job, found.file, found.with_entries((*before, found.entries[count])))
        if same(probe.value((yield both)), value):
            marked = _with(job, found.file, found.with_entries(before))
            if same(probe.value((yield marked)), other.value):
                return (yield from _in_entry(both, found, found.entries[count], probe, value))
    return None


_AFTER_MARKS = frozenset(ORDER[ORDER.index("patches") :])


def _in_entry(
    job: RenderJob, found: Kustomization, entry: Entry, probe: Probe, value: object
) -> Trace:
    own = Source(file=found.file, place=entry.place)
    path = entry.path()
    if not path:
        return (own, *_generated(job, found, entry, probe.steps))
    file = found.inside(path)
    if file in job.files:
        return (Source(file=file),)
    if entry.key in ("resources", "bases", "components"):
        return (yield from in_kustomization(job, file, probe, value))
    return (own,)


def _generated(job: RenderJob, found: Kustomization, entry: Entry, steps: Path) -> Iterator[Source]:
    """The files that a generator read for one key of its data."""
    if entry.key not in ("configMapGenerator", "secretGenerator"):
        return
    if not isinstance(entry.item, Mapping) or steps[:1] not in (("data",), ("binaryData",)):
        return
    key = str(steps[1]) if len(steps) > 1 else ""
    for text in entry.item.get("files") or ():
        name, equals, path = str(text).partition("=")
        file = found.inside(path if equals else name)
        if (name if equals else file.rpartition("/")[2]) == key and file in job.files:
            yield Source(file=file)
    envs = [*(entry.item.get("envs") or ()), entry.item.get("env")]
    for file in (found.inside(str(path)) for path in envs if path):
        lines = job.files.get(file, b"").splitlines()
        if any(line.partition(b"=")[0].strip() == key.encode() for line in lines):
            yield Source(file=file)


def in_patches(job: RenderJob, file: str, probe: Probe, value: object) -> Trace:
    """The one of an Installation's patches that set the field."""
    entries = orjson.loads(job.patches)
    for count in range(len(entries) - 1, -1, -1):
        fewer = replace(job, patches=canonical(entries[:count]))
        if not same(probe.value((yield fewer)), value):
            return (Source(file=file, place=f"spec.patches[{count}]"),)
    return (Source(file=file, place="spec.patches"),)


def in_files(job: RenderJob, probe: Probe) -> Trace:
    """The manifest or template that the object comes from: without it there is no such object."""
    for file in _candidates(job, probe.ref):
        answer = yield _with(job, file, b"")
        if answer is not None and probe.object(answer) is ABSENT:
            return (Source(file=file),)
    return (Source(file=job.path),)


def _candidates(job: RenderJob, ref: ObjectRef) -> list[str]:
    """The files of a chart or folder that can hold objects, the likeliest first."""
    inside = [
        (file, data)
        for file, data in job.files.items()
        if (file.startswith(f"{job.path}/") or not job.path)
        and file.endswith((".yaml", ".yml", ".json", ".tpl", ".txt"))
        and file.rpartition("/")[2] not in ("Chart.yaml", "values.yaml", "values.schema.json")
    ]
    words = (ref.kind.encode(), ref.name.encode())
    return [f for f, data in sorted(inside, key=lambda e: -sum(w in e[1] for w in words))]


def in_values(job: RenderJob, probe: Probe, value: object, known: Mapping[str, Any]) -> Trace:
    """The values of a chart that show in a field: another value there gives another field.

    ``known`` are all values, the chart's own below the given ones. A place is the path of a value.
    """
    chart = job.chart
    if chart is None or value is ABSENT:
        return ()
    given = orjson.loads(chart.values)
    text = value if isinstance(value, str) else canonical(value).decode()
    found: list[Source] = []
    tried = ((path, _other(leaf, value, text)) for path, leaf in _leaves(known))
    for path, other in islice((entry for entry in tried if entry[1] is not None), _MAX_VALUES):
        values = canonical(_put(given, path, other))
        changed = probe.value((yield replace(job, chart=replace(chart, values=values))))
        if changed is not FAILED and not same(changed, value):
            found.append(Source(file="", place=".".join(path)))
    return tuple(found)


_MAX_VALUES = 64


def _leaves(
    values: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _other(leaf: object, value: object, text: str) -> object:
    """Another value in place of one that may show in the field; ``None`` where it cannot."""
    match leaf:
        case bool():
            return (not leaf) if isinstance(value, bool) else None
        case int() | float():
            return leaf + 1 if str(leaf) in text else None
        case str():
            return f"{leaf}x" if leaf and leaf in text else None
        case list():
            return [] if leaf and isinstance(value, list | dict) else None
        case _:
            return None


def _put(values: Mapping[str, Any], path: tuple[str, ...], leaf: object) -> dict[str, Any]:
    below = values.get(path[0])
    if len(path) > 1:
        leaf = _put(below if isinstance(below, Mapping) else {}, path[1:], leaf)
    return {**values, path[0]: leaf}


def _with(job: RenderJob, file: str, data: bytes) -> RenderJob:
    return replace(job, files={**job.files, file: data})
