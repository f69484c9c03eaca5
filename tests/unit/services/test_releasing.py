"""What is kept is released where others can take it then, and nowhere else; a crash in between loses nothing."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from distributor.model.changes import Actuation
from distributor.model.package import PrunePolicy
from distributor.model.refs import GroupKind
from distributor.services.targets.work import Work
from tests.unit.services.test_hooking import Shop, ref, thing

BOTH = [thing("ConfigMap", "settings"), thing("ConfigMap", "data")]
KEPT, REST = ref("ConfigMap", "data"), ref("ConfigMap", "settings")


def work(shop: Shop, sequence: int, *, both: bool) -> Work:
    made = shop.work(str(sequence), sequence, BOTH if both else BOTH[:1])
    return replace(made, prune={GroupKind("", "ConfigMap"): PrunePolicy.KEEP})


@pytest.mark.parametrize("delivered_only", [False, True])
async def test_only_where_nothing_takes_away_what_is_not_named(*, delivered_only: bool):
    """Whatever follows a folder deletes what its file has no more."""
    shop = Shop(delivered_only=delivered_only, ordered=not delivered_only)
    await shop.once(work(shop, 1, both=True))
    report = await shop.once(work(shop, 2, both=False))
    assert (report.actuation, report.findings) == (Actuation.APPLIED, ())
    released = shop.memory.objects[KEPT].owner == ""
    forgotten = KEPT not in shop.memory.inventories["shop"].entries
    assert (released, forgotten) == (not delivered_only, not delivered_only)


@pytest.mark.parametrize("stop", range(1, 7))
async def test_a_crash_at_any_step(stop: int):
    shop = Shop()
    await shop.once(work(shop, 1, both=True))
    steps: list[str] = []

    def crash(step: str) -> None:
        steps.append(step)
        if len(steps) == stop:
            raise RuntimeError(step)

    shop.memory.fail = crash
    for _ in range(2):
        with contextlib.suppress(RuntimeError):
            await shop.once(work(shop, 2, both=False))
    assert len(steps) > stop, "it came to that step"
    assert shop.memory.objects[KEPT].owner == ""
    assert shop.memory.inventories["shop"].entries.keys() == {REST}
    assert shop.memory.calls.count("delete shop") == 0
