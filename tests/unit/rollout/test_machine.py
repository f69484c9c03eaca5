"""The rollout machine, as conversations: what is said, and what follows."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from distributor.model.fleet import Mode, Selector, WaveRule
from distributor.model.health import HealthStatus
from distributor.model.ledger import Step
from distributor.model.rollout import RecordStep, Superseded, Switched, TargetSeen
from distributor.model.tags import Verb
from distributor.rollout import advance_all, resume, same_progress, waits, wanted
from distributor.rollout.budgets import max_unavailable
from distributor.rollout.waves import waves

WAVES = (
    WaveRule(name="canary", selector=Selector(match_labels={"canary": "yes"})),
    WaveRule(name="half", percent=50),
)


def test_the_whole_way(play, fleet_of):
    rollout = play(clusters=fleet_of("abcde", canary="c"), waves=WAVES, min_ready=30)
    assert rollout.state.waves == ("canary", "half", "rest")
    assert rollout.stages == "wwwww"
    first = rollout.tick()
    assert (rollout.stages, rollout.asked(first), rollout.wakes(first)) == (
        "wwrww",
        {"c": 0},
        [600],
    )
    assert rollout.asked(rollout.progress("c", after=2)) == {"c": 1}
    assert rollout.asked(rollout.current("c", after=1)) == {"c": 30}
    assert rollout.stages == "wwrww"
    second = rollout.current("c", after=30)
    assert rollout.records(second) == [
        RecordStep(step=Step.WAVE, wave="canary", targets={"c": "current"})
    ]
    assert (rollout.stages, rollout.asked(second)) == ("rrRww", {"a": 0, "b": 0})
    rollout.current("a", "b")
    third = rollout.current("a", "b", after=30)
    assert rollout.asked(third) == {"d": 0, "e": 0}
    rollout.current("d", "e")
    last = rollout.current("d", "e", after=30)
    assert [r.step for r in rollout.records(last)] == [Step.WAVE, Step.VERIFIED]
    assert rollout.records(last)[-1].targets == dict.fromkeys("abcde", "current")
    assert (rollout.phase, rollout.stages) == ("verified", "RRRRR")
    assert rollout.tick(after=9999) == ()


def test_nothing_starts_before_the_first_tick(play):
    rollout = play()
    assert rollout.current("a") == ()
    assert rollout.stages == "www"
    assert rollout.asked(rollout.tick()) == {"a": 0, "b": 0, "c": 0}


@pytest.mark.parametrize(
    ("strategy", "stages"),
    [
        ({"max_concurrent": 2}, "rrwwwwwwww"),
        ({"max_concurrent": 0}, "rwwwwwwwww"),
        ({"max_unavailable": "30%"}, "rrrwwwwwww"),
        ({"max_unavailable": "4"}, "rrrrwwwwww"),
        ({"max_unavailable": ""}, "rwwwwwwwww"),
        ({"max_unavailable": "5%", "max_concurrent": 3}, "rwwwwwwwww"),
    ],
)
def test_budgets(play, strategy, stages):
    rollout = play("abcdefghij", **strategy)
    rollout.tick()
    assert rollout.stages == stages
    rollout.current("a")
    assert rollout.stages.count("r") == stages.count("r")


@pytest.mark.parametrize(
    ("text", "total", "count"),
    [
        ("", 5, 1), ("", 25, 2), ("10%", 25, 2), ("10%", 5, 1), ("100%", 7, 7), ("150%", 7, 7),
        ("0", 5, 1), ("0%", 5, 1), ("3", 2, 3), ("many", 9, 1), ("-1", 9, 1), ("10%", 0, 1),
    ],
)  # fmt: skip
def test_max_unavailable(text, total, count):
    assert max_unavailable(text, total) == count


def test_a_failure_halts_and_only_a_person_resumes(play):
    rollout = play("abcd", max_concurrent=2)
    rollout.tick()
    (halt,) = rollout.records(rollout.fails("a", message="quota"))
    assert (halt.step, halt.targets) == (Step.FAILED, {"a": "failed"})
    assert "quota" in halt.reason
    assert (rollout.phase, rollout.stages) == ("halted", "Frww")
    assert rollout.records(rollout.fails("b")) == []
    assert rollout.tick(after=5) == ()
    assert rollout.stages == "FFww"
    assert not wanted(rollout.state, "a")
    assert rollout.throw(Verb.RESUME) == (), "what failed is retried, not resumed"
    assert rollout.phase == "halted"
    went_on = rollout.throw(Verb.RETRY)
    assert (rollout.phase, rollout.stages) == ("running", "rrww")
    assert rollout.asked(went_on) == {"a": 0, "b": 0}
    rollout.current("a", "b")
    rollout.current("c", "d")
    assert rollout.phase == "verified"


def test_failures_within_the_budget_hold_the_next_wave_until_they_heal(play, fleet_of):
    rollout = play(clusters=fleet_of("abc", canary="ab"), waves=WAVES[:1], max_failures=1)
    rollout.tick()
    asked = rollout.asked(rollout.fails("a"))
    assert asked == {"a": 60}
    rollout.current("b")
    assert (rollout.phase, rollout.stages) == ("running", "FRw")
    assert "a, which failed" in rollout.state.reason
    assert wanted(rollout.state, "a")
    assert rollout.asked(rollout.fails("a", after=60)) == {"a": 1}
    rollout.current("a")
    assert rollout.stages == "RRr"
    assert rollout.state.reason == ""


def test_failures_use_the_budget_of_the_unavailable(play):
    rollout = play("abcd", max_unavailable="2", max_failures=3)
    rollout.tick()
    rollout.fails("a")
    assert rollout.stages == "Frww"
    rollout.fails("b")
    assert (rollout.phase, rollout.stages) == ("running", "FFww")
    rollout.current("a")
    assert rollout.stages == "RFrw"


def test_a_halted_target_that_heals_is_ready_but_the_halt_stays(play):
    rollout = play("ab", max_concurrent=1)
    rollout.tick()
    rollout.fails("a")
    rollout.current("a")
    assert (rollout.phase, rollout.stages) == ("halted", "Rw")
    rollout.throw(Verb.RETRY)
    assert rollout.stages == "Rr"


def test_an_abort_begins_nothing_more_and_is_recorded(play):
    rollout = play("abc", max_concurrent=1)
    rollout.tick()
    (failed,) = rollout.records(rollout.throw(Verb.ABORT))
    assert (failed.step, failed.reason) == (Step.FAILED, "aborted: asked")
    assert (rollout.phase, rollout.stages) == ("halted", "rww")
    assert rollout.asked(rollout.current("a")) == {}
    assert rollout.stages == "Rww"
    rollout.throw(Verb.RETRY)
    assert (rollout.phase, rollout.stages) == ("running", "Rrw")
    rollout.current("b")
    rollout.current("c")
    assert rollout.phase == "verified"


def test_a_switch_counts_once(play):
    rollout = play("ab", max_concurrent=1)
    rollout.tick()
    rollout.throw(Verb.PAUSE, 1)
    rollout.throw(Verb.RESUME, 2)
    rollout.throw(Verb.PAUSE, 1)
    assert rollout.phase == "running", "an old one comes again"
    rollout.throw(Verb.PAUSE, 3)
    assert (rollout.phase, rollout.state.switches) == ("paused", 3)


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.ABORT, Verb.RETRY, Verb.RESUME])
def test_what_is_verified_is_not_switched(play, verb):
    rollout = play("a")
    rollout.tick()
    rollout.current("a")
    assert rollout.phase == "verified"
    assert rollout.throw(verb, 1) == ()
    assert (rollout.phase, rollout.state.switches) == ("verified", 1)


def test_retries_back_off_within_the_deadline(play):
    rollout = play("a", deadline=100)
    rollout.tick()
    pauses = []
    for _ in range(7):
        (pause,) = rollout.asked(rollout.fails("a", retryable=True, message="429")).values()
        pauses.append(pause)
        assert rollout.fails("a", retryable=True, message="429") == ()
        rollout.now += rollout.state.targets["a"].ask_at - rollout.now
    assert pauses == [1, 2, 4, 8, 16, 32, 60]
    assert rollout.stages == "r"
    rollout.tick()
    assert (rollout.stages, rollout.phase) == ("F", "halted")
    assert "DST502 not ready after 100 s: 429" in rollout.state.targets["a"].message


def test_objects_that_failed_fail_the_target(play):
    rollout = play("a")
    rollout.tick()
    rollout.seen("a", health=HealthStatus.FAILED, message="ProgressDeadlineExceeded")
    assert (rollout.stages, rollout.phase) == ("F", "halted")


@pytest.mark.parametrize(
    ("seen", "stage"),
    [
        (None, "O"),
        ((Actuation.APPLIED, HealthStatus.UNKNOWN), "O"),
        ((Actuation.APPLIED, HealthStatus.IN_PROGRESS), "F"),
        ((Actuation.APPLIED, HealthStatus.NOT_FOUND), "F"),
        ((Actuation.APPLIED, HealthStatus.TERMINATING), "F"),
        ((Actuation.APPLYING, HealthStatus.UNKNOWN), "O"),
    ],
)
def test_the_deadline(play, seen, stage):
    rollout = play("a", deadline=60)
    rollout.tick()
    if seen:
        rollout.seen("a", *seen, after=1)
    rollout.tick(after=58 if seen else 59)
    assert rollout.stages == "r"
    rollout.tick(after=1)
    assert rollout.stages == stage


def test_current_must_hold(play):
    rollout = play("a", min_ready=30)
    rollout.tick()
    rollout.current("a")
    rollout.tick(after=30)
    assert rollout.stages == "r", "time alone is no evidence"
    rollout.progress("a")
    rollout.current("a", after=1)
    rollout.current("a", after=29)
    assert rollout.stages == "r"
    rollout.current("a", after=1)
    assert rollout.stages == "R"


def test_current_at_the_deadline_is_given_the_time_to_hold(play):
    rollout = play("a", min_ready=30, deadline=60)
    rollout.tick()
    rollout.current("a", after=50)
    rollout.tick(after=20)
    assert rollout.stages == "r"
    rollout.current("a", after=10)
    assert rollout.phase == "verified"


def test_delivered_counts_only_where_it_is_accepted(play):
    accepting = play("a", accept=["delivered"], min_ready=30)
    accepting.tick()
    done = accepting.seen("a", health=HealthStatus.UNKNOWN, delivered=True)
    assert accepting.records(done)[-1].targets == {"a": "delivered"}
    assert accepting.phase == "verified"
    strict = play("a", deadline=60)
    strict.tick()
    strict.seen("a", health=HealthStatus.UNKNOWN, delivered=True)
    assert strict.stages == "r"
    strict.tick(after=60)
    assert strict.stages == "F"
    assert "verify.accept does not list delivered" in strict.state.targets["a"].message


def test_the_unreachable_neither_block_nor_count(play, fleet_of):
    rollout = play(clusters=fleet_of("abcde", canary="a"), waves=WAVES[:1], max_concurrent=10)
    rollout.tick()
    (wave,) = rollout.records(rollout.gone("a"))
    assert wave.targets == {"a": "owed"}
    assert rollout.stages == "Orrrr"
    done = rollout.current("b", "c", "d", "e")
    assert rollout.phase == "verified"
    assert rollout.records(done)[-1].targets["a"] == "owed"
    assert rollout.asked(rollout.gone("a", after=1)) == {"a": 2}
    since = rollout.state.targets["a"].since
    rollout.gone("a", after=60)
    assert rollout.state.targets["a"].since == since
    rollout.progress("a", after=60)
    assert rollout.stages == "rRRRR"
    assert rollout.records(rollout.current("a")) == []
    assert (rollout.phase, rollout.stages) == ("verified", "RRRRR")


def test_too_few_reachable_is_not_verified_until_they_come_back(play):
    rollout = play("abcde", floor=80)
    rollout.tick()
    rollout.gone("a")
    rollout.gone("b")
    rollout.current("c", "d", "e")
    assert rollout.phase == "unverified"
    assert rollout.state.reason == "3 of 5 targets were reachable, 80 % are needed"
    (verified,) = rollout.records(rollout.current("a", after=90))
    assert verified.step is Step.VERIFIED
    assert rollout.phase == "verified"


def test_one_that_comes_back_broken_keeps_it_unverified(play):
    rollout = play("abc", floor=60)
    rollout.tick()
    rollout.gone("a")
    rollout.gone("b")
    rollout.current("c")
    rollout.fails("a", after=5)
    rollout.current("b")
    assert (rollout.phase, rollout.stages) == ("unverified", "FRR")
    rollout.current("a")
    assert rollout.phase == "verified"


def test_a_failure_is_not_undone_by_the_network(play):
    rollout = play("ab", max_failures=1)
    rollout.tick()
    rollout.fails("a")
    rollout.gone("a", after=61)
    assert rollout.stages == "Fr"


def test_one_that_comes_back_waits_for_room(play):
    rollout = play("abc", max_unavailable="1")
    rollout.tick()
    rollout.gone("a")
    assert rollout.stages == "Orw"
    rollout.progress("a", after=2)
    assert rollout.stages == "Orw"
    rollout.fails("a", after=2)
    assert rollout.stages == "Orw"
    rollout.current("a", after=2)
    assert rollout.stages == "Rrw"


def test_only_what_is_out_of_reach_makes_a_rollout_wait(play):
    rollout = play("abc", max_failures=1)
    assert not waits(rollout.state), "before the first tick"
    rollout.tick()
    assert not waits(rollout.state), "they run"
    rollout.current("a", "b")
    rollout.gone("c")
    before = rollout.state
    assert waits(before)
    rollout.gone("c", after=5)
    assert rollout.state != before, "it is asked later"
    assert same_progress(before, rollout.state)
    rollout.fails("c", after=5)
    assert not waits(rollout.state), "it is tried again"
    assert not same_progress(before, rollout.state)


def test_a_paused_rollout_waits_even_for_what_failed(play):
    rollout = play("ab", max_failures=1)
    rollout.tick()
    rollout.current("a")
    rollout.fails("b")
    rollout.say(Switched(verb=Verb.PAUSE, reason="lunch"))
    assert waits(rollout.state)


def test_no_targets_are_never_verified(play):
    rollout = play(clusters=[], names="")
    rollout.tick()
    assert rollout.phase == "unverified"


def test_pause(play):
    rollout = play("abc", max_concurrent=1, deadline=60, max_failures=3)
    rollout.tick()
    rollout.pause(on=True)
    rollout.current("a")
    assert (rollout.phase, rollout.stages) == ("paused", "Rww")
    assert rollout.state.reason == "asked"
    assert rollout.pause(on=True) == ()
    went_on = rollout.pause(on=False)
    assert rollout.asked(went_on) == {"b": 0}
    rollout.pause(on=True)
    rollout.gone("b")
    assert rollout.state.targets["b"].ask_at is None
    assert not wanted(rollout.state, "b")
    assert rollout.asked(rollout.pause(on=False)) == {"b": 0, "c": 0}


def test_pause_before_the_first_tick(play):
    rollout = play()
    rollout.pause(on=True)
    assert rollout.tick() == ()
    assert rollout.wakes(rollout.pause(on=False)) == [0]
    rollout.tick()
    assert rollout.stages == "rrr"


def test_a_newer_revision_ends_it_at_once(play):
    rollout = play()
    rollout.tick()
    assert rollout.say(Superseded(sequence=7)) == ()
    assert rollout.phase == "running"
    assert rollout.say(Superseded(sequence=8)) == ()
    ended = rollout.state
    assert (rollout.phase, ended.reason) == ("replaced", "replaced by sequence 8")
    for say in (rollout.tick, lambda: rollout.current("a"), lambda: rollout.pause(on=False)):
        assert say() == ()
    assert rollout.say(Superseded(sequence=9)) == ()
    assert rollout.state == ended
    assert resume(ended, rollout.now) == ()
    assert not wanted(ended, "a")


def test_reports_on_another_revision_or_of_strangers_are_ignored(play):
    rollout = play("ab")
    rollout.tick()
    before = rollout.state
    assert rollout.seen("a", sequence=6) == ()
    assert rollout.seen("a", sequence=8) == ()
    assert rollout.seen("z") == ()
    assert rollout.state is before


def test_fenced_is_asked_again(play):
    rollout = play("a")
    rollout.tick()
    assert rollout.asked(rollout.seen("a", Actuation.FENCED)) == {"a": 1}
    assert rollout.stages == "r"


def test_a_target_whose_hook_is_at_work_is_asked_again_until_its_deadline(play):
    rollout = play("a", deadline=60)
    rollout.tick()
    pauses = []
    for _ in range(6):
        working = {"actuation": Actuation.APPLYING, "health": HealthStatus.IN_PROGRESS}
        asked = rollout.asked(rollout.seen("a", **working, message="pre-install hook"))
        pauses.append(asked["a"])
        rollout.tick(after=asked["a"])
    assert pauses == [1, 2, 4, 8, 10, 10]
    rollout.tick(after=60)
    assert rollout.stages == "F"
    assert "pre-install hook" in rollout.state.targets["a"].message


def test_resume_asks_for_what_was_under_way(play, fleet_of):
    rollout = play(clusters=fleet_of("abcd", canary="a"), waves=WAVES[:1], max_concurrent=2)
    assert rollout.wakes(resume(rollout.state, rollout.now)) == [0]
    rollout.tick()
    rollout.current("a")
    rollout.gone("b")
    rollout.now = rollout.now.replace(second=5)
    asked = resume(rollout.state, rollout.now)
    assert rollout.asked(asked) == {"b": 0, "c": 0, "d": 0}
    assert [r.wave for r in rollout.records(asked)] == ["canary"]
    assert rollout.wakes(asked) == [0, 595]
    rollout.fails("c")
    halted = resume(rollout.state, rollout.now)
    assert [r.step for r in rollout.records(halted)] == [Step.WAVE, Step.FAILED]
    assert rollout.asked(halted) == {"d": 0}


def test_resume_repeats_what_was_verified(play):
    rollout = play("a")
    rollout.tick()
    said = rollout.records(rollout.current("a"))
    assert rollout.records(resume(rollout.state, rollout.now)) == said


def test_several_events_at_once_give_what_one_by_one_gives(play):
    one, many = play("abcd"), play("abcd")
    one.tick()
    many.tick()
    one.current("a", "b", "c", "d")
    events = [
        TargetSeen(cluster=n, sequence=7, actuation=Actuation.APPLIED, health=HealthStatus.CURRENT)
        for n in "abcd"
    ]
    state, commands = advance_all(many.state, events, many.now)
    assert state == one.state
    assert [r.step for r in many.records(commands)] == [Step.WAVE, Step.VERIFIED]


def test_waves_by_rule_share_and_name(fleet_of):
    rules = (
        WaveRule(name="eu", selector=Selector(regions=("eu",)), percent=34),
        WaveRule(name="none", selector=Selector(regions=("mars",))),
        WaveRule(name="none-of-them", percent=0),
        WaveRule(name="eu", selector=Selector(regions=("eu",)), percent=1),
        WaveRule(name="rest", percent=50),
    )
    clusters = [*fleet_of("dcab", region="eu"), *fleet_of("xy", region="us")]
    assert waves(rules, clusters) == (
        ("eu", ("a", "b")),
        ("eu-2", ("c",)),
        ("rest", ("d", "x")),
        ("rest-2", ("y",)),
    )
    assert waves((), clusters[:2]) == (("rest", ("c", "d")),)
    assert clusters[0].mode is Mode.DIRECTORY
