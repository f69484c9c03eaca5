"""Fights are told apart by object, field and opponent; what is fought for rests, and nothing else does."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace

import orjson
import pytest

from distributor.errors.service import DatabaseFailed
from distributor.model.changes import Action, Actuation, Outcome, TargetReport
from distributor.model.drift import Contested, DriftedField, ObjectDrift, Standing, contested
from distributor.model.findings import Finding
from distributor.model.refs import ObjectRef
from distributor.model.stored import StoredTarget
from distributor.model.tags import Verb
from distributor.plan import as_kept
from distributor.services.rollouts.fights import Fights
from distributor.services.world import World
from distributor.testing.clock import FakeClock
from tests.unit.services.test_unmoved import PLACE, START, Rows, report, verdict

WEB = ObjectRef("apps", "Deployment", "shop", "web")
SETTINGS = ObjectRef("", "ConfigMap", "shop", "settings")
REPLICAS = DriftedField(path="spec.replicas", pointer="/spec/replicas", manager="keeper")
IMAGE = DriftedField(path="spec.image", pointer="/spec/image", manager="mirror")


class Told:
    """Events in the place of a journal."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def tell(self, kind: str, message: str, **place: str) -> None:
        assert kind == "fight"
        assert tuple(place.values()) == PLACE
        self.lines.append(message)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def world(clock: FakeClock) -> World:
    parts = dict.fromkeys(f.name for f in fields(World)) | {"clock": clock, "store": Rows()}
    return World(**parts)


@pytest.fixture
def fights(world: World, told: Told) -> Fights:
    found = Fights(world, told)
    found.begin()
    return found


def drifted(
    ref: ObjectRef = WEB, *found: DriftedField, standing: Standing = Standing.HEALED
) -> ObjectDrift:
    return ObjectDrift(ref=ref, told="drift", standing=standing, fields=found)


def healed(*drifts: ObjectDrift, action: Action = Action.CONFIGURED) -> TargetReport:
    outcomes = tuple(Outcome(ref=d.ref, action=action) for d in drifts)
    return report(drifted=drifts, outcomes=outcomes)


def key(field: DriftedField, ref: ObjectRef = WEB) -> Contested:
    return Contested(ref=ref, pointer=field.pointer, opponent=field.manager)


async def heal(fights: Fights, *drifts: ObjectDrift, times: int = 1) -> TargetReport:
    found = report()
    for _ in range(times):
        found = await fights.note(healed(*drifts), verdict())
    return found


async def test_three_unrelated_heals_are_no_fight(fights, told):
    await heal(fights, drifted(WEB, REPLICAS))
    await heal(fights, drifted(WEB, IMAGE))
    await heal(fights, drifted(SETTINGS, REPLICAS))
    found = await heal(fights, drifted(WEB, replace(REPLICAS, manager="another")))
    assert found.findings == ()
    assert told.lines == []
    assert await fights.resting(PLACE) == frozenset()


async def test_the_third_heal_of_one_field_is_a_fight_that_says_all_there_is(fights, told):
    assert (await heal(fights, drifted(WEB, REPLICAS), times=2)).findings == ()
    found = await heal(fights, drifted(WEB, REPLICAS, IMAGE))
    (finding,) = found.findings
    assert finding.code == "DST443"
    for part in ("spec.replicas", str(WEB), "3 times", "keeper", "2026-03-01T00:00:10+00:00"):
        assert part in finding.message
    rule = (
        '{"group":"apps","kind":"Deployment","name":"web",'
        '"fields":["/spec/replicas"],"managers":["keeper"]}'
    )
    assert rule in finding.remedy
    (line,) = told.lines
    assert "spec.replicas" in line
    assert rule in line
    assert await fights.resting(PLACE) == {key(REPLICAS)}


async def test_it_is_told_once_while_it_goes_on(fights, told):
    found = await heal(fights, drifted(WEB, REPLICAS), times=6)
    assert len(told.lines) == 1
    assert "6 times" in found.findings[0].message


