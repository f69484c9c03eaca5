"""Many objects in one package: the work grows with their number, and not with its square.

Calls of functions are counted, not seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable
from dataclasses import fields
from datetime import UTC, datetime

from distributor.model.changes import Actuation, TargetReport
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.tags import Verb
from distributor.services.targets.reconciling import reconcile_target
from distributor.services.world import World
from distributor.testing.clock import FakeClock
from distributor.testing.targets import MemoryCluster, MemoryConnections
from tests.unit.services.test_reconciling import OWNER, AnyLedger, work

FEW, TIMES = 150, 6
STEPS = ("install", "again", "one more", "prune", "remove")


async def calls(step: Awaitable[TargetReport]) -> int:
    """How many functions it calls, generators that go on counted too."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        report = await step
    finally:
        sys.setprofile(None)
    assert (report.actuation, report.findings) == (Actuation.APPLIED, ())
    return count


def settings(number: int, value: str = "") -> Manifest:
    metadata = {"name": f"c{number}", "namespace": "shop"}
    metadata["labels"] = {"applyset.kubernetes.io/part-of": OWNER}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return Manifest.of({**body, "data": {"value": value or str(number)}})


async def walk(count: int) -> dict[str, int]:
    parts: dict[str, object] = dict.fromkeys(f.name for f in fields(World))
    parts["objects"] = AnyLedger()
    parts["connections"] = MemoryConnections({"c1": MemoryCluster(name="c1")})
    parts["clock"] = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    world = World(**parts)
    many = [settings(number) for number in range(count)]
    changed = [settings(0, "another"), *many[1:]]
    left = changed[: count // 2 + 1]
    works = (
        work(1, ManifestSet.of(many)),
        work(1, ManifestSet.of(many)),
        work(2, ManifestSet.of(changed)),
        work(3, ManifestSet.of(left)),
        work(4, ManifestSet.of(()), removing=True, agreed=frozenset({Verb.CONSENT})),
    )
    return {
        name: await calls(reconcile_target(world, each))
        for name, each in zip(STEPS, works, strict=True)
    }


async def test_the_work_grows_with_their_number():
    few, many = await walk(FEW), await walk(FEW * TIMES)
    steep = {name: many[name] / few[name] for name in STEPS if many[name] > few[name] * TIMES * 1.2}
    assert steep == {}
