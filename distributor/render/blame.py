"""Blame: the errors of a render in the words of whoever wrote the files, not in those of the job."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from distributor.errors import DistributorError, Where
from distributor.errors.render import DuplicateObject, RenderFailed
from distributor.model.findings import Invalid
from distributor.model.rendering import RenderInput, RenderJob
from distributor.render.cells import PACKAGE_FOLDER

_NAMED = re.compile(r'(?:unknown field|names(?: the absolute path)?) "((?:[^"\\]|\\.)+)"')
"""How the engine quotes what stands in the file that it blames."""
_OF_PATCHES = re.compile(r"(?i)\bpatch|operation does not apply|no matches for Id")
"""What kustomize says of patches; it names no file where they are those of the job itself."""
_END_OF_PATH = r"[^\s'\"`:,;()\[\]]*"


def blamed(error: DistributorError, cell: RenderInput, job: RenderJob) -> DistributorError:
    """The error of a cell's render with paths of the repository, and the line where that can be told.

    What only the patches of the Installation can have done is told of its file.
    """
    above = {layer.folder: layer.label for layer in cell.layers[1:] if layer.folder}
    package = cell.layers[0].label.removesuffix(cell.layers[0].folder.removeprefix(PACKAGE_FOLDER))
    last = cell.layers[-1]
    patches = last.label if not last.folder else ""
    return renamed(error, job, {**above, PACKAGE_FOLDER: package}, patches)


def renamed(
    error: DistributorError, job: RenderJob, folders: Mapping[str, str], patches: str = ""
) -> DistributorError:
    """The error with the paths that people know: ``folders`` says for some of the job's what they are.

    ``patches`` is the file of the job's patches. An error that carries findings tells its own places.
    """
    if isinstance(error, Invalid):
        return error
    names = _Names(job, folders)
    where, detail = names.place(error.where), error.detail
    if where.file != error.where.file:
        detail = detail.replace(error.where.file, where.file)
    if isinstance(error, RenderFailed | DuplicateObject) and where.file == job.path:
        deepest = names.deepest(detail)
        where = replace(where, file=deepest or where.file)
        if patches and not deepest and _OF_PATCHES.search(detail):
            return _like(error, names.text(detail), Where(file=patches, field="spec.patches"))
    where = replace(names.with_line(where, detail), file=names.shown(where.file))
    return _like(error, names.text(detail), where)


def _like(error: DistributorError, detail: str, where: Where) -> DistributorError:
    return type(error)(detail, where=where, remedy=error.hint)


class _Names:
    """The files and folders of one job, and what they are called outside of it."""

    def __init__(self, job: RenderJob, folders: Mapping[str, str]) -> None:
        self._job = job
        self._folders = dict(sorted(folders.items(), key=lambda f: len(f[0]), reverse=True))
        tops = "|".join(map(re.escape, self._folders))
        self._path = re.compile(rf"(?<![\w./-])(?:{tops})(?:/{_END_OF_PATH}|(?='))")

    @cached_property
    def _known(self) -> frozenset[str]:
        """Every file and folder of the job."""
        found: set[str] = set()
        for file in self._job.files:
            path = file
            while path and path not in found:
                found.add(path)
                path = path.rpartition("/")[0]
        return frozenset(found)

    def shown(self, path: str) -> str:
        """A path of the job as people know it."""
        for folder, label in self._folders.items():
            if path == folder or path.startswith(f"{folder}/"):
                rest = path.removeprefix(folder)
                return rest.removeprefix("/") if rest and label in ("", ".") else label + rest
        return path

    def text(self, message: str) -> str:
        """A message with each path in it as people know it; words that look like one stay."""
        return self._path.sub(self._shown_in_text, message)

    def _shown_in_text(self, found: re.Match[str]) -> str:
        path = found[0].rstrip(".")
        known = path in self._known or path.rpartition("/")[0] in self._known
        return self.shown(path) + found[0][len(path) :] if known else found[0]

    def deepest(self, message: str) -> str:
        """The last file or folder of the job that a message names: it goes from the outside in."""
        named = [found[0].rstrip(".") for found in self._path.finditer(message)]
        return next((path for path in reversed(named) if path in self._known), "")

    def place(self, where: Where) -> Where:
        """A place whose file is one of the job: Helm names a template after its chart, not its folder."""
        if not where.file or where.file in self._known:
            return where
        inside = where.file.partition("/")[2]
        beside = f"{self._job.path}/{inside}"
        if beside in self._known:
            return replace(where, file=beside)
        alike = [path for path in self._job.files if inside and path.endswith(f"/{inside}")]
        return replace(where, file=alike[0]) if len(alike) == 1 else where

    def with_line(self, where: Where, message: str) -> Where:
        """A place with the line of what the message quotes from the file, if it stands there once."""
        quoted = _NAMED.search(message)
        data = self._job.files.get(where.file)
        if where.line or quoted is None or data is None:
            return where
        word = re.compile(rf"(?<![\w.-]){re.escape(quoted[1])}(?![\w.-])")
        lines = data.decode(errors="replace").splitlines()
        found = [number for number, line in enumerate(lines, 1) if word.search(line)]
        return replace(where, line=found[0]) if len(found) == 1 else where
