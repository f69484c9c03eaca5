"""Reconciling one target: in which order it looks and writes, and who has to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from distributor.errors.cluster import ApiRefused
from distributor.errors.rollout import ClaimHeld
from distributor.metrics import REGISTRY
from distributor.model.changes import Actuation
from distributor.model.findings import Severity
from distributor.model.fleet import Cluster, DriftMode, Mode
from distributor.model.health import HealthRule, HealthStatus
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.package import IgnoreRule
from distributor.model.refs import GroupKind, ObjectId
from distributor.plan import Ignoring
from distributor.render.applyset import PART_OF, applyset_id
from distributor.services.targets.reconciling import reconcile_target
from distributor.services.targets.work import Work
from distributor.services.world import World
from distributor.testing.clock import FakeClock
from distributor.testing.targets import MemoryCluster, MemoryConnections

TARGET = Cluster(name="c1", environment="sit", tier="edge", mode=Mode.PUSH, connection="c1")
OWNER = applyset_id("shop")


class Watch(FakeClock):
    """A clock that can be put forward between two steps."""

    def skip(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class AnyLedger:
    """An object database in which every commit descends from every other."""

    def is_ancestor(self, _ancestor: ObjectId, _descendant: ObjectId) -> bool:
        return True


def manifest(kind: str, name: str, version: str = "v1") -> Manifest:
    return Manifest.of(
        {
            "apiVersion": version,
            "kind": kind,
            "metadata": {"name": name, "namespace": "shop", "labels": {PART_OF: OWNER}},
        }
    )


TWO_GROUPS = ManifestSet.of(
    (manifest("ConfigMap", "settings"), manifest("Deployment", "web", "apps/v1"))
)


@pytest.fixture
def memory() -> MemoryCluster:
    return MemoryCluster(name="c1")


@pytest.fixture
def world(memory: MemoryCluster) -> World:
    parts = dict.fromkeys(f.name for f in fields(World))
    parts["objects"] = AnyLedger()
    parts["connections"] = MemoryConnections({"c1": memory})
    parts["clock"] = Watch(datetime(2026, 3, 1, tzinfo=UTC))
    return World(**parts)


def work(sequence: int = 5, desired: ManifestSet = TWO_GROUPS, **parts: object) -> Work:
    return Work(
        environment="sit",
        instance="shop",
        cluster=TARGET,
        sequence=sequence,
        ledger_commit=ObjectId("a" * 40),
        revision="shop 1.0.0",
        desired=desired,
        owner=OWNER,
        **parts,
    )


def removal(sequence: int = 6) -> Work:
    return work(sequence, ManifestSet.of(()), removing=True, former=TWO_GROUPS)


async def test_the_sequence_number_is_raised_before_anything_is_looked_at(world, memory):
    await reconcile_target(world, work(4, ManifestSet.of(())))
    memory.calls.clear()
    report = await reconcile_target(world, work())
    assert report.actuation is Actuation.APPLIED
    assert memory.calls.index("write_inventory shop") < memory.calls.index("read_live")


async def test_an_install_is_looked_at_once_and_its_inventory_written_once(world, memory):
    """Whether an earlier inventory was lost stands in the first one that is written after it."""
    report = await reconcile_target(world, work())
    assert report.actuation is Actuation.APPLIED
    assert memory.calls[:3] == ["read_inventory shop", "read_live", "write_inventory shop"]
    assert memory.calls.count("write_inventory shop") == 1


async def test_a_settled_target_is_never_written(world, memory):
    await reconcile_target(world, work())
    memory.calls.clear()
    asked: list[str] = []

    async def before_write() -> None:
        asked.append("asked")

    report = await reconcile_target(world, work(), before_write)
    assert report.actuation is Actuation.APPLIED
    assert memory.calls == ["read_inventory shop", "read_live"]
    assert not asked


async def test_a_worker_that_wakes_late_stops_before_the_next_group(world, memory):
    """While it was asleep in the middle of a phase, a newer verdict began on the target."""
    memory.fail = overtaken(world, memory, "apply")
    report = await reconcile_target(world, work())
    assert report.actuation is Actuation.FENCED
    assert [ref.kind for ref in memory.objects] == ["ConfigMap"]
    assert memory.inventories["shop"].sequence == 9


async def test_a_worker_that_wakes_late_after_its_last_group_takes_back_what_nobody_knows(
    world, memory
):
    newer = overtaken(world, memory, "apply", at=2)

    def emptied(step: str) -> None:
        newer(step)
        kept = memory.inventories.get("shop")
        if kept is not None and kept.sequence == 9:
            memory.inventories["shop"] = replace(kept, entries={})

    memory.fail = emptied
    report = await reconcile_target(world, work())
    assert report.actuation is Actuation.FENCED
    assert not memory.objects


async def test_the_sequence_number_is_read_again_before_each_phase(world, memory):
    """However little time went by since it was read last."""
    memory.fail = overtaken(world, memory, "apply", seconds=0)
    first, second = TWO_GROUPS
    later = {**second.data()["metadata"], "annotations": {"distributor.dev/phase": "2"}}
    phased = ManifestSet.of((first, Manifest.of({**second.data(), "metadata": later})))
    memory.statuses[first.ref] = {}
    report = await reconcile_target(world, work(desired=phased))
    assert report.actuation is Actuation.FENCED
    assert [ref.kind for ref in memory.objects] == ["ConfigMap"]


async def test_within_a_phase_the_sequence_number_is_believed_for_a_moment(world, memory):
    report = await reconcile_target(world, work())
    assert report.actuation is Actuation.APPLIED
    assert memory.calls.count("apply shop") == 2
    assert memory.calls.count("read_inventory shop") == 2, "at the beginning, and after the last"


@pytest.mark.parametrize("seconds", [10, 1])
async def test_whoever_slept_in_its_last_group_takes_back_what_the_newer_one_does_not_know(
    world, memory, seconds
):
    newer = overtaken(world, memory, "apply", at=2, seconds=seconds)

    def emptied(step: str) -> None:
        newer(step)
        kept = memory.inventories.get("shop")
        if kept is not None and kept.sequence == 9:
            memory.inventories["shop"] = replace(kept, entries={})

    memory.fail = emptied
    report = await reconcile_target(world, work())
    assert (report.actuation, list(memory.objects)) == (Actuation.FENCED, [])


def overtaken(
    world: World, memory: MemoryCluster, step: str, *, at: int = 1, seconds: float = 10
) -> Callable[[str], None]:
    """A newer verdict begins at the n-th such step, while the worker sleeps for so long."""
    met = 0

    def called(name: str) -> None:
        nonlocal met
        met += name.startswith(step)
        if name.startswith(step) and met == at:
            memory.inventories["shop"] = replace(memory.inventories["shop"], sequence=9)
            world.clock.skip(seconds)

    return called


async def test_what_an_apply_tells_is_not_read_again(world, memory):
    """A ConfigMap is current once it is there; a Deployment has to be looked at."""
    settings = ManifestSet.of((manifest("ConfigMap", "settings"),))
    report = await reconcile_target(world, work(desired=settings))
    assert [h.status for h in report.health] == [HealthStatus.CURRENT]
    assert memory.calls.count("read_live") == 1, "before it was applied"
    report = await reconcile_target(world, work(6))
    assert {h.ref.kind: h.status for h in report.health} == {
        "ConfigMap": HealthStatus.CURRENT,
        "Deployment": HealthStatus.IN_PROGRESS,
    }
    assert memory.calls[-1] == "read_live"


async def test_a_rule_of_the_package_looks_at_all_of_an_object(world, memory):
    desired = ManifestSet.of((manifest("ConfigMap", "settings"),))
    rule = HealthRule(when="object.data.ready == 'yes'", status=HealthStatus.CURRENT)
    asked = work(desired=desired, health={GroupKind("", "ConfigMap"): (rule,)})
    report = await reconcile_target(world, asked)
    assert [h.status for h in report.health] == [HealthStatus.IN_PROGRESS]
    assert memory.calls[-1] == "read_live"


async def test_nothing_is_written_where_the_claim_is_anothers(world, memory):
    async def before_write() -> None:
        raise ClaimHeld("(somebody)")

    with pytest.raises(ClaimHeld):
        await reconcile_target(world, work(), before_write)
    assert not memory.objects
    assert not memory.inventories


async def test_a_removal_ends_with_nothing_left(world, memory):
    await reconcile_target(world, work())
    report = await reconcile_target(world, removal())
    assert report.actuation is Actuation.APPLIED
    assert not memory.objects
    again = await reconcile_target(world, removal())
    assert again.actuation is Actuation.APPLIED


async def test_a_removal_where_nothing_ever_was_is_done(world, memory):
    report = await reconcile_target(world, removal())
    assert report.actuation is Actuation.APPLIED
    assert not memory.inventories


async def test_a_removal_without_its_inventory_is_no_success(world, memory):
    """Somebody deleted the inventory: what it named is still there, and that is said."""
    await reconcile_target(world, work())
    del memory.inventories["shop"]
    report = await reconcile_target(world, removal())
    assert report.actuation is Actuation.FAILED
    assert [f.code for f in report.findings] == ["DST412"]
    assert "ConfigMap/shop/settings" in report.findings[0].message
    assert len(memory.objects) == 2


async def test_others_objects_of_the_same_names_do_not_hold_a_removal_up(world, memory):
    await reconcile_target(world, work())
    del memory.inventories["shop"]
    for ref, live in tuple(memory.objects.items()):
        memory.objects[ref] = replace(live, owner="somebody-else")
    assert (await reconcile_target(world, removal())).actuation is Actuation.APPLIED


async def test_what_another_holds_stands_in_the_way_once_and_then_never_again(world, memory):
    """A revision that wants another instance's object fails; going back, or away, is not held up by it."""
    theirs = manifest("Service", "ads")
    taken = ManifestSet.of((*TWO_GROUPS, theirs))
    await reconcile_target(world, work())
    other = replace(
        memory.objects[manifest("ConfigMap", "settings").ref],
        owner="else",
        uid="theirs",
        ref=theirs.ref,
    )
    memory.objects[theirs.ref] = other

    report = await reconcile_target(world, work(6, taken))
    assert report.actuation is Actuation.FAILED
    assert [f.code for f in report.findings] == ["DST410"]

    report = await reconcile_target(world, work(7))
    assert report.actuation is Actuation.APPLIED
    assert theirs.ref not in memory.inventories["shop"].entries

    await reconcile_target(world, work(8, taken))
    report = await reconcile_target(world, removal(9))
    assert report.actuation is Actuation.APPLIED
    assert dict(memory.objects) == {theirs.ref: other}
    assert not memory.inventories["shop"].entries


