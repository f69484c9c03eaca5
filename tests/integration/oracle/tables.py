"""The tables of cases: YAML files beside this one, read into folders of files.

A table has `builds` and `fails`, each a mapping of a case's name to its files by path; text alone is its
`kustomization.yaml`. A mapping as a file's content is packed as a `.tgz`. `path` names the folder to
render, `options` are those of a chart. `differs` holds what an oracle and the engine do not agree on: `meant` says
why that is right, `known` what is wrong; such a case fails as soon as they agree.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from _pytest.mark.structures import ParameterSet

from tests.oracle import Verdict, difference

HERE = Path(__file__).resolve().parent
KUSTOMIZATIONS = frozenset(("kustomization.yaml", "kustomization.yml", "Kustomization"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kustomization or chart: its files, what to render in them, and whether that builds.

    `meant` and `known` say where the engine differs; whether that builds is left to the oracle.
    """

    family: str
    name: str
    builds: bool
    files: Mapping[str, bytes]
    path: str = "."
    meant: str = ""
    known: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.family}: {self.name}"

    def write(self, folder: Path) -> Path:
        """Put the files into a folder; gives the one to render."""
        for name, data in self.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return folder / self.path


def kustomizations(*, where: str = "kustomizations") -> list[Case]:
    """Every kustomization; the shared files lie beside each `kustomization.yaml` of a case."""
    shared = _files(_load(HERE / "kustomizations" / "shared.yaml"))
    return [_with_shared(case, shared) for case in _cases(HERE / where, {})]


def charts() -> list[Case]:
    """Every chart; the shared files are the chart's, unless a case has its own."""
    return list(_cases(HERE / "charts", _load(HERE / "charts" / "shared.yaml")))


def parameters(cases: Iterable[Case]) -> list[ParameterSet]:
    """The cases as parameters of a test; what is known to be wrong is told when it ends."""
    return [
        pytest.param(
            case,
            id=str(case),
            marks=[pytest.mark.xfail(strict=True, reason=case.known)] if case.known else [],
        )
        for case in cases
    ]


def compare(case: Case, ours: Verdict, theirs: Verdict) -> None:
    """Hold both to the case's verdict, and what they give to each other."""
    if case.meant:
        assert theirs.objects is not None, theirs.error
        assert ours.objects != theirs.objects, f"no difference any more, though it was {case.meant}"
        return
    builds = theirs.objects is not None if case.known else case.builds
    assert (theirs.objects is not None) == builds, theirs.error or theirs.text
    assert (ours.objects is not None) == builds, ours.error or "it builds here"
    if ours.objects is not None and theirs.objects is not None:
        assert theirs.objects or not case.builds, "the case is empty"
        assert difference(ours.objects, theirs.objects) == ""


def _load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
    return found


def _cases(folder: Path, base: Mapping[str, Any]) -> Iterator[Case]:
    for table in sorted(folder.glob("*.yaml")):
        if table.stem == "shared":
            continue
        content = _load(table)
        for verdict in ("builds", "fails", "differs"):
            for name, given in content.get(verdict, {}).items():
                files = {"kustomization.yaml": given} if isinstance(given, str) else dict(given)
                more = {
                    key: files.pop(key)
                    for key in ("path", "meant", "known", "options")
                    if key in files
                }
                yield Case(
                    family=table.stem, name=name, builds=verdict == "builds",
                    files=_files({**base, **files}), **more,
                )  # fmt: skip


def _files(given: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: _bytes(name, content) for name, content in given.items() if content is not None}


def _bytes(name: str, content: object) -> bytes:
    if isinstance(content, Mapping):
        return _packed(PurePosixPath(name).name.rpartition("-")[0], _files(content))
    return content if isinstance(content, bytes) else str(content).encode()


def _packed(top: str, files: Mapping[str, bytes]) -> bytes:
    """A chart as `helm package` makes it: everything below a folder of its name."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _with_shared(case: Case, shared: Mapping[str, bytes]) -> Case:
    folders = {
        PurePosixPath(n).parent for n in case.files if PurePosixPath(n).name in KUSTOMIZATIONS
    }
    beside = {str(folder / name): data for folder in folders for name, data in shared.items()}
    return replace(case, files={**beside, **case.files})