async def test_it_is_fought_less_and_less_often(fights, clock):
    """Somebody rewrites the field at once each time that it was healed."""
    times = []
    for second in range(1300):
        if await fights.resting(PLACE):
            await fights.note(report(drifted=(drifted(WEB, REPLICAS, standing=Standing.RESTING),)), verdict())  # fmt: skip
        else:
            await heal(fights, drifted(WEB, REPLICAS))
            times.append(second)
        await clock.advance(1)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps == [1, 1, 10, 20, 40, 80, 160, 300, 300, 300]


async def test_a_target_is_looked_at_again_when_its_rest_is_over(fights, clock):
    await heal(fights, drifted(WEB, REPLICAS), times=3)
    assert fights.due() == frozenset(), "nobody set it since"
    resting = report(drifted=(drifted(WEB, REPLICAS, standing=Standing.RESTING),))
    await fights.note(resting, verdict())
    await clock.advance(9)
    assert fights.due() == frozenset()
    await clock.advance(1)
    assert fights.due() == {PLACE}
    assert fights.due() == frozenset(), "told once"


async def test_a_target_that_could_not_be_looked_at_then_is_looked_at_later(fights, clock):
    rests = drifted(WEB, REPLICAS, standing=Standing.RESTING)
    await heal(fights, drifted(WEB, REPLICAS), times=3)
    await fights.note(report(drifted=(rests,)), verdict())
    await clock.advance(10_000)
    assert fights.due() == {PLACE}
    await fights.note(report(actuation=Actuation.UNREACHABLE), verdict())
    assert fights.due() == frozenset()
    await clock.advance(31)
    assert fights.due() == {PLACE}


async def test_it_ends_by_itself_once_the_opponent_is_quiet(fights, clock, told):
    await heal(fights, drifted(WEB, REPLICAS), times=3)
    await clock.advance(899)
    assert [f.code for f in (await fights.note(report(), verdict())).findings] == ["DST443"]
    await clock.advance(1)
    found = await fights.note(report(), verdict())
    assert (found.findings, found.fights) == ((), ())
    assert told.lines[-1] == f"spec.replicas of {WEB} is over: it stays as it is"
    assert len(told.lines) == 2
    assert (await heal(fights, drifted(WEB, REPLICAS))).findings == (), "a new one"


async def test_the_count_survives_a_restart(fights, world, clock):
    found = await heal(fights, drifted(WEB, REPLICAS), times=2)
    row = world.store.rows[PLACE]
    kept = orjson.dumps({"fights": as_kept(found.fights)}).decode()
    world.store.rows[PLACE] = replace(row, detail=kept)
    await clock.advance(60)
    again = Fights(world, Told())
    again.begin()
    found = await heal(again, drifted(WEB, REPLICAS))
    assert "3 times" in found.findings[0].message
    assert await again.resting(PLACE) == {key(REPLICAS)}


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"fights": None},
        {"fights": [1, None, {}, {"ref": ["a"]}, {"ref": "abcd", "last": "x"}]},
        {"fights": [{"ref": ["", "A", "", "a"], "pointer": "", "opponent": "", "path": "", "heals": "x", "last": START.isoformat(), "at_write": False}]},
        {"fights": [{"ref": ["", "A", "", "a"], "pointer": "", "opponent": "", "path": "", "heals": 9, "last": "2026-03-01T00:00:00", "at_write": False}]},
    ],
    ids=range(5),
)  # fmt: skip
async def test_what_cannot_be_read_back_is_forgotten(fights, world, kept):
    row = world.store.rows[PLACE]
    world.store.rows[PLACE] = replace(row, detail=orjson.dumps(kept).decode())
    assert await fights.resting(PLACE) == frozenset()
    assert (await heal(fights, drifted(WEB, REPLICAS))).findings == ()


class Failing(Rows):
    """A database that fails while it is told to."""

    fails = False

    async def targets(self, *place: str) -> tuple[StoredTarget, ...]:
        if self.fails:
            raise DatabaseFailed
        return await super().targets(*place)


