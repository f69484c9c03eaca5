"""The schemas that the package ``kubernetes-validate`` ships: one folder a minor, one file a kind.

A file refers to the definitions of its minor (1.5 MB of JSON); what comes out here is one schema that
holds just the definitions it reaches, without descriptions, so that nothing else stays in memory.
"""

from __future__ import annotations

import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from distributor.model.package import GroupVersionKind

_FOLDER = re.compile(r"v1\.(\d+)\.\d+-local-strict")
_MINOR = re.compile(r"v?1\.(\d+)(?:[.+-].*)?")
_DEFINITIONS = "#/$defs/"
_KIND = re.compile(r"[A-Za-z0-9]+")


class ShippedSchemas:
    """Finds schemas on disk; nothing is read before it is asked for."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("kubernetes_validate")  # found, not imported: it is heavy
        places = spec.submodule_search_locations if spec is not None else None
        root = Path(next(iter(places or ())), "kubernetes-json-schema")
        self._folders = {
            int(match[1]): folder
            for folder in sorted(root.iterdir())
            if (match := _FOLDER.fullmatch(folder.name))
        }

    def minor(self, kubernetes: str) -> int:
        """The shipped minor nearest to a version such as ``1.33``; the newest for an empty one.

        Raises ``ValueError`` for what is no Kubernetes version.
        """
        if not kubernetes:
            return max(self._folders)
        match = _MINOR.fullmatch(kubernetes)
        if match is None:
            msg = f"{kubernetes[:40]!r} is not a Kubernetes version such as 1.33"
            raise ValueError(msg)
        wanted = int(match[1])
        return min(self._folders, key=lambda minor: (abs(minor - wanted), -minor))

    def find(self, kind: GroupVersionKind, minor: int) -> dict[str, Any] | None:
        """The schema of a kind, complete in itself; ``None`` where that minor has none."""
        folder = self._folders[minor]
        if not _KIND.fullmatch(kind.kind):
            return None
        # Files are named after the group's first label alone, so the file may be of another group.
        group = kind.group.partition(".")[0]
        name = "-".join(part for part in (kind.kind.lower(), group, kind.version) if part)
        file = folder / f"{name}.json"
        if "/" in name or not file.is_file():
            return None
        schema: dict[str, Any] = orjson.loads(file.read_bytes())
        return _bundle(schema, folder) if _is_of(schema, kind) else None


def _is_of(schema: dict[str, Any], kind: GroupVersionKind) -> bool:
    """Whether the file is of this very kind, and a kind at all (parts of kinds have files too)."""
    version = f"{kind.group}/{kind.version}" if kind.group else kind.version
    properties = schema.get("properties", {})
    said = [properties.get(name, {}).get("enum") for name in ("apiVersion", "kind")]
    return said == [[version], [kind.kind]]


@lru_cache(maxsize=1)
def _definitions(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((folder / "_definitions.json").read_bytes())["$defs"]
    return found


def _bundle(schema: dict[str, Any], folder: Path) -> dict[str, Any]:
    definitions = _definitions(folder)
    reached: dict[str, Any] = {}
    bundled = _localise(schema, reached)
    pending = list(reached)
    while pending:
        name = pending.pop()
        found: dict[str, Any] = {}
        reached[name] = _localise(definitions[name], found)
        pending += [other for other in found if other not in reached]
        reached = {**found, **reached}
    return {**bundled, "$defs": reached}


def _localise(node: Any, reached: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value, and one of its kind back
    """The node with references turned inwards; names each definition it needs in ``reached``."""
    if isinstance(node, list):
        return [_localise(item, reached) for item in node]
    if not isinstance(node, dict):
        return node
    written: dict[str, Any] = {}
    for key, value in node.items():
        if key == "$ref" and isinstance(value, str):
            name = value.rpartition(_DEFINITIONS)[2]
            reached.setdefault(name, None)
            written[key] = _DEFINITIONS + name
        elif key != "description" or not isinstance(value, str):  # a property may have that name
            written[key] = _localise(value, reached)
    return written