async def test_how_long_it_took_is_observed(world):
    before = REGISTRY.get_sample_value("distributor_reconcile_seconds_count") or 0
    await reconcile_target(world, work())
    await reconcile_target(world, work())
    assert REGISTRY.get_sample_value("distributor_reconcile_seconds_count") == before + 2


def phased(number: int, kind: str, name: str, version: str = "v1") -> Manifest:
    data = manifest(kind, name, version).data()
    data["metadata"]["annotations"] = {"distributor.dev/phase": str(number)}
    return Manifest.of(data)


PHASES = ManifestSet.of(
    (
        phased(0, "Deployment", "database", "apps/v1"),
        phased(0, "ConfigMap", "settings"),
        phased(1, "Deployment", "web", "apps/v1"),
    )
)
READY = {
    "conditions": [{"type": "Available", "status": "True"}],
    **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1),
}
STUCK = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}  # fmt: skip
DATABASE = phased(0, "Deployment", "database", "apps/v1").ref


async def test_a_phase_waits_until_those_before_it_are_current(world, memory):
    report = await reconcile_target(world, work(desired=PHASES))
    assert report.actuation is Actuation.APPLYING
    assert [h.ref for h in report.health] == [DATABASE]
    assert "phase 1 waits for it" in report.health[0].message
    assert {ref.name for ref in memory.objects} == {"database", "settings"}
    assert memory.inventories["shop"].applied == ""

    memory.statuses[DATABASE] = READY
    report = await reconcile_target(world, work(desired=PHASES))
    assert report.actuation is Actuation.APPLIED
    assert {ref.name for ref in memory.objects} == {"database", "settings", "web"}
    assert memory.inventories["shop"].applied == PHASES.digest


