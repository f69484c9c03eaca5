"""Who set which field: ``metadata.managedFields`` in its ``FieldsV1`` form.

The form is that of sigs.k8s.io/structured-merge-diff: ``f:name`` a map key, ``k:{...}`` a list entry by
its keys, ``v:...`` a list entry by its value, ``i:n`` by its place, ``.`` the thing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from distributor.plan.lists import Key, key_of

OUR_MANAGER = "distributor"
MAX_DEPTH = 64  # deeper than any API; stops a hostile object

Step = str | int | Key
"""A map key, a place in a list, or the key of a list entry."""
Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Fields by path with their managers; ``known`` is false where the object does not say."""

    known: bool
    owners: Mapping[Path, frozenset[str]]
    keys: Mapping[Path, tuple[str, ...]] = field(default_factory=dict)
    """The lists whose entries are owned one by one, with the names of their keys; one empty name for a set."""

    def holders(self, path: Path) -> frozenset[str]:
        """All managers of the field, or of the nearest thing above it that any owns."""
        ends = range(len(path), 0, -1)
        return next((self.owners[path[:n]] for n in ends if self.owners.get(path[:n])), frozenset())

    def others(self, path: Path, us: str) -> tuple[str, ...]:
        """Managers but ``us`` of the field or of the nearest thing above it, where ``us`` is none."""
        found = self.holders(path)
        return () if us in found else tuple(sorted(found))

    def leaves(self, manager: str) -> tuple[Path, ...]:
        """The fields of one manager that hold no other field of it, in order."""
        ours = {path for path, found in self.owners.items() if manager in found}
        inner = {path[:end] for path in ours for end in range(1, len(path))}
        return tuple(sorted(ours - inner, key=str))


def ownership(live: Mapping[str, Any]) -> Ownership:
    """Read the managed fields of a live object; entries that cannot be read are passed over."""
    metadata = live.get("metadata")
    entries = metadata.get("managedFields") if isinstance(metadata, Mapping) else None
    owners: dict[Path, set[str]] = {}
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, Mapping) or entry.get("subresource") == "status":
            continue
        manager, fields = entry.get("manager"), entry.get("fieldsV1")
        if isinstance(manager, str) and isinstance(fields, Mapping):
            for path in _paths(fields, ()):
                owners.setdefault(path, set()).add(manager)
    return Ownership(
        known=bool(owners),
        owners={path: frozenset(found) for path, found in owners.items()},
        keys=_keys(owners),
    )


def _keys(paths: Iterable[Path]) -> dict[Path, tuple[str, ...]]:
    """How the entries of each list are told apart, as the API server itself does it."""
    return {
        path[:place]: tuple(name for name, _ in step)
        for path in paths
        for place, step in enumerate(path)
        if isinstance(step, tuple)
    }


def _paths(fields: Mapping[str, Any], above: Path) -> Iterator[Path]:
    if len(above) > MAX_DEPTH:
        return
    for name, inner in fields.items():
        step = _step(name)
        if step is None:
            continue
        path = (*above, step)
        if not isinstance(inner, Mapping) or not inner or "." in inner:
            yield path
        if isinstance(inner, Mapping):
            yield from _paths(inner, path)


def _step(name: str) -> Step | None:
    mark, _, rest = name.partition(":")
    if mark == "f":
        return rest
    try:
        if mark == "i":
            return int(rest)
        value = orjson.loads(rest)
    except ValueError:
        return None
    if mark == "k" and isinstance(value, dict):
        return key_of(value, tuple(sorted(value)))
    return (("", value),) if mark == "v" and isinstance(value, str | int) else None
