from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from distributor.model.changes import Inventory, InventoryEntry, LiveObject
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import Digest, ObjectRef
from distributor.plan import apply_plan, changes, guard, text
from tests.unit.plan.objects import OWNER, entry, inventory, live

GOLDEN = Path(__file__).parents[2] / "golden" / "plan"


def _documents(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    return [d for d in yaml.safe_load_all(file.read_text(encoding="utf-8")) if d]


def _live(data: dict[str, Any], wanted: dict[ObjectRef, Manifest]) -> LiveObject:
    """A live object of the case; ``x-applied: current`` stands for the desired object's digest."""
    body = {k: v for k, v in data.items() if not k.startswith("x-")}
    ref = Manifest.of(body).ref
    applied = wanted[ref].digest if data.get("x-applied") == "current" else Digest("sha256:old")
    owner = data.get("x-owner", OWNER)
    return live(str(ref), uid=f"uid-{ref}", applied=applied, owner=owner, data=body)


def _held(lines: list[str]) -> Inventory:
    entries: list[InventoryEntry] = [entry(line, f"uid-{line}") for line in lines]
    return inventory(*entries)


@pytest.mark.parametrize("case", sorted(p.name for p in GOLDEN.iterdir()))
def test_golden(case: str):
    folder = GOLDEN / case
    desired = ManifestSet.of(Manifest.of(d) for d in _documents(folder / "input/desired.yaml"))
    wanted = {m.ref: m for m in desired}
    there = [_live(d, wanted) for d in _documents(folder / "input/live.yaml")]
    listed = folder / "input/inventory.txt"
    held = _held(listed.read_text(encoding="utf-8").split() if listed.exists() else [])
    found = changes(desired, held, {o.ref: o for o in there}, owner=OWNER, prune={})
    found = guard(found, desired=desired, inventory=held)
    printed = text(found, apply_plan(found, desired))
    expected = folder / "expected/plan.txt"
    if os.environ.get("DISTRIBUTOR_WRITE_GOLDEN"):
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(printed, encoding="utf-8")
    assert printed == expected.read_text(encoding="utf-8")


def test_unchanged_objects_are_listed_on_request():
    desired = ManifestSet.of(
        [Manifest.of({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}})]
    )
    there = {m.ref: live(str(m.ref), applied=m.digest) for m in desired}
    found = changes(desired, None, there, owner=OWNER, prune={})
    assert text(found) == "1 unchanged\n"
    assert text(found, unchanged=True) == "1 unchanged\n  = Service//a\n"
