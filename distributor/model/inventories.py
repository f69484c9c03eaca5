"""Inventories as JSON values: the one written form that every target's adapter keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distributor.errors.cluster import InventoryBroken
from distributor.model.changes import Inventory, InventoryEntry
from distributor.model.refs import Digest, ObjectRef, is_digest

FORMAT = 1
"""Raised when an older program could misread what is written."""

_TEXTS = ("environment", "instance", "cluster", "ledgerCommit", "revision", "applied")
_ROW = 4  # reference, apiVersion, digest, uid


def to_json(inventory: Inventory) -> dict[str, Any]:
    """The inventory without its token, as a JSON object; entries are rows sorted by reference."""
    return {
        "format": FORMAT,
        "environment": inventory.environment,
        "instance": inventory.instance,
        "cluster": inventory.cluster,
        "sequence": inventory.sequence,
        "ledgerCommit": inventory.ledger_commit,
        "revision": inventory.revision,
        "applied": inventory.applied,
        "hooks": dict(sorted(inventory.hooks.items())),
        "entries": [
            [str(e.ref), e.api_version, e.digest, e.uid]
            for e in sorted(inventory.entries.values(), key=lambda e: e.ref)
        ],
    }


def from_json(value: object, *, token: str) -> Inventory:
    """Read ``to_json``'s form back, strictly; raises ``InventoryBroken`` for anything else."""
    if not isinstance(value, Mapping):
        raise InventoryBroken("It is not a JSON object.")
    if value.get("format") != FORMAT:
        raise InventoryBroken(
            f"Its format is {value.get('format')!r}, and this program reads {FORMAT}."
        )
    texts = {name: _text(value, name) for name in _TEXTS}
    sequence = value.get("sequence")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or sequence < 0:
        raise InventoryBroken(f"Its sequence number is {sequence!r}.")
    return Inventory(
        environment=texts["environment"],
        instance=texts["instance"],
        cluster=texts["cluster"],
        sequence=sequence,
        ledger_commit=texts["ledgerCommit"],
        revision=texts["revision"],
        applied=Digest(texts["applied"]),
        entries=_entries(value.get("entries")),
        hooks=_hooks(value.get("hooks")),
        token=token,
    )


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise InventoryBroken(f"Its {name} is {text!r}.")
    return text


def _hooks(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise InventoryBroken("Its hooks are not a JSON object.")
    if not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
        raise InventoryBroken("Its hooks are not texts.")
    return dict(value)


def _entries(value: object) -> dict[ObjectRef, InventoryEntry]:
    if not isinstance(value, list):
        raise InventoryBroken("Its entries are not a list.")
    entries: dict[ObjectRef, InventoryEntry] = {}
    for number, row in enumerate(value):
        entry = _entry(row, number)
        if entry.ref in entries:
            raise InventoryBroken(f"It lists {entry.ref} twice.")
        entries[entry.ref] = entry
    return entries


def _entry(row: object, number: int) -> InventoryEntry:
    if (
        not isinstance(row, list)
        or len(row) != _ROW
        or not all(isinstance(cell, str) for cell in row)
    ):
        raise InventoryBroken(f"Entry {number} is not a row of four texts.")
    name, api_version, digest, uid = row
    if not is_digest(digest):
        raise InventoryBroken(f"Entry {number} has the digest {digest!r}.")
    try:
        ref = ObjectRef.parse(name)
    except ValueError as error:
        raise InventoryBroken(f"Entry {number}: {error}.") from error
    return InventoryEntry(ref=ref, api_version=api_version, digest=Digest(digest), uid=uid)
