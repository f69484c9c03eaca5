"""Jobs: the files, layers and values of a cell, as one request to the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from distributor.errors import Where
from distributor.errors.catalog import BadValues, TooLarge, UnsafeEntry
from distributor.errors.render import BadManifest
from distributor.model.fleet import Installation
from distributor.model.manifest import canonical
from distributor.model.package import Package, Renderer
from distributor.model.refs import ObjectId
from distributor.model.rendering import ChartOptions, RenderInput, RenderJob
from distributor.model.trees import EntryKind, TreeReader
from distributor.render.cells import PACKAGE_FOLDER
from distributor.render.ciphertexts import Budget
from distributor.render.placeholders import hidden
from distributor.render.values import merged, values_file

MAX_FILES = 10_000
MAX_BYTES = 32 << 20
MAX_DEPTH = 32
"""Limits of what one job may carry; the catalog holds packages to the same ones."""


def job(
    cell: RenderInput, package: Package, installation: Installation, reader: TreeReader
) -> RenderJob:
    """What the engine is asked for one cell.

    Trees are read by object id, each folder of ``cell.layers`` once. SOPS files are handed over with
    placeholders for what is encrypted. Raises ``UnsafeEntry`` for symbolic links and submodules,
    ``TooLarge``, ``BadValues`` for a number that a chart would change, the reader's ``ObjectMissing``,
    and for SOPS files what ``hidden`` raises.
    """
    files: dict[str, bytes] = {}
    budget, steps, placeholders = _Budget(), Budget(), set[str]()
    for tree, folder, label in _sources(cell, package):
        for path, entry, shown in _collect(reader, tree, folder, label, budget):
            data = reader.blob(entry)
            made = hidden(data, path, entry, shown, steps)
            files[path] = data if made is None else made[0]
            placeholders.update(map(str, made[1] if made is not None else ()))
    base, *above = cell.layers
    return RenderJob(
        renderer=package.renderer,
        files=files,
        path=base.folder,
        layers=tuple(layer.folder for layer in above if layer.folder),
        patches=canonical(list(installation.patches)),
        chart=_chart(cell, package, installation) if package.renderer is Renderer.HELM else None,
        package=package.tree,
        placeholders=frozenset(placeholders),
    )


def _sources(cell: RenderInput, package: Package) -> Iterator[tuple[ObjectId, str, str]]:
    yield package.tree, PACKAGE_FOLDER, package.folder
    for layer in cell.layers:
        if layer.folder and layer.tree != package.tree:
            yield ObjectId(layer.tree), layer.folder, layer.label


def _chart(cell: RenderInput, package: Package, installation: Installation) -> ChartOptions:
    try:
        values = merged(orjson.loads(cell.values), cell.per_cluster)
    except orjson.JSONDecodeError as error:
        raise BadManifest(f"(values of {cell.instance}: {error})") from error
    inexact = list(_inexact(values, "spec.values"))
    if inexact:
        raise BadValues(
            f"({package}: a chart sees numbers as 64-bit floats; {'; '.join(inexact)})",
            where=Where(file=values_file(installation), field="spec.values"),
            remedy="Write numbers above 2^53 as text, in quotes.",
        )
    apis = package.fits.requires_apis
    versions = sorted({_version(a.group, a.version) for a in apis})
    kinds = [f"{_version(a.group, a.version)}/{a.kind}" for a in sorted(apis)]
    return ChartOptions(
        release_name=installation.release_name or installation.instance,
        namespace=cell.namespace,
        kube_version=cell.kubernetes,
        api_versions=(*versions, *kinds),
        values=canonical(values),
    )


def _inexact(value: object, path: str) -> Iterator[str]:
    """The integers that a chart would see with other digits: Helm reads values as Go's ``float64``."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _inexact(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _inexact(inner, f"{path}[{index}]")
    elif isinstance(value, int) and int(float(value)) != value:
        yield f"{path} is {value}"


def _version(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version


class _Budget:
    """Counts files and bytes over all folders of a job."""

    def __init__(self) -> None:
        self._files = self._bytes = 0

    def take(self, size: int, where: str) -> None:
        self._files += 1
        self._bytes += size
        if self._files > MAX_FILES:
            raise TooLarge(f"more than {MAX_FILES} files", where=Where(file=where))
        if self._bytes > MAX_BYTES:
            raise TooLarge(f"more than {MAX_BYTES} bytes", where=Where(file=where))


def _collect(
    reader: TreeReader, tree: ObjectId, folder: str, label: str, budget: _Budget
) -> Iterator[tuple[str, ObjectId, str]]:
    """The files below a tree: path below ``folder``, blob, and the path in the repository."""
    if folder.count("/") > MAX_DEPTH:
        raise TooLarge(f"folders nested deeper than {MAX_DEPTH}", where=Where(file=label))
    for entry in reader.entries(tree):
        path, shown = f"{folder}/{entry.name}", f"{label}/{entry.name}"
        match entry.kind:
            case EntryKind.TREE:
                yield from _collect(reader, entry.id, path, shown, budget)
            case EntryKind.BLOB:
                budget.take(reader.size(entry.id), shown)
                yield path, entry.id, shown
            case EntryKind.LINK | EntryKind.SUBMODULE | EntryKind.UNREADABLE:
                raise UnsafeEntry(f"({entry.kind})", where=Where(file=shown))
