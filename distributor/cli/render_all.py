"""``distributor render --all``: every target of the repository's newest versions, into a new folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from distributor.adapters.workspace import put_together
from distributor.cli.local import (
    Choice,
    Local,
    LocalRenderer,
    catalog_root,
    engine,
    here,
    open_catalog,
)
from distributor.cli.manifests import as_yaml, in_order
from distributor.cli.output import DONE, Form, emit, say, table
from distributor.cli.progress import progress
from distributor.cli.rendering import Asked
from distributor.errors import DistributorError, Where
from distributor.errors.catalog import AlreadyExists
from distributor.model.findings import Finding, Invalid, errors
from distributor.model.fleet import Installation
from distributor.model.package import Package
from distributor.model.refs import ObjectRef
from distributor.placement import installations, place
from distributor.services.sharing import shared
from distributor.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """One file to write, and what is rendered into it."""

    path: str
    choice: Choice


async def render_all(settings: Settings, asked: Asked, jobs: int, output: Form) -> int:
    """Write ``<env>/<instance>/<cluster>.yaml`` for every target, all of them or none.

    The version is the one that the Installation pins, else the app's newest. Raises ``Invalid`` with
    everything that does not load or render.
    """
    folder = asked.path.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AlreadyExists(where=Where(file=str(folder)))
    local = open_catalog(catalog_root(here()))
    wrong = errors(local.catalog.findings)
    if wrong:
        raise Invalid(wrong)
    cells = [c for c in _cells(local) if _meant(c, asked)]
    texts, refs = await _rendered(settings, local, cells, jobs, wanted=asked.progress)
    for line in _shared(cells, refs):
        say(line)
    _write(folder, dict(zip((c.path for c in cells), texts, strict=True)))
    _show(cells, output)
    say(f"{len(cells)} files written to {folder}")
    return DONE


def _cells(local: Local) -> Iterator[_Cell]:
    for environment, files in local.catalog.environments.items():
        for instance, installation in installations(local.catalog, environment).items():
            package = _version(local, installation)
            if package is None:
                say(f"note: {environment}/{instance}: {installation.app} has no version to render")
                continue
            for target in place(package, installation, files).targets:
                choice = Choice(
                    package=package,
                    installation=installation,
                    files=files,
                    cluster=target.cluster,
                )
                yield _Cell(path=f"{environment}/{instance}/{target.name}.yaml", choice=choice)


def _version(local: Local, installation: Installation) -> Package | None:
    """The pinned version, else the newest; one that is released goes before any pre-release."""
    known = local.catalog.packages.get(installation.app, {})
    if installation.pin:
        return known.get(installation.pin)
    released = [p for text, p in known.items() if "-" not in text.partition("+")[0]]
    return max(released or known.values(), key=lambda p: p.version, default=None)


def _meant(cell: _Cell, asked: Asked) -> bool:
    cluster = cell.choice.cluster
    return (
        asked.environment in ("", cluster.environment)
        and asked.tier in ("", cluster.tier)
        and asked.cluster in ("", cluster.name)
    )


async def _rendered(
    settings: Settings, local: Local, cells: Sequence[_Cell], jobs: int, *, wanted: bool | None
) -> tuple[list[str], list[frozenset[ObjectRef]]]:
    """The text of each cell, and what objects it holds."""
    findings: dict[Finding, None] = {}
    with progress("rendering", len(cells), wanted=wanted) as step:
        async with engine(settings, jobs) as pool:
            renderer = LocalRenderer(local, pool)

            async def one(cell: _Cell) -> tuple[str, frozenset[ObjectRef]]:
                try:
                    manifests = await renderer.bound(cell.choice)
                    return as_yaml(in_order(m.data() for m in manifests)), manifests.refs()
                except DistributorError as error:
                    findings[_finding(error, cell)] = None
                    return "", frozenset()
                finally:
                    step()

            made = await asyncio.gather(*(one(cell) for cell in cells))
    if findings:
        raise Invalid(findings, "Nothing was written.")
    return [text for text, _ in made], [refs for _, refs in made]


def _shared(cells: Sequence[_Cell], held: Sequence[frozenset[ObjectRef]]) -> Iterator[str]:
    """A warning for each pair of instances with the same objects, and the clusters where that is so."""
    there: dict[tuple[str, str], list[tuple[Installation, frozenset[ObjectRef]]]] = {}
    where: dict[tuple[str, Finding], list[str]] = {}
    for cell, refs in zip(cells, held, strict=True):
        cluster, own = cell.choice.cluster, cell.choice.installation
        before = there.setdefault((cluster.environment, cluster.name), [])
        for other, theirs in before:
            if both := refs & theirs:
                where.setdefault((own.instance, shared(other, both)), []).append(cluster.name)
        before.append((own, refs))
    for (instance, finding), clusters in where.items():
        yield f"warning: {finding} and of {instance}, on {', '.join(clusters)}"


def _finding(error: DistributorError, cell: _Cell) -> Finding:
    found = Finding.from_error(error)
    if found.where.file:
        return found
    where = Where(file=cell.choice.package.folder, field=found.where.field)
    return Finding(code=found.code, message=found.message, where=where, remedy=found.remedy)


def _write(folder: Path, texts: dict[str, str]) -> None:
    """Write beside the folder, then put it in place in one step."""
    with put_together(folder) as made:
        for path, text in texts.items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_text(text, "utf-8")
        made.replace(folder)


def _show(cells: Sequence[_Cell], output: Form) -> None:
    rows = [(c.path, c.choice.package.app, str(c.choice.package.version)) for c in cells]
    if output is Form.TABLE:
        table(("file", "app", "version"), rows)
    else:
        emit([dict(zip(("file", "app", "version"), row, strict=True)) for row in rows], output)
