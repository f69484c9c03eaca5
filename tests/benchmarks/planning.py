"""A plan of a whole fleet with the program's own parts: placement, render keys, digests of changed cells."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from distributor.adapters.engine import EnginePool, EngineSettings
from distributor.adapters.git import GitRemote, PygitObjects
from distributor.catalog.loading import Loader
from distributor.model.catalog import Catalog, EnvironmentFiles
from distributor.model.fleet import Cluster, Installation
from distributor.model.package import Package
from distributor.model.refs import Digest, ObjectId
from distributor.model.rendering import RenderInput
from distributor.placement.instances import installations
from distributor.placement.placing import Placer
from distributor.render import Binder, Cells, Variables, finish, job
from tests.benchmarks import fleet
from tests.benchmarks.results import Stopwatch

Subject = tuple[Package, Installation, EnvironmentFiles]
Placed = tuple[Subject, list[Cluster]]


@dataclass(slots=True, kw_only=True)
class Plan:
    """What a plan found. `keys` are the render keys of all targets, by cell; `digests` of the changed ones."""

    catalog: Catalog
    targets: int = 0
    subjects: dict[Digest, Subject] = field(default_factory=dict)
    cells: dict[Digest, RenderInput] = field(default_factory=dict)
    members: dict[Digest, list[tuple[Subject, Cluster]]] = field(default_factory=dict)
    digests: dict[Digest, Digest] = field(default_factory=dict)
    binders: dict[Digest, Binder] = field(default_factory=dict)


async def mirrored(folder: Path, contents: Mapping[str, bytes]) -> tuple[PygitObjects, ObjectId]:
    """Commit to a remote and fetch, as the service has it: real objects, in a pack."""
    head = fleet.commit(folder / "remote.git", contents)
    objects = PygitObjects.create(folder / "mirror.git")
    await GitRemote(objects.path, str(folder / "remote.git"), heads=("main",)).fetch()
    return objects, objects.tree_of(head)


class Planner:
    """One process' parts; made anew they know nothing yet."""

    def __init__(self, mirror: Path, workers: int = 2) -> None:
        self.objects = PygitObjects(mirror)
        self.loader = Loader(self.objects)
        self.engine = EnginePool(EngineSettings(workers=workers))

    async def plan(self, root: ObjectId, watch: Stopwatch, *, before: Plan | None = None) -> Plan:
        """Plan a root tree; what `before` knows is not rendered, and unchanged packages are not placed."""
        with watch.part("load"):
            made = Plan(catalog=self.loader.load(root))
        if made.catalog.findings:
            msg = f"the generated catalog is broken: {made.catalog.findings[0]}"
            raise ValueError(msg)
        for package, found in _placed(made.catalog, before, watch):
            self._keys(made, package, found, watch)
        known = before.cells if before else {}
        with watch.part("render"):
            await self._digests(made, [d for d in made.cells if d not in known])
        return made

    def _keys(self, made: Plan, package: Package, found: list[Placed], watch: Stopwatch) -> None:
        with watch.part("keys"):
            for subject, clusters in found:
                cells = Cells(made.catalog, package, subject[1], subject[2])
                for cluster in clusters:
                    cell = cells.of(cluster)
                    made.cells.setdefault(cell.digest, cell)
                    made.subjects.setdefault(cell.digest, subject)
                    made.members.setdefault(cell.digest, []).append((subject, cluster))
                made.targets += len(clusters)

    async def _digests(self, made: Plan, changed: Collection[Digest]) -> None:
        await asyncio.gather(*(self._digest(made, digest) for digest in changed))

    async def _digest(self, made: Plan, digest: Digest) -> None:
        cell, (package, installation, _) = made.cells[digest], made.subjects[digest]
        objects = await self.engine.render(job(cell, package, installation, self.objects))
        manifests = finish(objects, cell, package)
        made.digests[digest] = manifests.digest
        made.binders[digest] = Binder(manifests, package.values.bind)

    def bind(self, made: Plan) -> int:
        """Bind every target of what was rendered; how many objects."""
        count = 0
        for digest, binder in made.binders.items():
            variables: dict[str, Variables] = {}
            for (package, installation, files), cluster in made.members[digest]:
                name = cluster.environment
                if name not in variables:
                    variables[name] = Variables(package, installation, files.environment)
                count += len(binder.bind(variables[name].of(cluster)))
        return count


def _placed(
    catalog: Catalog, before: Plan | None, watch: Stopwatch
) -> Iterator[tuple[Package, list[Placed]]]:
    """Each changed package with the clusters of each of its instances."""
    packages = [
        package
        for versions in catalog.packages.values()
        for version, package in versions.items()
        if before is None or before.catalog.package(package.app, version) != package
    ]
    with watch.part("place"):
        placers = {name: Placer(files) for name, files in catalog.environments.items()}
        instances = {name: installations(catalog, name) for name in placers}
    for package in packages:
        with watch.part("place"):
            found = []
            for name, placer in placers.items():
                for installation in instances[name].values():
                    if installation.app == package.app:
                        targets = placer.place(package, installation).targets
                        subject = (package, installation, catalog.environments[name])
                        found.append((subject, [t.cluster for t in targets]))
        yield package, found
