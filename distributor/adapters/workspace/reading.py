"""Reading what a person points at: a kustomization with its bases, a chart, a folder, a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributor.adapters.workspace.trees import work_tree_of
from distributor.catalog.documents import Document, read
from distributor.errors import Where
from distributor.errors.catalog import TooLarge
from distributor.errors.render import OutsideTree
from distributor.errors.service import NotFound, NotReadable

MAX_BYTES = 32 << 20
MAX_FILES = 10_000
MAX_DEPTH = 32
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""The names of a kustomization (kubectl.docs.kubernetes.io), in the order of preference."""
_LONGEST = 1024
_REFERRING = ("resources", "bases", "components", "configurations", "crds", "generators",
              "transformers", "validators")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Files by slash-separated path from a common folder, and in it the folder to render.

    ``top`` is what the first part of each path stands for.
    """

    files: dict[str, bytes]
    path: str
    top: Path


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """A file's bytes; raises ``NotFound``, ``NotReadable``, and ``TooLarge`` before it reads."""
    where = Where(file=str(path))
    try:
        size = path.stat().st_size
        if size > limit:
            raise TooLarge(f"({size} bytes, the limit is {limit})", where=where)
        if not path.is_file():
            raise NotReadable("(it is no plain file)", where=where)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(where=where) from error
    except OSError as error:
        raise NotReadable(f"({error.strerror})", where=where) from error


def read_folder(folder: Path) -> Content:
    """All files below a folder."""
    top = folder.resolve()
    return Content(files=dict(_Reader(top).below(top, "content", 0)), path="content", top=top)


def read_kustomization(folder: Path) -> Content:
    """A kustomization and every folder outside it that it, or what it refers to, is made of.

    Nothing outside the Git work tree is read, if it lies in one. Raises ``OutsideTree``, ``TooLarge``.
    """
    start = folder.resolve()
    roots = _closure(start, work_tree_of(start))
    top = Path(os.path.commonpath(roots))
    reader = _Reader(*roots)
    files: dict[str, bytes] = {}
    for root in roots:
        prefix = _below("content", root.relative_to(top))
        files.update(reader.below(root, prefix, 0))
    return Content(files=files, path=_below("content", start.relative_to(top)), top=top)


def _below(prefix: str, path: Path) -> str:
    return prefix if path == Path() else f"{prefix}/{path.as_posix()}"


def _closure(start: Path, limit: Path | None) -> tuple[Path, ...]:
    """The folders that must be read, none of them below another."""
    seen = {start}
    pending = [start]
    while pending:
        folder = pending.pop()
        for named in _folders(folder):
            if limit is not None and not named.is_relative_to(limit):
                raise OutsideTree(f"({named} is not in {limit})", where=Where(file=str(folder)))
            if named not in seen:
                seen.add(named)
                pending.append(named)
            if len(seen) > MAX_FILES:
                raise TooLarge(f"(more than {MAX_FILES} folders)", where=Where(file=str(start)))
    return tuple(f for f in sorted(seen) if not any(o in f.parents for o in seen))


def _folders(folder: Path) -> Iterator[Path]:
    """The folders that a folder's kustomization refers to; what is wrong with it, the engine tells."""
    file = next((folder / name for name in KUSTOMIZATIONS if (folder / name).is_file()), None)
    if file is None:
        return
    document = read(read_bytes(file), str(file))
    data: Any = document.data if isinstance(document, Document) else None
    for entry in _references(data if isinstance(data, dict) else {}):
        if not isinstance(entry, str) or len(entry) > _LONGEST or not entry.isprintable():
            continue
        named = (folder / entry).resolve()
        if "://" not in entry and named.is_dir():
            yield named


def _references(data: dict[str, Any]) -> Iterator[object]:
    """Everything in a kustomization that may name a folder: bases and their like, the home of charts."""
    for name in _REFERRING:
        entries = data.get(name)
        yield from entries if isinstance(entries, list) else ()
    homes = [data.get("helmGlobals")]
    older = data.get("helmChartInflationGenerator")
    homes += older if isinstance(older, list) else []
    yield from (home.get("chartHome") for home in homes if isinstance(home, dict))


class _Reader:
    """Counts files and bytes over all folders; follows links that stay inside them."""

    def __init__(self, *roots: Path) -> None:
        self._roots = roots
        self._files = self._bytes = 0

    def below(self, folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, bytes]]:
        if depth > MAX_DEPTH:
            raise TooLarge(f"(deeper than {MAX_DEPTH} folders)", where=Where(file=str(folder)))
        try:
            children = sorted(folder.iterdir())
        except OSError as error:
            raise NotReadable(f"({error.strerror})", where=Where(file=str(folder))) from error
        for child in children:
            if child.name == ".git":
                continue
            self._check(child)
            name = f"{prefix}/{child.name}"
            if child.is_dir():
                yield from self.below(child, name, depth + 1)
            elif child.is_file():
                yield name, self._read(child)

    def _check(self, path: Path) -> None:
        if not path.is_symlink():
            return
        target = path.resolve()
        if not any(target.is_relative_to(root) for root in self._roots):
            raise OutsideTree("(a symbolic link)", where=Where(file=str(path)))
        if path.is_relative_to(target):
            raise OutsideTree("(a symbolic link to a folder above)", where=Where(file=str(path)))

    def _read(self, path: Path) -> bytes:
        data = read_bytes(path, MAX_BYTES - self._bytes)
        self._files += 1
        self._bytes += len(data)
        if self._files > MAX_FILES:
            raise TooLarge(f"(more than {MAX_FILES} files)", where=Where(file=str(path)))
        return data
