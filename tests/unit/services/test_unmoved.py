"""Targets that a watch vouches for are not asked; whatever it cannot vouch for is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from distributor.model.changes import Action, Actuation, Outcome, TargetReport
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import Cluster, Mode
from distributor.model.health import HealthStatus, ObjectHealth
from distributor.model.promotion import Verdict
from distributor.model.refs import GroupKind, ObjectRef
from distributor.model.stored import StoredTarget
from distributor.model.tags import Verb
from distributor.services.rollouts.unmoved import Place, Unmoved, place_of
from distributor.services.world import World
from distributor.testing.clock import FakeClock

ONE = Cluster(name="one", environment="sit", tier="edge", mode=Mode.PUSH, connection="c1")
WEB = ObjectRef("apps", "Deployment", "shop", "web")
PLACE = ("sit", "shop", "one")
START = datetime(2026, 3, 1, tzinfo=UTC)


FAILED = ObjectHealth(ref=WEB, api_version="apps/v1", status=HealthStatus.FAILED)


class FakeWatch:
    """Gives the mark that it was told to."""

    def __init__(self) -> None:
        self.now = "m1"
        self.asked: list[tuple[str, str, Collection[GroupKind]]] = []

    async def mark(self, cluster: Cluster, instance: str, kinds: Collection[GroupKind]) -> str:
        self.asked.append((cluster.name, instance, kinds))
        return self.now


class Rows:
    """The rows of targets alone."""

    def __init__(self) -> None:
        self.rows = {PLACE: row()}

    async def targets(self, *place: str) -> tuple[StoredTarget, ...]:
        return tuple(r for p, r in self.rows.items() if p == place)

    async def note_seen(self, places: Collection[Place], at: str) -> frozenset[Place]:
        seen = frozenset(self.rows.keys() & places)
        self.rows |= {place: replace(self.rows[place], observed_at=at) for place in seen}
        return seen


def row() -> StoredTarget:
    return StoredTarget(
        environment="sit", instance="shop", cluster="one", sequence=5, actuation="applied",
        health="Current", message="", observed_at=START.isoformat(),
    )  # fmt: skip


def report(**parts: object) -> TargetReport:
    found = {
        "environment": "sit", "instance": "shop", "cluster": "one", "sequence": 5,
        "actuation": Actuation.APPLIED, "observed_at": START,
        "health": (ObjectHealth(ref=WEB, api_version="apps/v1", status=HealthStatus.CURRENT),),
    }  # fmt: skip
    return TargetReport(**{**found, **parts})


def verdict(sequence: int = 5) -> Verdict:
    parts = dict.fromkeys(f.name for f in fields(Verdict))
    parts |= {"environment": "sit", "instance": "shop", "sequence": sequence, "verb": Verb.PROMOTE}
    return Verdict(**parts)


@pytest.fixture
def watch() -> FakeWatch:
    return FakeWatch()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def unmoved(watch: FakeWatch, clock: FakeClock) -> Unmoved:
    parts = dict.fromkeys(f.name for f in fields(World))
    parts |= {"watch": watch, "clock": clock, "store": Rows()}
    found = Unmoved(World(**parts))
    found.begin()
    return found


async def look(unmoved: Unmoved, found: TargetReport) -> None:
    """One look that reads, as rollouts do it."""
    unmoved.note(found, ONE, await unmoved.before(verdict(), ONE))


async def still(unmoved: Unmoved, accepted: Verdict, cluster: Cluster) -> bool:
    return place_of(accepted, cluster) in await unmoved.still([(accepted, cluster)])


async def settled(unmoved: Unmoved) -> None:
    """Two looks: the first tells the kinds, the second begins with a mark."""
    await look(unmoved, report())
    await look(unmoved, report())


async def test_a_target_in_step_is_not_asked_while_its_mark_is_the_same(unmoved, watch, clock):
    assert not await still(unmoved, verdict(), ONE)
    await look(unmoved, report())
    assert not await still(unmoved, verdict(), ONE), "that look began without a mark"
    await look(unmoved, report())
    await clock.advance(300)
    assert await still(unmoved, verdict(), ONE)
    (seen,) = await unmoved._world.store.targets(*PLACE)
    assert seen.observed_at == (START + timedelta(seconds=300)).isoformat()
    assert watch.asked[-1] == ("one", "shop", frozenset({WEB.group_kind}))
    watch.now = "m2"
    assert not await still(unmoved, verdict(), ONE)
    watch.now = ""
    assert not await still(unmoved, verdict(), ONE), "the watch is broken"
    watch.now = "m1"
    assert await still(unmoved, verdict(), ONE)


async def test_what_moves_while_a_target_is_read_is_looked_at_again(unmoved, watch):
    await look(unmoved, report())
    before = await unmoved.before(verdict(), ONE)
    watch.now = "m2"
    unmoved.note(report(), ONE, before)
    assert not await still(unmoved, verdict(), ONE)
    assert await unmoved.moved() == {PLACE}


async def test_another_revision_or_other_facts_of_the_cluster_are_looked_at(unmoved):
    await settled(unmoved)
    assert not await still(unmoved, verdict(6), ONE)
    assert not await still(unmoved, verdict(), replace(ONE, labels={"line": "b"}))
    assert await still(unmoved, verdict(), ONE)


async def test_a_watch_is_not_believed_for_ever(unmoved, clock):
    await settled(unmoved)
    await clock.advance(3601)
    assert not await still(unmoved, verdict(), ONE)


async def test_a_restart_goes_on_where_the_last_process_was(unmoved, clock):
    await settled(unmoved)
    kept = unmoved.kept(*PLACE)
    rows = unmoved._world.store.rows
    rows[PLACE] = replace(rows[PLACE], detail=orjson.dumps({"watch": kept}).decode())
    await clock.advance(60)
    again = Unmoved(unmoved._world)
    assert not await still(again, verdict(), ONE), "it has not begun"
    again.begin()
    other = replace(ONE, file_digest="sha256:other")
    assert not await still(again, verdict(), other)
    assert not await still(again, verdict(6), ONE)
    assert await still(again, verdict(), ONE)
    assert await again.moved() == frozenset()
    unmoved._world.watch.now = "m2"
    assert await again.moved() == {PLACE}
    late = Unmoved(unmoved._world)
    late.begin()
    assert not await still(late, verdict(), ONE), "something moved while nobody watched"
    unmoved._world.watch.now = "m1"
    await clock.advance(3600)
    assert not await still(late, verdict(), ONE), "too long ago"


async def test_a_row_that_cannot_be_read_is_looked_at_and_keeps_no_other_from_being_believed(
    unmoved,
):
    await settled(unmoved)
    two = replace(ONE, name="two")
    place = ("sit", "shop", "two")
    broken = replace(row(), cluster="two", detail="no JSON")
    unmoved._world.store.rows[place] = broken
    assert await unmoved.still([(verdict(), two), (verdict(), ONE)]) == {PLACE}
    assert unmoved._world.store.rows[place] == broken


async def test_nothing_is_kept_of_a_target_that_is_not_in_step(unmoved):
    assert unmoved.kept(*PLACE) == {}
    await settled(unmoved)
    await look(unmoved, report(health=(FAILED,)))
    assert unmoved.kept(*PLACE) == {}


async def test_what_the_database_has_lost_is_looked_at(unmoved):
    await settled(unmoved)
    unmoved._world.store.rows.clear()
    assert not await still(unmoved, verdict(), ONE)


WARNED = Finding(code="DST440", message="m", severity=Severity.WARNING)


@pytest.mark.parametrize(
    "parts",
    [
        {"health": (FAILED,)},
        {"findings": (WARNED,)},
        {"drift": ("Service/shop/web: drift",)},
        {"outcomes": (Outcome(ref=WEB, action=Action.CONFIGURED),)},
        {"actuation": Actuation.FAILED},
        {"actuation": Actuation.UNREACHABLE, "health": ()},
        {"delivered": True},
    ],
    ids=lambda parts: next(iter(parts)),
)
async def test_a_target_that_is_not_plainly_in_step_is_looked_at_each_time(unmoved, parts):
    await settled(unmoved)
    await look(unmoved, report(**parts))
    assert not await still(unmoved, verdict(), ONE)


async def test_moved_targets_are_told_once_looked_at_no_more(unmoved, watch):
    assert await unmoved.moved() == frozenset()
    await look(unmoved, report())
    assert await unmoved.moved() == {PLACE}, "it has no mark yet"
    await look(unmoved, report())
    assert await unmoved.moved() == frozenset()
    watch.now = "m2"
    assert await unmoved.moved() == {PLACE}
    await look(unmoved, report(health=(FAILED,)))
    assert await unmoved.moved() == frozenset(), "nothing new to see"
    watch.now = "m3"
    assert await unmoved.moved() == {PLACE}, "it may have recovered"
    watch.now = ""
    assert await unmoved.moved() == frozenset(), "the resync sees to it"


async def test_nothing_is_watched_before_it_begins(watch, clock):
    parts = dict.fromkeys(f.name for f in fields(World)) | {"watch": watch, "clock": clock}
    idle = Unmoved(World(**parts))
    await settled(idle)
    assert not await still(idle, verdict(), ONE)
    assert await idle.moved() == frozenset()
    assert watch.asked == []
    without = Unmoved(World(**{**parts, "watch": None}))
    without.begin()
    await settled(without)
    assert not await still(without, verdict(), ONE)
