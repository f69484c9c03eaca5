"""The cases of the tables as jobs for the engine, as `distributor render` makes them of a folder."""

from __future__ import annotations

from pathlib import Path

import orjson

from distributor.adapters.workspace import read_folder, read_kustomization
from distributor.model.package import Renderer
from distributor.model.rendering import ChartOptions, RenderJob
from tests.integration.oracle.tables import Case


def of_folder(folder: Path, chart: ChartOptions | None = None) -> RenderJob:
    """A kustomization's folder; with options, a chart's."""
    if chart is None:
        content = read_kustomization(folder)
        return RenderJob(renderer=Renderer.KUSTOMIZE, files=content.files, path=content.path)
    content = read_folder(folder)
    return RenderJob(renderer=Renderer.HELM, files=content.files, path=content.path, chart=chart)


def chart_options(case: Case) -> ChartOptions:
    """A chart's options, with the oracle's defaults."""
    given = {"release_name": "rel", "namespace": "shop", "is_upgrade": False, **case.options}
    given["values"] = orjson.dumps(given.get("values", {}))
    return ChartOptions(**given)


def flags_of(case: Case, file: Path) -> list[str]:
    """The options as Helm's own."""
    given = case.options
    file.write_bytes(orjson.dumps(given.get("values", {})))
    flags = ["--values", str(file)]
    if "kube_version" in given:
        flags += ["--kube-version", given["kube_version"]]
    for version in given.get("api_versions", ()):
        flags += ["--api-versions", version]
    return [*flags, "--is-upgrade"] if given.get("is_upgrade") else flags
