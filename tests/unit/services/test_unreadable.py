"""Objects that cannot be read: told and left alone, while everything else goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.errors.cluster import ClusterUnreachable, ServerFault, Throttled, Unauthorised
from distributor.model.changes import Action, Actuation, Change
from distributor.model.fleet import DriftMode
from distributor.model.health import HealthStatus
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import ObjectRef
from distributor.services.targets.reconciling import plan_target, reconcile_target
from tests.unit.services.test_reconciling import manifest, memory, removal, work, world

__all__ = ["memory", "world"]

SETTINGS, WEB = manifest("ConfigMap", "settings"), manifest("Deployment", "web", "apps/v1")
BOTH = ManifestSet.of((SETTINGS, WEB))


def changed(one: Manifest, **notes: str) -> Manifest:
    """The same object with other content."""
    body = one.data()
    metadata = {**body["metadata"], "annotations": notes}
    return Manifest.of({**body, "metadata": metadata})


def actions(changes: tuple[Change, ...]) -> dict[ObjectRef, Action]:
    return {c.ref: c.action for c in changes}


@pytest.mark.parametrize("error", [ServerFault("webhook"), Unauthorised("forbidden")])
async def test_the_others_go_on_and_it_is_told(world, memory, error):
    await reconcile_target(world, work(5, BOTH))
    kept = memory.objects[SETTINGS.ref]
    memory.unreadable[SETTINGS.ref] = error
    desired = ManifestSet.of((changed(SETTINGS, v="2"), changed(WEB, v="2")))
    planned = await plan_target(world, work(6, desired))
    assert actions(planned.changes) == {
        SETTINGS.ref: Action.SKIPPED,
        WEB.ref: Action.CONFIGURED,
    }
    report = await reconcile_target(world, work(6, desired))
    assert report.actuation is Actuation.FAILED
    assert {o.ref: o.action for o in report.outcomes} == {WEB.ref: Action.CONFIGURED}
    (told,) = report.findings
    assert told in planned.findings
    assert (told.code, told.where.file) == (error.code, str(SETTINGS.ref))
    assert told.remedy
    status = {h.ref: h.status for h in report.health}
    assert status[SETTINGS.ref] is HealthStatus.UNKNOWN
    assert memory.objects[SETTINGS.ref] == kept
    assert memory.inventories["shop"].entries.keys() == BOTH.refs()
    memory.unreadable.clear()
    report = await reconcile_target(world, work(6, desired))
    assert (report.actuation, report.findings) == (Actuation.APPLIED, ())


async def test_it_is_neither_pruned_nor_forgotten(world, memory):
    await reconcile_target(world, work(5, BOTH))
    memory.unreadable[SETTINGS.ref] = ServerFault("webhook")
    report = await reconcile_target(world, work(6, ManifestSet.of((changed(WEB, v="2"),))))
    assert [f.code for f in report.findings] == [ServerFault.code]
    assert {o.ref: o.action for o in report.outcomes} == {WEB.ref: Action.CONFIGURED}
    assert memory.objects.keys() == memory.inventories["shop"].entries.keys() == BOTH.refs()


async def test_a_removal_takes_what_it_can_and_keeps_the_rest_in_mind(world, memory):
    await reconcile_target(world, work(5, BOTH))
    memory.unreadable[SETTINGS.ref] = ServerFault("webhook")
    report = await reconcile_target(world, removal())
    assert report.actuation is Actuation.FAILED
    assert memory.objects.keys() == memory.inventories["shop"].entries.keys() == {SETTINGS.ref}


async def test_a_removal_without_an_inventory_is_not_done_while_nobody_can_tell(world, memory):
    memory.unreadable[SETTINGS.ref] = ServerFault("webhook")
    report = await reconcile_target(world, removal())
    assert report.actuation is Actuation.FAILED
    assert [f.code for f in report.findings] == [ServerFault.code]


async def test_what_depends_on_it_is_skipped_with_the_reason(world, memory):
    memory.unreadable[SETTINGS.ref] = ServerFault("webhook")
    asks = {"config.kubernetes.io/depends-on": "/namespaces/shop/ConfigMap/settings"}
    needs, free = changed(WEB, **asks), manifest("Secret", "free")
    report = await reconcile_target(world, work(5, ManifestSet.of((SETTINGS, needs, free))))
    assert memory.objects.keys() == {free.ref}
    (skipped,) = [o for o in report.outcomes if o.ref == needs.ref]
    assert skipped.error is not None
    assert f"it needs {SETTINGS.ref}" in skipped.error.message


@pytest.mark.parametrize("drift", list(DriftMode))
async def test_a_settled_target_tells_it_in_every_mode_of_drift(world, memory, drift):
    await reconcile_target(world, work(5, BOTH, drift=drift))
    memory.unreadable[SETTINGS.ref] = ServerFault("webhook")
    report = await reconcile_target(world, work(5, BOTH, drift=drift))
    assert report.actuation is Actuation.FAILED
    assert ServerFault.code in [f.code for f in report.findings]
    assert not report.outcomes
    assert not report.drift
    assert {h.status for h in report.health if h.ref == SETTINGS.ref} == {HealthStatus.UNKNOWN}


@pytest.mark.parametrize(
    ("error", "actuation"),
    [
        (ClusterUnreachable("gone"), Actuation.UNREACHABLE),
        (Throttled("slow"), Actuation.FAILED),
    ],
)
async def test_what_was_written_stays_told_where_the_look_afterwards_fails(
    world, memory, error, actuation
):
    def lost(step: str) -> None:
        if step == "read_live" and BOTH.refs() <= memory.objects.keys():
            raise error

    memory.fail = lost
    report = await reconcile_target(world, work(5, BOTH))
    assert report.actuation is actuation
    assert {o.ref: o.action for o in report.outcomes} == dict.fromkeys(BOTH.refs(), Action.CREATED)
    assert report.findings[0].code == error.code


async def test_a_cluster_that_cannot_be_reached_is_unreachable(world, memory):
    await reconcile_target(world, work(5, BOTH))

    def lost(step: str) -> None:
        raise ClusterUnreachable(step)

    memory.fail = lost
    report = await reconcile_target(world, replace(work(6, BOTH), revision="shop 2"))
    assert (report.actuation, report.outcomes) == (Actuation.UNREACHABLE, ())
