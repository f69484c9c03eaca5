"""Conflicts to come: fields that a change sets and that another manager holds, as the API server will see them."""

from __future__ import annotations

from collections.abc import Collection

from distributor.model.changes import LiveObject
from distributor.model.manifest import Manifest
from distributor.plan.drift import diff


def conflicts(manifest: Manifest, there: LiveObject, allowed: Collection[str]) -> str:
    """Which managers hold which fields, in words; empty where none does. ``allowed`` managers give way."""
    held: dict[str, list[str]] = {}
    for found in diff(manifest, there.data):
        others = set(found.manager.split(", ")) - set(allowed)
        if others and not found.ours:
            held.setdefault(", ".join(sorted(others)), []).append(found.path)
    return "; ".join(
        f"conflicts with {who} over {', '.join(what)}" for who, what in sorted(held.items())
    )
