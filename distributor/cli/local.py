"""A catalog repository as it lies on disk: found, read, and rendered without any service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from distributor.adapters.cel import CelExpressions
from distributor.adapters.engine import EnginePool, EngineSettings
from distributor.adapters.workspace import PARTS, read_work_tree
from distributor.catalog.loading import Loader
from distributor.cli.context import OPTIONS
from distributor.errors import DistributorError, Terminal, Where
from distributor.errors.catalog import NotACatalog, UnknownReference
from distributor.model.catalog import Catalog, EnvironmentFiles
from distributor.model.findings import Invalid, errors
from distributor.model.fleet import Cluster, Installation
from distributor.model.manifest import ManifestSet
from distributor.model.package import Package
from distributor.model.refs import Digest, ObjectRef
from distributor.model.rendering import RenderInput
from distributor.model.trees import TreeReader
from distributor.ports import RenderEngine
from distributor.render import (
    Binder,
    Origin,
    Question,
    Search,
    Unmatched,
    Variables,
    binder_of,
    blamed,
    check_placeholders,
    explain,
    finish,
    job,
    render_input,
)
from distributor.services.rendering.ruling import require_rules
from distributor.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A repository on disk, read once."""

    root: Path
    reader: TreeReader
    catalog: Catalog

    def refuse(self, *folders: str) -> None:
        """Raise ``Invalid`` where a file in one of the folders has findings."""
        found = [f for folder in folders for f in errors(self.catalog.findings_under(folder))]
        if found:
            raise Invalid(dict.fromkeys(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is rendered: a package as an instance on a cluster."""

    package: Package
    installation: Installation
    files: EnvironmentFiles
    cluster: Cluster
    notes: tuple[str, ...] = ()


def catalog_root(folder: Path) -> Path:
    """The nearest folder, this one or one above, that holds a catalog; raises ``NotACatalog``."""
    start = folder.resolve()
    for place in (start, *start.parents):
        if (place / "catalog").is_dir() or (place / "environments").is_dir():
            return place
    raise NotACatalog(where=Where(file=str(folder)))


def here() -> Path:
    """The folder to start from: what ``--repository`` names if that is a folder, else where one stands."""
    named = Path(str(OPTIONS.flags.get("repository", "")) or ".")
    return named if named.is_dir() else Path()


def open_catalog(root: Path, more: Mapping[str, bytes] | None = None) -> Local:
    """Read the catalog below a folder, as if it were committed; ``more`` are files to be added."""
    tree = read_work_tree(root, only=PARTS, more=more, lenient=True)
    return Local(root=root.resolve(), reader=tree, catalog=Loader(tree).load(tree.root))


def package_at(local: Local, folder: Path) -> Package:
    """The package whose folder this is; raises ``Invalid`` with its findings, or ``NotACatalog``."""
    inside = folder.resolve().relative_to(local.root).as_posix()
    _, app, version = inside.split("/")
    found = local.catalog.package(app, version)
    if found is None:
        local.refuse(inside, f"catalog/{app}")
        raise UnknownReference(f"{inside} is not part of the catalog.", where=Where(file=inside))
    return found


@asynccontextmanager
async def engine(settings: Settings, workers: int = 1) -> AsyncIterator[EnginePool]:
    """The render engine, stopped at the end."""
    pool = EnginePool(
        EngineSettings(
            workers=workers, deadline=settings.render_timeout, hard_memory=settings.render_memory
        )
    )
    try:
        yield pool
    finally:
        await pool.aclose()


class LocalRenderer:
    """Renders each cell once, straight from the files; ``watch`` sees what the engine gives."""

    def __init__(self, local: Local, engine: RenderEngine, watch: Unmatched | None = None) -> None:
        self._local = local
        self._watch = watch
        self._engine = engine
        self._expressions = CelExpressions()
        self._cells: dict[Digest, asyncio.Task[Binder]] = {}

    async def bound(self, choice: Choice) -> ManifestSet:
        """The objects of an instance on a cluster; raises what the render rooms and the engine raise."""
        require_rules(choice.package, self._expressions)
        cell = self._cell(choice)
        task = self._cells.get(cell.digest)
        if task is None:
            task = self._cells[cell.digest] = asyncio.ensure_future(self.binder(cell, choice))
        return bound(await task, choice)

    async def explain(self, choice: Choice, ref: ObjectRef, path: str) -> Origin:
        """Which layer and file set a field; raises what rendering raises, and ``UnknownReference``."""
        cell = self._cell(choice)
        wanted = job(cell, choice.package, choice.installation, self._local.reader)
        question = Question(
            cell=cell,
            job=wanted,
            package=choice.package,
            installation=choice.installation,
            environment=choice.files.environment,
            cluster=choice.cluster,
        )
        try:
            objects = await self._engine.render(wanted)
        except DistributorError as error:
            raise blamed(error, cell, wanted) from error
        return await self._found(explain(question, objects, ref, path))

    async def _found(self, search: Search) -> Origin:
        """Render what a search asks for, until it has its answer."""
        answer: tuple[bytes, ...] | None = None
        while True:
            try:
                wanted = search.send(answer)
            except StopIteration as done:
                found: Origin = done.value
                return found
            try:
                answer = await self._engine.render(wanted)
            except Terminal:  # part of a layer need not render
                answer = None

    def _cell(self, choice: Choice) -> RenderInput:
        return render_input(
            self._local.catalog, choice.package, choice.installation, choice.files, choice.cluster
        )

    async def binder(self, cell: RenderInput, choice: Choice) -> Binder:
        """What binds the objects of a cell, rendered anew; raises what rendering raises."""
        wanted = job(cell, choice.package, choice.installation, self._local.reader)
        try:
            objects = await self._engine.render(wanted)
            check_placeholders(finish(objects, cell, choice.package), wanted.placeholders)
        except DistributorError as error:
            raise blamed(error, cell, wanted) from error
        if self._watch is not None:
            self._watch.saw(cell, wanted, objects)
        return binder_of(objects, cell, choice.package)


def bound(binder: Binder, choice: Choice) -> ManifestSet:
    """The objects of a cell for one of its clusters; raises ``UnboundVariable`` and ``BadVariable``."""
    made = Variables(choice.package, choice.installation, choice.files.environment)
    return binder.bind(made.of(choice.cluster), choice.cluster.registry)
