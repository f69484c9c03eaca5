"""Rendering: cells through the cache and the engine, then bound for each cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from distributor import metrics
from distributor.errors import DistributorError
from distributor.errors.render import UnboundVariable
from distributor.model.catalog import Catalog, EnvironmentFiles
from distributor.model.findings import Finding, Invalid
from distributor.model.fleet import Cluster, Installation
from distributor.model.manifest import ManifestSet
from distributor.model.package import Package
from distributor.model.refs import Digest, digest_of
from distributor.model.rendering import RenderInput
from distributor.render import (
    Binder,
    Cells,
    Variables,
    binder_of,
    blamed,
    check_placeholders,
    finish,
    job,
    require_taken,
)
from distributor.services.rendering.failures import Failures, costly
from distributor.services.rendering.gradual import gradually
from distributor.services.rendering.ruling import require_rules
from distributor.services.world import World

_KEPT_CELLS = 64
_JOBS = b"jobs 2"
"""Raised when the files that a job hands to the engine are made otherwise."""

Progress = Callable[[int, int], None]
"""Called with the number of cells that are done, and of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is rendered: a package as one instance of one environment, out of one root tree."""

    catalog: Catalog
    package: Package
    installation: Installation
    files: EnvironmentFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Bound objects by cluster, and for clusters that do not render the finding that says why."""

    manifests: Mapping[str, ManifestSet] = field(default_factory=dict)
    failures: Mapping[str, Finding] = field(default_factory=dict)
    cells: int = 0

    def of(self, cluster: str) -> ManifestSet:
        """The objects of one cluster; raises ``Invalid`` with the finding where it does not render."""
        if cluster in self.failures:
            raise Invalid([self.failures[cluster]])
        return self.manifests[cluster]


class Renderer:
    """Renders each cell once, however many clusters and callers ask for it; a bad one too."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._binders: OrderedDict[Digest, Binder] = OrderedDict()
        self._running: dict[Digest, asyncio.Task[Binder]] = {}
        self._failures = Failures()

    async def render(
        self, subject: Subject, clusters: Mapping[str, Cluster], progress: Progress | None = None
    ) -> Rendered:
        """The objects of each cluster. A cell that fails takes only its own clusters with it.

        Where one cost all that a render may, cells that have not begun are not tried: a bad package holds its
        caller up once, not once for each of its cells.

        ``progress`` is called as cells are done, failed ones too, with how many of how many are.
        """
        failures: dict[str, Finding] = {}
        inputs = self._cells(subject, clusters, failures)
        distinct = {cell.digest: cell for cell in inputs.values()}
        by_cell = await gradually(
            {d: partial(self._binder, cell, subject) for d, cell in distinct.items()},
            stops=costly,
            told=lambda done: progress(done, len(distinct)) if progress else None,
        )
        bound = Variables(subject.package, subject.installation, subject.files.environment)
        manifests: dict[str, ManifestSet] = {}
        for name, cell in inputs.items():
            result = by_cell[cell.digest]
            try:
                found = _binder_of(result).bind(bound.of(clusters[name]), clusters[name].registry)
                require_taken(clusters[name], found)
                manifests[name] = found
            except UnboundVariable as error:
                failures[name] = _unbound(error, clusters[name])
            except DistributorError as error:
                failures[name] = Finding.from_error(error)
        return Rendered(manifests=manifests, failures=failures, cells=len(distinct))

    async def ready(self, subject: Subject, cluster: Cluster) -> None:
        """Render one cluster's cell ahead of its use; whatever is wrong with it is told then."""
        with contextlib.suppress(DistributorError):
            made = Cells(subject.catalog, subject.package, subject.installation, subject.files)
            await self._binder(made.of(cluster), subject)

    def _cells(
        self, subject: Subject, clusters: Mapping[str, Cluster], failures: dict[str, Finding]
    ) -> dict[str, RenderInput]:
        """The cell of each cluster that has one; what is wrong with one cluster fails only that."""
        inputs: dict[str, RenderInput] = {}
        try:
            if subject.package.delivery.health:
                require_rules(subject.package, self._world.expressions)
            made = Cells(subject.catalog, subject.package, subject.installation, subject.files)
        except DistributorError as error:
            failures.update(dict.fromkeys(clusters, Finding.from_error(error)))
            return inputs
        for name, cluster in clusters.items():
            try:
                inputs[name] = made.of(cluster)
            except DistributorError as error:
                failures[name] = Finding.from_error(error)
        return inputs

    async def _binder(self, cell: RenderInput, subject: Subject) -> Binder:
        if cell.digest in self._binders:
            self._binders.move_to_end(cell.digest)
            metrics.RENDERS.labels("memory").inc()
            return self._binders[cell.digest]
        if cell.digest not in self._running:
            task = asyncio.ensure_future(self._make(cell, subject))
            self._running[cell.digest] = task
            task.add_done_callback(partial(self._made, cell.digest))
        return await asyncio.shield(self._running[cell.digest])

    def _made(self, digest: Digest, task: asyncio.Task[Binder]) -> None:
        """Its failure is whoever's that waits; when all of them gave up, it is nobody's."""
        self._running.pop(digest, None)
        if not task.cancelled():
            task.exception()

    async def _make(self, cell: RenderInput, subject: Subject) -> Binder:
        world = self._world
        key = digest_of(cell.digest.encode(), world.engine.version.encode(), _JOBS)
        objects = world.cache.get(key)
        if objects is None:
            objects = await self._asked(key, cell, subject)
            world.cache.put(key, objects)
            metrics.RENDERS.labels("engine").inc()
        else:
            metrics.RENDERS.labels("cache").inc()
        binder = binder_of(objects, cell, subject.package)
        self._binders[cell.digest] = binder
        while len(self._binders) > _KEPT_CELLS:
            self._binders.popitem(last=False)
        return binder

    async def _asked(self, key: Digest, cell: RenderInput, subject: Subject) -> tuple[bytes, ...]:
        """The engine's answer; what it refused lately is refused again without it."""
        world = self._world
        labels = " ".join(layer.label for layer in cell.layers)
        told = f"{key} {labels}"  # cells of one content may lie in files of several names
        known = self._failures.get(told, world.clock.now())
        if known is not None:
            metrics.RENDERS.labels("failed before").inc()
            raise known
        render_job = job(cell, subject.package, subject.installation, world.objects)
        try:
            objects = await world.engine.render(render_job)
            if render_job.placeholders:
                check_placeholders(finish(objects, cell, subject.package), render_job.placeholders)
        except DistributorError as error:
            found = blamed(error, cell, render_job)
            self._failures.put(told, found, world.clock.now())
            raise found from error
        return objects


def _binder_of(result: Binder | BaseException) -> Binder:
    """The binder of a cell, or the error that it ended with."""
    if isinstance(result, BaseException):
        raise result
    return result


def _unbound(error: UnboundVariable, cluster: Cluster) -> Finding:
    """The finding with the cluster's file, and its fields that would give the values."""
    finding = Finding.from_error(error)
    file = f"environments/{cluster.environment}/clusters/{cluster.name}.yaml"
    known = {"cluster_region": cluster.region, "cluster_domain": cluster.domain}
    unset = [
        f"spec.{name.removeprefix('cluster_')}"
        for name, value in known.items()
        if not value and name in error.detail
    ]
    if not unset:
        return finding
    return replace(finding, remedy=f"Set {' and '.join(unset)} in {file}.")
