"""Many renders at once, package by package, and what is lost where some of them fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from distributor.cli.local import Choice, bound
from distributor.cli.manifests import as_yaml, in_order
from distributor.errors import DistributorError, Where
from distributor.model.findings import Finding, Invalid
from distributor.model.package import Package
from distributor.model.refs import Digest, ObjectId, ObjectRef
from distributor.model.rendering import RenderInput
from distributor.render import Binder
from distributor.services.rendering.failures import costly
from distributor.services.rendering.gradual import gradually

_SHOWN = 3
"""As many files are named with one finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file to write, where it is rendered for, and the cell that gives it."""

    path: str
    choice: Choice
    cell: RenderInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What was made for one file: its text, and which objects stand in it."""

    text: str
    refs: frozenset[ObjectRef]


class CellRenderer(Protocol):
    """Renders one cell; ``LocalRenderer`` is one."""

    def binder(self, cell: RenderInput, choice: Choice) -> Awaitable[Binder]:
        """What binds the objects of a cell; raises what rendering raises."""
        ...


class Losses:
    """What is wrong, each cause once, with the files that are lost to it."""

    def __init__(self) -> None:
        self._lost: dict[Finding, dict[str, None]] = {}

    @property
    def files(self) -> int:
        """How many files are lost."""
        return len({path for paths in self._lost.values() for path in paths})

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Each cause with the first files that it costs."""
        return tuple(
            replace(finding, message=f"{finding.message} (not written: {_named(list(paths))})")
            if paths
            else finding
            for finding, paths in self._lost.items()
        )

    def add(self, finding: Finding, *paths: str) -> None:
        """Count files as lost to a finding; without any it is only told."""
        self._lost.setdefault(finding, {}).update(dict.fromkeys(paths))

    def refuse(self, error: DistributorError, package: Package, paths: Iterable[str]) -> None:
        """Count files as lost to an error; one that names no file is told of the package."""
        found = error.findings if isinstance(error, Invalid) else (Finding.from_error(error),)
        for finding in found:
            where = finding.where
            if not where.file:
                where = Where(file=package.folder, field=where.field)
            self.add(replace(finding, where=where), *paths)


def _named(paths: Sequence[str]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


async def render_files(
    renderer: CellRenderer, files: Sequence[File], losses: Losses, step: Callable[[], None]
) -> dict[str, Rendered]:
    """What each file gets that renders, by path; ``step`` is called as each is done or lost.

    Each cell is rendered once. All packages are under way together, and the cells of one package
    gradually: where one costs all that a render may, the others are lost to it without a try.
    """
    packages: dict[ObjectId, dict[Digest, list[File]]] = {}
    for file in files:
        cells = packages.setdefault(file.choice.package.tree, {})
        cells.setdefault(file.cell.digest, []).append(file)
    batch = _Batch(renderer, losses, step)
    await asyncio.gather(*(batch.package(cells) for cells in packages.values()))
    return batch.made


class _Batch:
    def __init__(self, renderer: CellRenderer, losses: Losses, step: Callable[[], None]) -> None:
        self.made: dict[str, Rendered] = {}
        self._renderer = renderer
        self._losses = losses
        self._step = step

    async def package(self, cells: Mapping[Digest, list[File]]) -> None:
        pieces = {digest: partial(self._cell, files) for digest, files in cells.items()}
        results = await gradually(pieces, stops=_stops)
        for digest, result in results.items():
            if isinstance(result, DistributorError):
                for file in cells[digest]:
                    self._lose(result, file)
            elif isinstance(result, BaseException):
                raise result

    async def _cell(self, files: Sequence[File]) -> None:
        first = files[0]
        binder = await self._renderer.binder(first.cell, first.choice)
        for file in files:
            try:
                manifests = bound(binder, file.choice)
            except DistributorError as error:
                self._lose(error, file)
                continue
            text = as_yaml(in_order(m.data() for m in manifests))
            self.made[file.path] = Rendered(text=text, refs=manifests.refs())
            self._step()
            await asyncio.sleep(0)

    def _lose(self, error: DistributorError, file: File) -> None:
        self._losses.refuse(error, file.choice.package, [file.path])
        self._step()


def _stops(error: BaseException) -> BaseException | None:
    """The error itself where it is costly: one cause is told once."""
    return error if costly(error) else None