async def test_a_phase_that_cannot_become_current_is_told_as_it_is(world, memory):
    memory.statuses[DATABASE] = STUCK
    report = await reconcile_target(world, work(desired=PHASES))
    assert report.actuation is Actuation.APPLIED
    assert [h.status for h in report.health] == [HealthStatus.FAILED]
    assert {ref.name for ref in memory.objects} == {"database", "settings"}


async def test_what_was_whole_once_is_healed_without_waiting(world, memory):
    memory.statuses[DATABASE] = READY
    await reconcile_target(world, work(desired=PHASES))
    memory.statuses[DATABASE] = STUCK
    (web,) = [ref for ref in memory.objects if ref.name == "web"]
    del memory.objects[web]
    await reconcile_target(world, work(desired=PHASES))
    assert web in memory.objects


WEB = Manifest.of(
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {PART_OF: OWNER}},
        "spec": {"replicas": 2, "paused": True},
    }
)
LEFT_TO_OTHERS = IgnoreRule(kind=WEB.ref.group_kind, fields=("/spec/replicas",))


def edited(memory: MemoryCluster, manifest: Manifest, **spec: object) -> None:
    """Change fields of an object's spec behind our back."""
    found = memory.objects[manifest.ref]
    memory.objects[manifest.ref] = replace(
        found, data={**found.data, "spec": {**found.data["spec"], **spec}}
    )


