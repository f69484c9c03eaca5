"""A plan of a target in step says what a look at it does: with drift that is not healed, nothing."""

from __future__ import annotations

import pytest

from distributor.model.changes import Action
from distributor.model.fleet import DriftMode
from distributor.services.targets.reconciling import plan_target, reconcile_target
from distributor.services.world import World
from distributor.testing.targets import MemoryCluster
from tests.unit.services import test_reconciling as reconciling

memory, world = reconciling.memory, reconciling.world


@pytest.mark.parametrize("mode", list(DriftMode))
async def test_a_plan_writes_what_the_drift_mode_writes(
    world: World, memory: MemoryCluster, mode: DriftMode
) -> None:
    work = reconciling.work(drift=mode)
    await reconcile_target(world, work)
    del memory.objects[next(iter(memory.objects))]
    planned = await plan_target(world, work)
    report = await reconcile_target(world, work)
    writes = planned.of(Action.CREATED, Action.CONFIGURED)
    assert [c.ref for c in writes] == [o.ref for o in report.outcomes]
    assert len(writes) == (mode is DriftMode.HEAL)
    assert {f.code for f in planned.findings} == {f.code for f in report.findings}
