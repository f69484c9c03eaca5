"""Observing: health is told of the revision it was seen on, with when, and a Job's end is remembered."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from distributor.adapters.store import SqlStore
from distributor.model.changes import Inventory, InventoryEntry, LiveObject
from distributor.model.fleet import Cluster, Mode
from distributor.model.health import HealthStatus
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import Digest, ObjectId
from distributor.services.targets.observing import observed
from distributor.services.targets.work import Work
from distributor.services.world import World
from distributor.testing.clock import FakeClock

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
COMPLETE = {"startTime": "x", "conditions": [{"type": "Complete", "status": "True"}]}


def manifest(kind: str, version: str = "v1", **body: Any) -> Manifest:
    metadata = {"name": "a", "namespace": "shop"}
    return Manifest.of({"apiVersion": version, "kind": kind, "metadata": metadata, **body})


SETTINGS = manifest("ConfigMap")
JOB = manifest("Job", "batch/v1", spec={"ttlSecondsAfterFinished": 60})


def live(
    of: Manifest, *, applied: str | None = None, uid: str = "u", **more: Any
) -> dict[Any, LiveObject]:
    digest = of.digest if applied is None else Digest(applied)
    found = LiveObject(
        ref=of.ref, api_version=of.api_version, uid=uid, applied=digest, data={**of.data(), **more}
    )
    return {of.ref: found}


@pytest.fixture
async def world(tmp_path):
    parts: dict[str, Any] = dict.fromkeys(f.name for f in fields(World))
    parts["clock"] = FakeClock(BEGIN)
    store = parts["store"] = SqlStore(tmp_path / "db.sqlite")
    await store.open()
    yield World(**parts)
    await store.aclose()


async def look(world: World, desired: Manifest, there: dict[Any, LiveObject], uid: str = "u"):
    target = Cluster(name="c1", environment="sit", tier="edge", mode=Mode.PUSH, connection="c1")
    entry = InventoryEntry(
        ref=desired.ref, api_version=desired.api_version, digest=desired.digest, uid=uid
    )
    inventory = Inventory(
        environment="sit", instance="shop", cluster="c1", entries={desired.ref: entry}
    )
    work = Work(
        environment="sit",
        instance="shop",
        cluster=target,
        sequence=1,
        ledger_commit=ObjectId("a" * 40),
        revision="shop 1.0.0",
        desired=ManifestSet.of([desired]),
        owner="us",
    )
    (found,) = await observed(world, work, inventory, work.desired, there)
    return found


async def test_it_says_when_and_of_which_revision(world):
    found = await look(world, SETTINGS, live(SETTINGS))
    assert found.status is HealthStatus.CURRENT
    assert (found.observed_at, found.revision) == (BEGIN, SETTINGS.digest)


@pytest.mark.parametrize("applied", ["", "sha256:another"])
async def test_what_an_earlier_revision_looks_like_says_nothing_of_this_one(world, applied):
    found = await look(world, SETTINGS, live(SETTINGS, applied=applied))
    assert found.status is HealthStatus.IN_PROGRESS
    assert "not at this revision" in found.message
    assert found.revision == ""


@pytest.mark.parametrize(
    ("applied", "owner", "status"),
    [
        ("", "", HealthStatus.CURRENT),
        ("sha256:another", "", HealthStatus.IN_PROGRESS),
        ("", "another", HealthStatus.IN_PROGRESS),
    ],
)
async def test_a_namespace_of_nobodys_is_used_as_it_is_and_nothing_waits_for_it(
    world, applied, owner, status
):
    place = manifest("Namespace", status={"phase": "Active"})
    there = live(place, applied=applied)
    found = await look(world, place, {place.ref: replace(there[place.ref], owner=owner)})
    assert found.status is status


async def test_what_is_being_deleted_is_told_as_that(world):
    metadata = {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    found = await look(world, SETTINGS, live(SETTINGS, applied="", metadata=metadata))
    assert found.status is HealthStatus.TERMINATING


async def test_what_is_missing_says_when_it_was_looked_for(world):
    found = await look(world, SETTINGS, {})
    assert (found.status, found.observed_at) == (HealthStatus.NOT_FOUND, BEGIN)


async def test_a_job_that_goes_by_itself_is_waited_for(world):
    found = await look(world, JOB, live(JOB, status={"startTime": "x", "active": 1}))
    assert found.status is HealthStatus.IN_PROGRESS
    suspended = manifest("Job", "batch/v1", spec={"ttlSecondsAfterFinished": 1, "suspend": True})
    status = {"conditions": [{"type": "Suspended", "status": "True"}]}
    found = await look(world, suspended, live(suspended, status=status))
    assert found.status is HealthStatus.CURRENT


async def test_a_job_whose_end_was_seen_is_remembered_when_it_is_gone(world):
    await look(world, JOB, live(JOB, status=COMPLETE))
    await world.clock.advance(300)
    for _ in range(2):
        found = await look(world, JOB, {})
        assert found.status is HealthStatus.CURRENT
        assert found.message.count("gone after its TTL") == 1
        assert found.observed_at == BEGIN, "the end was seen then, and never since"


async def test_the_end_of_another_revision_is_none_of_this_one(world):
    await look(world, JOB, live(JOB, status=COMPLETE))
    other = manifest("Job", "batch/v1", spec={"ttlSecondsAfterFinished": 61})
    assert (await look(world, other, {})).status is HealthStatus.UNKNOWN


async def test_an_end_that_nobody_saw_is_unknown(world):
    await look(world, JOB, live(JOB, status={"startTime": "x", "active": 1}))
    assert (await look(world, JOB, {})).status is HealthStatus.UNKNOWN
    await look(world, JOB, live(JOB, status=COMPLETE))
    await world.store.clear()
    assert (await look(world, JOB, {})).status is HealthStatus.UNKNOWN


async def test_a_job_made_anew_is_not_taken_for_the_one_that_ended(world):
    await look(world, JOB, live(JOB, status=COMPLETE))
    at_work = live(JOB, uid="second", status={"startTime": "y", "active": 1})
    assert (await look(world, JOB, at_work, "second")).status is HealthStatus.IN_PROGRESS
    assert (await look(world, JOB, {}, "second")).status is HealthStatus.UNKNOWN


async def test_only_ends_that_the_inventory_knows_are_kept(world):
    for uid in ("first", "second", "third"):
        await look(world, JOB, live(JOB, uid=uid, status=COMPLETE), uid)
    kept = await world.store.get("jobs.ended sit/shop/c1")
    assert set(json.loads(kept)) == {"third"}