async def test_an_ignored_field_is_no_drift_and_survives_the_healing_of_others(world, memory):
    asked = work(desired=ManifestSet.of((WEB,)), ignore=Ignoring(rules=(LEFT_TO_OTHERS,)))
    await reconcile_target(world, asked)
    edited(memory, WEB, replicas=7)
    memory.calls.clear()
    await reconcile_target(world, asked)
    assert not [c for c in memory.calls if c.startswith(("apply", "write"))]
    edited(memory, WEB, paused=False)
    await reconcile_target(world, asked)
    assert memory.objects[WEB.ref].data["spec"] == {"replicas": 7, "paused": True}
    memory.calls.clear()
    await reconcile_target(world, asked)
    assert not [c for c in memory.calls if c.startswith(("apply", "write"))], "it settled"


@pytest.mark.parametrize(
    ("mode", "replicas", "code", "told"),
    [
        (DriftMode.HEAL, 2, "", ("apps/Deployment/shop/web: drift: spec.replicas",)),
        (DriftMode.REPORT, 7, "DST440", ("apps/Deployment/shop/web: drift: spec.replicas",)),
        (DriftMode.PAUSE, 7, "DST441", ()),
    ],
)
async def test_what_becomes_of_drift(world, memory, mode, replicas, code, told):
    asked = work(desired=ManifestSet.of((WEB,)), drift=mode)
    await reconcile_target(world, asked)
    edited(memory, WEB, replicas=7)
    memory.calls.clear()
    report = await reconcile_target(world, asked)
    assert memory.objects[WEB.ref].data["spec"]["replicas"] == replicas
    wrote = [c for c in memory.calls if c.startswith(("apply", "write", "delete"))]
    assert bool(wrote) is (mode is DriftMode.HEAL)
    assert report.actuation is Actuation.APPLIED
    assert report.drift == told
    assert [(f.code, f.severity) for f in report.findings] == (
        [(code, Severity.WARNING)] if code else []
    )
    assert report.health, "health is looked at in every mode"


@pytest.mark.parametrize("mode", [DriftMode.REPORT, DriftMode.PAUSE])
async def test_a_new_revision_is_applied_in_every_mode(world, memory, mode):
    await reconcile_target(world, work(desired=ManifestSet.of((WEB,)), drift=mode))
    edited(memory, WEB, replicas=7)
    report = await reconcile_target(
        world, work(sequence=6, desired=ManifestSet.of((WEB,)), drift=mode)
    )
    assert memory.objects[WEB.ref].data["spec"]["replicas"] == 2
    assert [f.code for f in report.findings] == []


async def test_an_object_that_was_deleted_is_reported_and_left(world, memory):
    asked = work(drift=DriftMode.REPORT)
    await reconcile_target(world, asked)
    gone = manifest("ConfigMap", "settings").ref
    del memory.objects[gone]
    report = await reconcile_target(world, asked)
    assert gone not in memory.objects
    assert report.drift == (f"{gone}: was deleted from the target",)
    assert {str(h.ref): h.status for h in report.health}[str(gone)] is HealthStatus.NOT_FOUND


async def test_what_one_object_could_not_do_hides_no_others_health(world, memory):
    """Each is told by itself; the worst of them is what the target is."""
    other = manifest("ConfigMap", "other")
    desired = ManifestSet.of((*TWO_GROUPS, other))
    memory.refuse[other.ref] = ApiRefused("(a field)")
    report = await reconcile_target(world, work(desired=desired))
    assert report.actuation is Actuation.FAILED
    seen = {h.ref.name: (h.status, h.revision != "") for h in report.health}
    assert seen["settings"] == (HealthStatus.CURRENT, True)
    assert seen["other"] == (HealthStatus.NOT_FOUND, False)

    del memory.refuse[other.ref]
    await reconcile_target(world, work(6, desired))
    newer = Manifest.of({**other.data(), "data": {"new": "1"}})
    memory.refuse[other.ref] = ApiRefused("(a field)")
    report = await reconcile_target(world, work(7, ManifestSet.of((*TWO_GROUPS, newer))))
    seen = {h.ref.name: (h.status, h.revision != "") for h in report.health}
    assert seen["other"] == (HealthStatus.IN_PROGRESS, False), "it runs, and not what was asked for"
