"""Inventories as JSON values: the one written form that every target's adapter keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distributor.errors.cluster import InventoryBroken
from distributor.model.changes import Inventory, InventoryEntry
from distributor.model.hooks import HookLog, HookResult, HookRun, Moment, Occasion
from distributor.model.refs import Digest, ObjectRef, is_digest

FORMAT = 1
"""Raised when an older program could misread what is written."""

_TEXTS = ("environment", "instance", "cluster", "ledgerCommit", "revision", "applied")
_ROW = 4  # reference, apiVersion, digest, uid
_RUN_ROW = 7  # moment, reference, apiVersion, run, result, uid, message


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
        "hooks": _hooks_json(inventory.hooks),
        **({"recovering": True} if inventory.recovering else {}),
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
    recovering = value.get("recovering", False)
    if not isinstance(recovering, bool):
        raise InventoryBroken(f"Its recovering is {recovering!r}.")
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
        recovering=recovering,
    )


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise InventoryBroken(f"Its {name} is {text!r}.")
    return text


def _hooks_json(log: HookLog) -> dict[str, Any]:
    """The hooks' section; empty where no revision began yet. Runs are rows sorted by name."""
    if log == HookLog():
        return {}
    return {
        "change": log.change,
        "occasion": log.occasion or "",
        "begun": log.begun,
        "runs": [
            [r.moment, str(r.ref), r.api_version, r.run, r.result, r.uid, r.message]
            for _, r in sorted(log.runs.items())
        ],
    }


def _hooks(value: object) -> HookLog:
    if not isinstance(value, Mapping):
        raise InventoryBroken("Its hooks are not a JSON object.")
    if not value:
        return HookLog()
    begun, rows = value.get("begun"), value.get("runs")
    if not isinstance(begun, bool) or not isinstance(rows, list):
        raise InventoryBroken("Its hooks do not say what began, or have no list of runs.")
    occasion = _text(value, "occasion")
    try:
        known = Occasion(occasion) if occasion else None
        runs = [_run(row) for row in rows]
    except ValueError as error:
        raise InventoryBroken(f"Its hooks: {error}.") from error
    if len({run.name for run in runs}) != len(runs):
        raise InventoryBroken("It lists a run of a hook twice.")
    return HookLog(
        change=_text(value, "change"),
        occasion=known,
        begun=begun,
        runs={run.name: run for run in runs},
    )


def _run(row: object) -> HookRun:
    if (
        not isinstance(row, list)
        or len(row) != _RUN_ROW
        or not all(isinstance(cell, str) for cell in row)
    ):
        raise InventoryBroken("A run of a hook is not a row of seven texts.")
    moment, ref, api_version, run, result, uid, message = row
    return HookRun(
        moment=Moment(moment),
        ref=ObjectRef.parse(ref),
        api_version=api_version,
        run=run,
        result=HookResult(result),
        uid=uid,
        message=message,
    )


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
