"""Waves that the calendar keeps shut: they do not open, what runs goes on, and the time is not missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from distributor.model.fleet import Selector, WaveRule
from distributor.model.rollout import Shut, WavesShut
from distributor.rollout import decode, encode, resume, shut_out, waits
from tests.unit.rollout.conftest import BEGIN

CANARY = (WaveRule(name="canary", selector=Selector(match_labels={"canary": "yes"})),)
FREEZE = Shut(reason="a freeze", until=BEGIN + timedelta(hours=1))
ENDLESS = Shut(reason="a freeze")


@pytest.fixture
def two_waves(play, fleet_of):
    return play(clusters=fleet_of("abc", canary="a"), waves=CANARY)


def test_a_shut_wave_does_not_open_and_the_one_that_runs_ends(two_waves):
    two_waves.tick()
    assert two_waves.stages == "rww"
    two_waves.say(WavesShut(shut={"rest": FREEZE}))
    assert shut_out(two_waves.state) is None  # the first wave still runs
    commands = two_waves.current("a")
    assert (two_waves.stages, two_waves.state.open_wave) == ("Rww", 0)
    assert two_waves.state.reason == "wave rest waits: a freeze"
    assert two_waves.wakes(commands) == [3600]
    assert shut_out(two_waves.state) == FREEZE
    assert waits(two_waves.state)  # so the claim is released


def test_it_opens_when_the_calendar_says_so_and_not_before(two_waves):
    two_waves.tick()
    two_waves.say(WavesShut(shut={"rest": FREEZE}))
    two_waves.current("a")
    for _ in range(3):
        two_waves.tick(after=1200)
        assert two_waves.stages == "Rww"  # the time alone opens nothing: the calendar is asked
    commands = two_waves.say(WavesShut())
    assert two_waves.stages == "Rrr"
    assert [r.wave for r in two_waves.records(commands)] == ["canary"]
    assert two_waves.state.reason == ""
    two_waves.current("b", "c")
    assert two_waves.phase == "verified"


def test_a_rollout_that_may_not_begin_waits_without_spinning(two_waves):
    commands = two_waves.say(WavesShut(shut={"canary": FREEZE, "rest": FREEZE}))
    assert two_waves.wakes(commands) == [3600]
    assert two_waves.wakes(two_waves.tick()) == []
    assert (two_waves.stages, two_waves.state.open_wave) == ("www", -1)
    assert two_waves.state.reason == "wave canary waits: a freeze"
    assert waits(two_waves.state)
    commands = two_waves.say(WavesShut(shut={"rest": FREEZE}))
    assert two_waves.wakes(commands) == [0]
    two_waves.tick()
    assert two_waves.stages == "rww"


def test_a_wave_whose_targets_are_all_owed_does_not_slip_past_a_shut_one(play, fleet_of):
    rules = (*CANARY, WaveRule(name="half", percent=50))
    rollout = play(clusters=fleet_of("abc", canary="a"), waves=rules)
    rollout.tick()
    rollout.say(WavesShut(shut={"rest": ENDLESS}))
    rollout.gone("a")
    assert rollout.stages == "Orw"
    rollout.gone("b")
    assert rollout.stages == "OOw"
    assert shut_out(rollout.state) == ENDLESS


def test_a_freeze_that_is_over_later_or_sooner_is_waited_for_anew(two_waves):
    two_waves.tick()
    two_waves.current("a")  # opens the rest
    assert two_waves.stages == "Rrr"
    two_waves.say(WavesShut(shut={"rest": FREEZE}))
    assert two_waves.stages == "Rrr"  # a wave that opened goes on
    assert shut_out(two_waves.state) is None


def test_another_end_is_another_wake(two_waves):
    two_waves.tick()
    two_waves.say(WavesShut(shut={"rest": FREEZE}))
    two_waves.current("a")
    sooner = replace(FREEZE, until=BEGIN + timedelta(minutes=5))
    assert two_waves.wakes(two_waves.say(WavesShut(shut={"rest": sooner}))) == [300]
    assert two_waves.wakes(two_waves.say(WavesShut(shut={"rest": sooner}))) == []


def test_after_a_restart_the_time_is_not_missed(two_waves):
    two_waves.tick()
    two_waves.say(WavesShut(shut={"rest": FREEZE}))
    two_waves.current("a")
    saved = decode(encode(two_waves.state))
    assert saved == two_waves.state
    assert two_waves.wakes(resume(saved, two_waves.now)) == [0, 3600]


def test_a_state_of_an_older_release_has_no_shut_wave(two_waves):
    old = encode(two_waves.state).replace(b',"shut":{}', b"")
    assert old != encode(two_waves.state)
    assert decode(old) == two_waves.state


def test_while_paused_nobody_waits_for_the_calendar(two_waves):
    two_waves.say(WavesShut(shut={"canary": FREEZE}))
    two_waves.pause(on=True)
    assert shut_out(two_waves.state) is None
