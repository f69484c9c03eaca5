"""Origins: in whose words a field's value is told: the files of the repository, and the places in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distributor.model.fleet import Cluster, Environment, Installation
from distributor.model.package import Package
from distributor.model.refs import ObjectRef
from distributor.model.rendering import RenderInput, RenderJob
from distributor.render.cells import PACKAGE_FOLDER
from distributor.render.images import Images
from distributor.render.labels import COMPONENT, NAME
from distributor.render.places import Path, strings
from distributor.render.substitution import Grammar, Use
from distributor.render.tracing import ABSENT, Source, inner
from distributor.render.values import values_file
from distributor.render.variables import LABEL_PREFIX, Bound, is_fact

SERVICE = "the service"
LATE = "late binding"

Sources = Mapping[Source, None]
"""Sources without repetition, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a field's value comes from.

    ``layer`` is the path of the layer that set it last, or what the service does afterwards. ``files``
    are those that set it, and ``places`` where in each of them, in the same order (empty: the file says
    nothing else). ``value`` is what the field says there, ``None`` where it was taken away; ``under`` is
    what lay below, for what the service or a cluster made of a layer's value.
    """

    layer: str
    files: tuple[str, ...]
    places: tuple[str, ...]
    value: Any
    under: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A cell on a cluster, and what was given to make it."""

    cell: RenderInput
    job: RenderJob
    package: Package
    installation: Installation
    environment: Environment
    cluster: Cluster

    @property
    def package_file(self) -> str:
        """The package's descriptor."""
        return f"{self.package.folder}/package.yaml"

    @property
    def environment_file(self) -> str:
        """The environment's descriptor."""
        return f"environments/{self.environment.name}/environment.yaml"

    @property
    def cluster_file(self) -> str:
        """The cluster's descriptor."""
        return f"environments/{self.cluster.environment}/clusters/{self.cluster.name}.yaml"

    @property
    def installation_file(self) -> str:
        """The Installation, or what implies it."""
        return values_file(self.installation)


def origin_of(layer: str, sources: Sources, value: object, under: Origin | None = None) -> Origin:
    """An origin whose sources name files of the repository."""
    return Origin(
        layer=layer,
        files=tuple(source.file for source in sources),
        places=tuple(source.place for source in sources),
        value=None if value is ABSENT else value,
        under=under,
    )


def in_repository(asked: Question, source: Source) -> Source:
    """A source in a job's files as one in the repository."""
    folders = {layer.folder: layer.label for layer in asked.cell.layers if layer.folder}
    folders[PACKAGE_FOLDER] = asked.package.folder
    for folder in sorted(folders, key=len, reverse=True):
        if source.file == folder or source.file.startswith(f"{folder}/"):
            file = folders[folder] + source.file.removeprefix(folder)
            return Source(file=file, place=source.place)
    return source


def value_source(asked: Question, place: str) -> Source:
    """The file that gives one of a chart's values: the last of those that name it."""
    path = tuple(place.split("."))
    if path[0] in asked.cell.per_cluster:
        found = _of_cluster(asked, path[0])
        if found is not None:
            return found
    for values, file, before in _value_files(asked):
        if inner(values, path) is not ABSENT:
            return Source(file=file, place=f"{before}.{place}")
    chart = in_repository(asked, Source(file=f"{asked.job.path}/values.yaml"))
    return Source(file=chart.file, place=place)


def late(asked: Question, known: Mapping[str, Bound], below: object, final: object) -> Sources:
    """The sources of what was bound on the cluster, in the order of the text."""
    found: dict[Source, None] = {}
    grammar = Grammar({v.name: v.type for v in asked.package.values.bind})
    for _, text in strings(None if below is ABSENT else below):
        scalar = grammar.read(text, only_text=True)
        for use in scalar.uses() if scalar is not None else ():
            source = _of_variable(asked, known, use)
            if source is not None:
                found[source] = None
    own, shared = asked.cluster.registry, asked.cell.registry
    if own and _comes_from(own, final):
        found[Source(file=asked.cluster_file, place="spec.registry")] = None
    elif shared and _comes_from(shared, final) and not _comes_from(shared, below):
        found[Source(file=asked.environment_file, place="spec.defaults.registry")] = None
    return found