async def test_a_database_that_fails_is_asked_again(fights, world):
    found = await heal(fights, drifted(WEB, REPLICAS), times=3)
    rows = Failing()
    kept = orjson.dumps({"fights": as_kept(found.fights)}).decode()
    rows.rows[PLACE] = replace(rows.rows[PLACE], detail=kept)
    again = Fights(replace(world, store=rows), Told())
    again.begin()
    rows.fails = True
    assert await again.resting(PLACE) == frozenset()
    rows.fails = False
    assert await again.resting(PLACE) == {key(REPLICAS)}


async def test_what_is_remembered_of_a_target_is_bounded_and_the_hardest_fight_stays(fights):
    await heal(fights, drifted(WEB, REPLICAS), times=3)
    many = [replace(IMAGE, pointer=f"/data/{n}") for n in range(500)]
    found = await heal(fights, drifted(SETTINGS, *many))
    assert len(found.fights) == 64
    assert key(REPLICAS) in {fight.over for fight in found.fights}


async def test_a_field_with_a_name_of_any_length_is_fought_for_like_another(fights):
    long = replace(IMAGE, path="x" * 9000, pointer="/" + "x" * 9000, manager="m" * 9000)
    found = await heal(fights, drifted(SETTINGS, long), times=3)
    assert len(orjson.dumps(as_kept(found.fights))) < 1500
    assert "{" not in found.findings[0].remedy, "no rule can name it"
    assert contested(SETTINGS, long) in await fights.resting(PLACE)
    assert contested(SETTINGS, replace(long, pointer=long.pointer + "y")) != contested(SETTINGS, long)  # fmt: skip


async def test_what_does_not_stay_in_memory_heals_at_once_and_counts_all_the_same(world, told):
    once = Fights(world, told)
    found = await heal(once, drifted(WEB, REPLICAS), times=3)
    assert [f.code for f in found.findings] == ["DST443"]
    assert await once.resting(PLACE) == frozenset()


async def test_a_look_that_saw_nothing_changes_nothing(fights, clock):
    await heal(fights, drifted(WEB, REPLICAS), times=3)
    await clock.advance(10_000)
    found = await fights.note(report(actuation=Actuation.UNREACHABLE), verdict())
    assert [fight.heals for fight in found.fights] == [3]


async def test_only_what_was_put_right_counts(fights):
    left = drifted(WEB, REPLICAS, standing=Standing.LEFT)
    for _ in range(4):
        assert (await fights.note(healed(left), verdict())).fights == ()
        pruned = healed(drifted(SETTINGS), action=Action.PRUNED)
        assert (await fights.note(pruned, verdict())).fights == ()
        refused = report(
            drifted=(drifted(WEB, IMAGE),),
            outcomes=(Outcome(ref=WEB, action=Action.SKIPPED, error=Finding(code="DST402", message="m")),),
        )  # fmt: skip
        assert (await fights.note(refused, verdict())).fights == ()


@pytest.mark.parametrize(
    ("field", "whose", "rule"),
    [
        (replace(REPLICAS, manager="", at_write=True), "admission webhook", '"fields":["/spec/replicas"]}'),
        (replace(REPLICAS, manager=""), "leaves no trace", '"fields":["/spec/replicas"]}'),
        (replace(REPLICAS, manager="a, b"), "the manager a, b", '"managers":["a","b"]'),
        (None, "leaves no trace", ""),
        (DriftedField(path="metadata.labels['x']", pointer="/metadata/labels/applyset.kubernetes.io~1part-of"), "leaves no trace", ""),
    ],
)  # fmt: skip
async def test_the_opponent_is_named_as_far_as_it_is_known(fights, field, whose, rule):
    found = await heal(fights, drifted(WEB, *([field] if field else [])), times=3)
    (finding,) = found.findings
    assert whose in finding.message
    assert rule in finding.remedy
    assert ("{" in finding.remedy) is bool(rule)


async def test_a_removed_instance_fights_nobody(fights, world):
    await heal(fights, drifted(WEB, REPLICAS), times=3)
    gone = replace(verdict(), verb=Verb.REMOVE)
    assert (await fights.note(report(), gone)).findings == ()
    assert await fights.resting(PLACE) == frozenset()
