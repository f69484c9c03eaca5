"""What a target asks people about is still asked when an error ends the reconcile on the way."""

from __future__ import annotations

from distributor.errors.cluster import ClusterUnreachable
from distributor.model.changes import Actuation
from distributor.model.consents import Deed
from distributor.model.manifest import ManifestSet
from distributor.services.targets.reconciling import reconcile_target
from distributor.services.world import World
from distributor.testing.targets import MemoryCluster
from tests.unit.services import test_reconciling as reconciling

memory, world = reconciling.memory, reconciling.world


async def test_what_was_asked_before_an_error_stays_asked(
    world: World, memory: MemoryCluster
) -> None:
    """Else nobody could agree until the next look, whose error may be the same."""
    claim = reconciling.manifest("PersistentVolumeClaim", "disk")
    first = ManifestSet.of((*reconciling.TWO_GROUPS, claim))
    assert (await reconcile_target(world, reconciling.work(desired=first))).outcomes

    def lost(step: str) -> None:
        if step.startswith("apply"):
            raise ClusterUnreachable("It went away.")

    memory.fail = lost
    changed = ManifestSet.of((reconciling.manifest("ConfigMap", "other"),))
    report = await reconcile_target(world, reconciling.work(6, desired=changed))
    assert report.actuation is Actuation.UNREACHABLE
    assert (Deed.DELETE, claim.ref) in {(q.deed, q.ref) for q in report.questions}
