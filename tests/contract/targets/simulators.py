"""What k3s and k0s do with a manifests folder, as far as a directory target depends on it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml

Held = set[str]


def identity(document: dict) -> str:
    metadata = document["metadata"]
    return f"{document['kind']}/{metadata.get('namespace', '')}/{metadata['name']}"


def documents(path: Path) -> Held:
    return {identity(d) for d in yaml.safe_load_all(path.read_text()) if d is not None}


class K3s:
    """The deploy controller: an add-on per base name, pruned only when that file is rewritten."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.addons: dict[str, Held] = {}
        self.seen: dict[Path, int] = {}
        self.checksums: dict[str, str] = {}

    def look(self) -> Held:
        for path in sorted(self.folder.rglob("*")):
            if path.is_dir() or path.name.startswith(".") or path.suffix not in {".yaml", ".yml"}:
                continue
            if self.seen.get(path) == path.stat().st_mtime_ns:
                continue
            self._deploy(path)
            self.seen[path] = path.stat().st_mtime_ns
        return self.held()

    def held(self) -> Held:
        return set().union(*self.addons.values()) if self.addons else set()

    def _deploy(self, path: Path) -> None:
        addon = path.name.split(".", 1)[0]
        assert "_" not in addon  # an object's name carries no underscore
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        if self.checksums.get(addon) != checksum:
            self.addons[addon] = documents(path)
            self.checksums[addon] = checksum


class K0s:
    """The stack applier: each folder directly below is a stack, pruned to what its *.yaml hold.

    A stack whose folder vanishes while nothing looks is forgotten, and its objects stay.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stacks: dict[str, Held] = {}

    def look(self) -> Held:
        for stack in sorted(path for path in self.folder.iterdir() if path.is_dir()):
            # Go's glob takes dot-files too.
            files = [path for path in stack.iterdir() if path.name.endswith(".yaml")]
            assert all("inventory" not in path.name for path in stack.iterdir())
            self.stacks[stack.name] = set().union(*map(documents, files)) if files else set()
        return self.held()

    def held(self) -> Held:
        return set().union(*self.stacks.values()) if self.stacks else set()
