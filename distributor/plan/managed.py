"""Managed fields rewritten: what a claim makes of ``metadata.managedFields``. The form is in ``ownership``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from distributor.model.ownership import Claim, FieldPath
from distributor.plan.ownership import MAX_DEPTH, OUR_MANAGER, Path, ownership

BEFORE_FIRST_APPLY = "before-first-apply"
"""How an API server names whoever wrote an object that had no managed fields: all of it, what controllers
set too. So its fields are let go of, and never become ours."""


def entries_of(live: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The readable entries of an object's managed fields."""
    return tuple(
        entry
        for entry in _written(live)
        if isinstance(entry, Mapping)
        and isinstance(entry.get("manager"), str)
        and isinstance(entry.get("fieldsV1"), Mapping)
        and _is_shallow(entry["fieldsV1"])
    )


def _written(live: Mapping[str, Any]) -> list[Any]:
    metadata = live.get("metadata")
    found = metadata.get("managedFields") if isinstance(metadata, Mapping) else None
    return found if isinstance(found, list) else []


def _is_shallow(fields: Mapping[str, Any]) -> bool:
    level: list[Any] = [fields]
    for _ in range(MAX_DEPTH):
        level = [v for each in level for v in each.values() if isinstance(v, Mapping)]
        if not level:
            return True
    return False


def paths_of(entries: Iterable[Mapping[str, Any]], manager: str) -> frozenset[Path]:
    """The fields of one manager."""
    own = [entry for entry in entries if entry["manager"] == manager]
    return frozenset(ownership({"metadata": {"managedFields": own}}).owners)


def rewritten(live: Mapping[str, Any], claim: Claim, api_version: str) -> list[Any] | None:
    """The managed fields after a claim, or ``None`` where they stay as they are: all of them, if one cannot be read.

    What the taken managers own becomes part of our own apply, as ``kubectl`` itself does when it goes
    from client-side to server-side apply (client-go, util/csaupgrade); entries of sub-resources stay.
    """
    before = [dict(entry) for entry in entries_of(live)]
    if len(before) != len(_written(live)):
        return None
    after = _taken(before, claim, api_version) if claim.takes else before
    if claim.migrates:
        after = [{**entry, "apiVersion": api_version} for entry in after]
    return None if after == before else after


def disowned(live: Mapping[str, Any], managers: Collection[str]) -> list[Any]:
    """The managed fields without those of some managers: the values stay, as nobody's."""
    return [
        e for e in _written(live) if not isinstance(e, Mapping) or e.get("manager") not in managers
    ]


def _taken(entries: list[dict[str, Any]], claim: Claim, api_version: str) -> list[dict[str, Any]]:
    gone = [e for e in entries if e["manager"] in claim.takes and not e.get("subresource")]
    taken = [e for e in gone if e["manager"] != BEFORE_FIRST_APPLY]
    rest = [e for e in entries if e not in gone and not _is_ours(e)]
    own = [e for e in entries if _is_ours(e)]
    if not (own or taken):
        return rest
    merged: dict[str, Any] = {}
    for entry in (*own, *taken):
        merged = _union(merged, entry["fieldsV1"])
    base = own[0] if own else {**taken[0], "manager": OUR_MANAGER, "operation": "Apply"}
    return [{**base, "apiVersion": api_version, "fieldsV1": merged}, *rest]


def _is_ours(entry: Mapping[str, Any]) -> bool:
    return (entry["manager"], entry.get("operation")) == (OUR_MANAGER, "Apply") and not entry.get(
        "subresource"
    )


def _union(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(first)
    for name, inner in second.items():
        here = found.get(name)
        both = isinstance(here, Mapping) and isinstance(inner, Mapping)
        found[name] = _union(here or {}, inner) if both else inner
    return found


def handed_over(live: Mapping[str, Any], paths: Iterable[FieldPath]) -> dict[str, Any]:
    """The live values at these paths as a partial object, empty where none of them is there."""
    found: dict[str, Any] = {}
    for path in paths:
        value: Any = live
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        if value is None:
            continue
        place = found
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = value
    return found
