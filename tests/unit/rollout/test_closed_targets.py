"""Targets outside their maintenance windows: not begun, owed until one opens, and in nobody's way."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest

from distributor.model.changes import Actuation
from distributor.model.fleet import Selector, WaveRule
from distributor.model.rollout import Shut, WavesShut
from distributor.model.tags import Verb
from distributor.rollout import decode, encode, resume, waits, wanted
from tests.unit.rollout.conftest import BEGIN

NIGHT = Shut(
    reason="outside its maintenance windows until tonight", until=BEGIN + timedelta(hours=8)
)
NEVER = Shut(reason="outside its maintenance windows and none will open any more")
CANARY = (WaveRule(name="canary", selector=Selector(match_labels={"canary": "yes"})),)


def closed(*names, shut=NIGHT):
    return WavesShut(closed=dict.fromkeys(names, shut))


def test_a_closed_target_owes_and_the_others_go_on(play):
    rollout = play("abc", floor=60)
    commands = rollout.say(closed("b"))
    assert rollout.wakes(commands) == [8 * 3600, 0]
    commands = rollout.tick()
    assert rollout.stages == "rOr"
    assert set(rollout.asked(commands)) == {"a", "c"}
    assert rollout.state.targets["b"].message == NIGHT.reason
    assert not wanted(rollout.state, "b"), "whoever asks it all the same gets nothing begun"
    rollout.current("a", "c")
    assert (rollout.stages, rollout.phase) == ("ROR", "verified")
    commands = rollout.say(WavesShut(), after=8 * 3600)
    assert rollout.asked(commands) == {"b": 0}
    assert wanted(rollout.state, "b")
    rollout.progress("b")
    rollout.current("b")
    assert rollout.stages == "RRR"


def test_too_many_that_are_closed_leave_it_unverified_until_they_come(play):
    rollout = play("abc")
    rollout.say(closed("b", "c"))
    rollout.tick()
    rollout.current("a")
    assert (rollout.stages, rollout.phase) == ("ROO", "unverified")
    assert waits(rollout.state)
    rollout.say(closed("c"))
    rollout.current("b")
    assert rollout.phase == "unverified"
    rollout.say(WavesShut())
    rollout.current("c")
    assert (rollout.stages, rollout.phase) == ("RRR", "verified")


def test_one_whose_window_ends_before_its_turn_owes_and_one_at_work_goes_on(play):
    rollout = play("abc", max_concurrent=1)
    rollout.tick()
    assert rollout.stages == "rww"
    rollout.say(closed("a", "b"))
    assert rollout.stages == "rOw"
    rollout.current("a")
    assert rollout.stages == "ROr"


def test_a_wave_opens_behind_targets_that_are_closed_but_not_past_a_shut_one(play, fleet_of):
    rollout = play(clusters=fleet_of("abc", canary="ab"), waves=CANARY)
    rollout.say(WavesShut(shut={"rest": NIGHT}, closed={"b": NIGHT, "c": NIGHT}))
    rollout.tick()
    assert rollout.stages == "rOw"
    rollout.current("a")
    assert (rollout.stages, rollout.state.open_wave) == ("ROw", 0)
    rollout.say(closed("b"))
    assert (rollout.stages, rollout.state.open_wave) == ("ROr", 1)


@pytest.mark.parametrize("still", [Verb.PAUSE, Verb.ABORT])
def test_nothing_is_asked_while_it_is_paused_or_ended(play, still):
    rollout = play("ab", floor=50, max_concurrent=1)
    rollout.say(closed("b"))
    rollout.tick()
    rollout.throw(still)
    assert rollout.asked(rollout.say(WavesShut())) == {}
    if still is Verb.PAUSE:
        assert rollout.asked(rollout.throw(Verb.RESUME)) == {"b": 0}


def test_a_report_of_one_out_of_reach_does_not_begin_it(play):
    rollout = play("ab", floor=50)
    rollout.tick()
    rollout.gone("b")
    rollout.say(closed("b"))
    assert not wanted(rollout.state, "b")
    rollout.say(closed("b", shut=NEVER))
    assert rollout.asked(rollout.say(WavesShut(), after=90)) == {"b": 0}
    rollout.seen("b", Actuation.APPLIED)
    assert rollout.stages == "rR"


def test_a_restart_keeps_it_and_wakes_in_time(play):
    rollout = play("ab", floor=50)
    rollout.say(closed("b"))
    rollout.tick()
    assert decode(encode(rollout.state)) == rollout.state
    again = resume(rollout.state, rollout.now)
    assert set(rollout.asked(again)) == {"a"}
    assert 8 * 3600 in rollout.wakes(again)
    document = orjson.loads(encode(rollout.state))
    del document["state"]["closed"]
    assert decode(orjson.dumps(document)).closed == {}, "a state of an older release has none"
