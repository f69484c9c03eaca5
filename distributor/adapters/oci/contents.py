"""What the layer of an artifact holds: a chart in a folder of its name, or files as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from distributor.adapters.oci.archive import PackedFile, read_archive
from distributor.catalog.documents import Document, read
from distributor.errors.vendoring import HostileArchive, UnsupportedArtifact

CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_CHART_FILE = "Chart.yaml"


def unpacked(data: bytes, media_type: str) -> tuple[PackedFile, ...]:
    """The files of a layer; raises ``HostileArchive``, ``ArtifactTooLarge`` and ``UnsupportedArtifact``."""
    files = read_archive(data)
    if media_type != CHART:
        return files
    chart = tuple(_without_top(files))
    _check_dependencies({file.path: file for file in chart})
    return chart


def _without_top(files: Iterable[PackedFile]) -> Iterator[PackedFile]:
    """Helm packs a chart into a folder of the chart's name (helm.sh/docs, "The Chart File Structure")."""
    tops: set[str] = set()
    for file in files:
        top, slash, rest = file.path.partition("/")
        tops.add(top)
        if not slash or len(tops) > 1:
            raise HostileArchive(f"(a chart lies in one folder, and {file.path!r} does not)")
        yield replace(file, path=rest)


def _check_dependencies(files: Mapping[str, PackedFile]) -> None:
    """Nothing else is ever fetched, so what a chart depends on must be inside."""
    there = {path.split("/")[1] for path in files if path.startswith("charts/")}
    missing = [
        name
        for name in _dependencies(files.get(_CHART_FILE))
        if name not in there and not any(_packed(one, name) for one in there)
    ]
    if missing:
        raise UnsupportedArtifact(
            f"(it depends on {', '.join(missing)}, which its folder charts/ does not hold)",
            remedy="Have its publisher run `helm dependency build` before `helm package`.",
        )


def _packed(file: str, name: str) -> bool:
    return file.startswith(f"{name}-") and file.endswith(".tgz")


def _dependencies(chart: PackedFile | None) -> list[str]:
    document = read(chart.data, _CHART_FILE) if chart else ()
    if not isinstance(document, Document) or not isinstance(document.data, Mapping):
        reason = f": {document[0]}" if isinstance(document, tuple) and document else ""
        raise UnsupportedArtifact(f"(it has no usable {_CHART_FILE}{reason})")
    found: Any = document.data.get("dependencies")
    rows = found if isinstance(found, list) else []
    names = [row.get("name") for row in rows if isinstance(row, Mapping)]
    return [name for name in names if isinstance(name, str)]
