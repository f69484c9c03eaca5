"""Objects that appear between our look and our apply: judged once more, by whose they are then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from distributor.model.changes import Action, Actuation, LiveObject
from distributor.model.consents import Deed, Permits
from distributor.model.fleet import Cluster, Mode
from distributor.model.hooks import DeclaredHook, Moment
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import ObjectId
from distributor.render.applyset import PART_OF, applyset_id
from distributor.services.targets.reconciling import reconcile_target
from distributor.services.targets.work import Work
from distributor.services.world import World
from distributor.testing.clock import FakeClock
from distributor.testing.targets import MemoryCluster, MemoryConnections

TARGET = Cluster(name="c1", environment="sit", tier="edge", mode=Mode.PUSH, connection="c1")
OWNER, OTHER = applyset_id("shop"), applyset_id("other")


class AnyLedger:
    def is_ancestor(self, _ancestor: ObjectId, _descendant: ObjectId) -> bool:
        return True


def manifest(kind: str, name: str, owner: str = OWNER, **data: str) -> Manifest:
    metadata: dict[str, object] = {"name": name}
    if kind != "Namespace":
        metadata["namespace"] = "shop"
    if owner:
        metadata["labels"] = {PART_OF: owner}
    return Manifest.of({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data})


WANTED, PLACE = manifest("ConfigMap", "settings", of="shop"), manifest("Namespace", "shop")


@pytest.fixture
def memory() -> MemoryCluster:
    return MemoryCluster(name="c1")


@pytest.fixture
def world(memory: MemoryCluster) -> World:
    parts = dict.fromkeys(f.name for f in fields(World))
    parts["objects"] = AnyLedger()
    parts["connections"] = MemoryConnections({"c1": memory})
    parts["clock"] = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    return World(**parts)


def work(*desired: Manifest, **parts: object) -> Work:
    return Work(
        environment="sit",
        instance="shop",
        cluster=TARGET,
        sequence=1,
        ledger_commit=ObjectId("a" * 40),
        revision="shop 1.0.0",
        desired=ManifestSet.of(desired),
        owner=OWNER,
        **parts,
    )


def put(memory: MemoryCluster, made: Manifest) -> None:
    labels = made.data()["metadata"].get("labels") or {}
    memory.objects[made.ref] = LiveObject(
        ref=made.ref,
        api_version=made.api_version,
        uid="uid-theirs",
        applied=made.digest,
        owner=labels.get(PART_OF, ""),
        data=made.data(),
    )


def once(memory: MemoryCluster, made: Manifest) -> Callable[[str], None]:
    """Somebody makes an object when our first apply is on its way."""

    def fail(step: str) -> None:
        if step == "apply shop" and memory.calls.count(step) == 1:
            put(memory, made)

    return fail


async def test_what_another_instance_made_is_left_to_it_at_once(world, memory):
    theirs = manifest("ConfigMap", "settings", OTHER, of="other")
    memory.fail = once(memory, theirs)
    report = await reconcile_target(world, work(WANTED, manifest("ConfigMap", "own")))
    assert report.actuation is Actuation.FAILED
    assert [f.code for f in report.findings] == ["DST410"]
    assert memory.objects[WANTED.ref].data == theirs.data()
    assert len(memory.objects) == 2  # the neighbour is there


async def test_what_we_made_ourselves_is_not_written_again(world, memory):
    """The answer to an apply was lost on its way, and it was sent once more."""
    memory.fail = once(memory, WANTED)
    report = await reconcile_target(world, work(WANTED))
    assert (report.actuation, report.findings) == (Actuation.APPLIED, ())
    outcomes = [(o.action, o.uid) for o in report.outcomes]
    assert outcomes == [(Action.UNCHANGED, "uid-theirs")]


async def test_what_is_nobodys_is_asked_about_and_adopted_once_people_agree(world, memory):
    memory.fail = once(memory, manifest("ConfigMap", "settings", "", of="a person"))
    report = await reconcile_target(world, work(WANTED))
    assert [f.code for f in report.findings] == ["DST430"]
    assert [q.deed for q in report.questions] == [Deed.ADOPT]
    del memory.objects[WANTED.ref]
    memory.calls.clear()
    agreed = work(WANTED, permits=Permits.of(report.questions))
    report = await reconcile_target(world, replace(agreed, sequence=2))
    assert report.actuation is Actuation.APPLIED
    assert memory.objects[WANTED.ref].owner == OWNER


async def test_a_namespace_that_another_made_is_used_and_its_members_go_on(world, memory):
    for theirs, code in ((OTHER, "DST410"), ("", "DST431")):
        memory.objects.clear()
        memory.inventories.clear()
        memory.calls.clear()
        memory.fail = once(memory, manifest("Namespace", "shop", theirs))
        report = await reconcile_target(world, work(PLACE, WANTED))
        assert [f.code for f in report.findings] == [code]
        assert memory.objects[PLACE.ref].owner == theirs
        assert memory.objects[WANTED.ref].owner == OWNER


async def test_what_is_never_there_when_it_is_looked_for_is_made_in_the_end(world, memory):
    """So would it be with a server that refuses the condition itself."""

    def fail(step: str) -> None:
        if step == "apply shop":
            put(memory, manifest("ConfigMap", "settings", OTHER))
        else:
            memory.objects.clear()

    memory.fail = fail
    report = await reconcile_target(world, work(WANTED))
    assert report.actuation is Actuation.APPLIED
    assert [o.action for o in report.outcomes] == [Action.CONFIGURED]
    assert memory.calls.count("apply shop") == 3


async def test_a_hook_that_another_instance_made_is_not_run(world, memory):
    theirs = manifest("ConfigMap", "settings", OTHER, of="other")
    memory.fail = once(memory, theirs)
    hook = DeclaredHook(ref=WANTED.ref, moment=Moment.PRE)
    report = await reconcile_target(world, work(WANTED, hooks=(hook,)))
    assert [f.code for f in report.findings] == ["DST410"]
    assert memory.objects[WANTED.ref].data == theirs.data()