def _comes_from(registry: str, value: object) -> bool:
    texts = () if value is ABSENT else strings(value)
    return any(text.startswith(f"{registry}/") for _, text in texts)


def own(asked: Question, ref: ObjectRef, steps: Path, below: object, made: object) -> Sources:
    """The sources of what the service did to a rendered field; none where it is the service's rule."""
    return dict.fromkeys(_own(asked, ref, steps, below, made))


def _own(
    asked: Question, ref: ObjectRef, steps: Path, below: object, made: object
) -> Iterator[Source]:
    package = asked.package
    if steps == ("metadata", "namespace") or (steps[:1] == ("subjects",)):
        named = asked.installation.namespace
        file = asked.installation_file if named else asked.package_file
        yield Source(file=file, place="spec.namespace" if named else "spec.namespace.name")
    elif ref.kind == "Namespace" and below is ABSENT and steps[:2] != ("metadata", "labels"):
        yield Source(file=asked.package_file, place="spec.namespace.create")
    elif steps[:2] == ("metadata", "labels"):
        key = next(iter(steps[2:]), "")
        if key in (NAME, COMPONENT) and made != package.app:
            yield Source(file=asked.package_file, place="spec.topology")
        elif str(key).startswith("pod-security"):
            yield Source(file=asked.package_file, place="spec.namespace.podSecurity")
    elif {"nodeSelector", "tolerations", "os"} & set(steps):
        yield Source(file=asked.package_file, place="spec.fits.os")
    elif isinstance(below, str) and isinstance(made, str):
        yield from _image(asked, below, made)


def _image(asked: Question, below: str, made: str) -> Iterator[Source]:
    images = asked.package.images
    pinned = made.rpartition("@")[2] if "@" in made and "@" not in below else ""
    for index, image in enumerate(images):
        if pinned and image.digest == pinned and Images((image,)).is_listed(below):
            yield Source(file=asked.package_file, place=f"spec.images[{index}].digest")
    if asked.cell.registry and made.startswith(f"{asked.cell.registry}/"):
        yield Source(file=asked.environment_file, place="spec.defaults.registry")


def _of_variable(asked: Question, known: Mapping[str, Bound], use: Use) -> Source | None:
    """The file that gives a variable; ``None`` where the text's own default counts."""
    if use.default is not None and known.get(use.name) in (None, ""):
        return None
    found = _of_cluster(asked, use.name)
    if found is not None:
        return found
    for values, file, before in _value_files(asked):
        if values.get(use.name) is not None:
            return Source(file=file, place=f"{before}.{use.name}")
    for index, variable in enumerate(asked.package.values.bind):
        if variable.name == use.name:
            return Source(file=asked.package_file, place=f"spec.values.bind[{index}].default")
    return None


_FACTS = {
    "cluster_name": "metadata.name",
    "cluster_env": "",
    "cluster_tier": "spec.tier",
    "cluster_region": "spec.region",
    "cluster_domain": "spec.domain",
}


def _of_cluster(asked: Question, name: str) -> Source | None:
    if is_fact(name):
        place = "spec.labels" if name.startswith(LABEL_PREFIX) else _FACTS[name]
        return Source(file=asked.cluster_file, place=place)
    if asked.cluster.properties.get(name) is not None:
        return Source(file=asked.cluster_file, place=f"spec.properties.{name}")
    return None


def _value_files(asked: Question) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    """The values of each layer with their file and the place of the first of them, the last first."""
    app = asked.package.app
    shared = asked.environment.defaults.get(app, {})
    yield asked.installation.values, asked.installation_file, "spec.values"
    yield shared, asked.environment_file, f"spec.defaults.values.{app}"
    yield asked.package.values.defaults, asked.package_file, "spec.values.defaults"
