"""What a renderer finds in a package: that the content is there, and which Components lie beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from distributor.catalog.descriptors import Findings, missing
from distributor.catalog.documents import LIMIT, Document, read
from distributor.catalog.walking import TreeFile
from distributor.errors import Where
from distributor.errors.catalog import SchemaViolation, TooLarge
from distributor.model.findings import Finding
from distributor.model.package import Renderer
from distributor.model.trees import TreeReader

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""The names that kustomize looks for (kustomize.io, "kustomization file")."""
_MANIFESTS = (".yaml", ".yml", ".json")
_WANTED = {
    Renderer.KUSTOMIZE: KUSTOMIZATIONS[0],
    Renderer.HELM: "Chart.yaml",
    Renderer.RAW: "manifest.yaml",
}

Files = Mapping[str, TreeFile]
"""The files of a folder by path below it."""


def check_content(files: Files, renderer: Renderer, path: str, folder: str) -> Findings:
    """A finding where the folder that the renderer reads is not what it needs."""
    if any(_read_by(renderer, file, path) for file in files):
        return ()
    message = f"spec.renderer is {renderer}, spec.path is {path}."
    return (missing(f"{folder}/{path}/{_WANTED[renderer]}", message),)


def _read_by(renderer: Renderer, file: str, path: str) -> bool:
    match renderer:
        case Renderer.KUSTOMIZE:
            return file in {f"{path}/{name}" for name in KUSTOMIZATIONS}
        case Renderer.HELM:
            return file == f"{path}/Chart.yaml"
        case Renderer.RAW:
            return file.startswith(f"{path}/") and file.endswith(_MANIFESTS)


def components(
    reader: TreeReader, files: Files, below: str, folder: str
) -> tuple[frozenset[str], Findings]:
    """The names of the folders under ``below`` that hold a Component, and what is wrong with others."""
    names = {path.split("/")[1] for path in files if path.startswith(f"{below}/")}
    folders = [name for name in sorted(names) if f"{below}/{name}" not in files]
    findings = tuple(
        finding
        for name in folders
        for finding in check_component(reader, files, f"{below}/{name}", folder)
    )
    return frozenset(folders), findings


def check_component(reader: TreeReader, files: Files, path: str, folder: str) -> Findings:
    """What keeps the folder at ``path`` from being a kustomize Component."""
    prefix = f"{path}/" if path else ""
    found = _first(files, (prefix + name for name in KUSTOMIZATIONS))
    if found is None:
        return (missing(f"{folder}/{prefix}{KUSTOMIZATIONS[0]}", "The folder is a Component."),)
    file = f"{folder}/{found.path}"
    if reader.size(found.id) > LIMIT:
        return (Finding.of(TooLarge, f"At most {LIMIT} bytes are read.", Where(file=file)),)
    document = read(reader.blob(found.id), file)
    if not isinstance(document, Document):
        return document
    kind = document.data.get("kind") if isinstance(document.data, dict) else None
    if kind == "Component":
        return ()
    message = "kind must be Component: it is a layer over something else."
    return (Finding.of(SchemaViolation, message, document.where(("kind",))),)


def _first(files: Files, paths: Iterable[str]) -> TreeFile | None:
    return next((files[path] for path in paths if path in files), None)
