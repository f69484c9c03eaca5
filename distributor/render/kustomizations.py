"""Kustomizations taken apart: the entries of one in the order in which kustomize performs them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from distributor.model.manifest import canonical

FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
NAMING = ("namePrefix", "nameSuffix", "namespace")
"""What changes an object's identity: kept in every part, so that an object is found by its name."""

ORDER = (
    "resources", "bases",
    "configMapGenerator", "secretGenerator", "helmCharts", "helmChartInflationGenerator", "generators",
    "components",
    "patchesStrategicMerge", "patches", "commonLabels", "labels", "commonAnnotations",
    "patchesJson6902", "replicas", "images", "replacements", "transformers", "validators", "vars",
)  # fmt: skip
"""kustomize 5.8: ``accumulateTarget`` and ``configureBuiltinTransformers`` of its ``KustTarget``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry; ``index`` is its place in the list, ``None`` where the key holds a mapping."""

    key: str
    index: int | None
    item: Any

    @property
    def place(self) -> str:
        """As people write it: ``patches[1]``."""
        return self.key if self.index is None else f"{self.key}[{self.index}]"

    def path(self) -> str:
        """The file or folder that the entry names; empty where it says all by itself."""
        if isinstance(self.item, str):
            return "" if "\n" in self.item or ":" in self.item else self.item
        named = self.item.get("path") if isinstance(self.item, Mapping) else None
        return named if isinstance(named, str) else ""


class Kustomization:
    """One kustomization of a job's files: read, and written again with some of its entries."""

    def __init__(self, folder: str, file: str, data: dict[str, Any]) -> None:
        self.folder, self.file = folder, file
        self._data = data
        self.entries = tuple(_entries(data))
        self.keys = frozenset(data)
        self.naming = tuple(key for key in NAMING if data.get(key))

    @classmethod
    def read(cls, files: Mapping[str, bytes], folder: str) -> Kustomization | None:
        """The kustomization of a folder; ``None`` where there is none that can be read."""
        for name in FILES:
            file = f"{folder}/{name}" if folder else name
            if file in files:
                data = _load(files[file])
                return cls(folder, file, data) if isinstance(data, dict) else None
        return None

    def with_entries(self, entries: Sequence[Entry], without: str = "") -> bytes:
        """The kustomization with these entries alone, and without one of its other keys."""
        made = {k: v for k, v in self._data.items() if k not in ORDER and k != without}
        for entry in entries:
            if entry.index is None:
                made[entry.key] = entry.item
            else:
                made.setdefault(entry.key, []).append(entry.item)
        return canonical(made)

    def inside(self, path: str) -> str:
        """A path that an entry names, from the top of the job's files."""
        parts = self.folder.split("/") if self.folder else []
        for part in path.split("/"):
            if part == ".." and parts:
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        return "/".join(parts)


def _entries(data: Mapping[str, Any]) -> Iterator[Entry]:
    for key in ORDER:
        value = data.get(key)
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield Entry(key=key, index=index, item=item)
        elif value is not None:
            yield Entry(key=key, index=None, item=value)


class _Loader(yaml.CSafeLoader):
    """Scalars as kustomize's typed fields take them: no dates, and ``yes`` is a word."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith((":timestamp", ":bool"))]
    for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")
)


def _load(data: bytes) -> object:
    try:
        return _Loader(data).get_single_data()
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
