"""Laws of the rollout machine: random walks against what must hold after every step, whatever happens."""

from __future__ import annotations

import os
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.errors.rollout import StateBroken
from distributor.model.changes import Actuation
from distributor.model.fleet import (
    Cluster,
    Mode,
    RolloutStrategy,
    Selector,
    VerifyRule,
    WaveRule,
)
from distributor.model.health import HealthStatus
from distributor.model.ledger import Step
from distributor.model.rollout import (
    Event,
    Reconcile,
    RecordStep,
    RolloutPhase,
    RolloutState,
    Shut,
    Superseded,
    Switched,
    TargetSeen,
    TargetStage,
    Tick,
    WavesShut,
)
from distributor.model.tags import Verb
from distributor.rollout import advance, decode, encode, resume, start
from distributor.rollout.budgets import max_unavailable

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
TIERS = ("central", "slim", "edge")
SETTLED = (TargetStage.READY, TargetStage.OWED)

STRATEGIES = st.builds(
    RolloutStrategy,
    waves=st.lists(
        st.builds(
            WaveRule,
            name=st.sampled_from(("first", "second", "rest")),
            selector=st.builds(Selector, tiers=st.sampled_from(((), *((t,) for t in TIERS)))),
            percent=st.integers(0, 100),
        ),
        max_size=3,
    ).map(tuple),
    max_concurrent=st.integers(0, 5),
    max_unavailable=st.sampled_from(("", "0", "1", "3", "40%", "100%", "nonsense")),
    max_failures=st.integers(0, 3),
    min_ready=st.sampled_from((0.0, 20.0)),
    deadline=st.sampled_from((30.0, 120.0)),
)
VERIFY = st.builds(
    VerifyRule,
    floor=st.sampled_from((0, 1, 50, 80, 100)),
    accept=st.sampled_from((frozenset(), frozenset({"delivered"}))),
)
FLEETS = st.integers(0, 9).map(
    lambda n: [
        Cluster(name=f"c{i}", environment="uat", tier=TIERS[i % 3], mode=Mode.PUSH)
        for i in range(n)
    ]
)
THROWN = (Verb.PAUSE, Verb.RESUME, Verb.RETRY, Verb.RESUME, Verb.RETRY, Verb.ABORT)
SEEN = st.builds(
    TargetSeen,
    cluster=st.integers(0, 9).map("c{}".format),
    sequence=st.sampled_from((7, 7, 7, 7, 6, 8)),
    actuation=st.sampled_from((*Actuation, *[Actuation.APPLIED] * 8)),
    health=st.sampled_from((*HealthStatus, *[HealthStatus.CURRENT] * 6)),
    delivered=st.sampled_from((False, False, True)),
    retryable=st.booleans(),
    message=st.sampled_from(("", "m")),
)
SHUT = st.builds(
    Shut, reason=st.just("freeze"), until=st.sampled_from((None, BEGIN + timedelta(seconds=30)))
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    SEEN, SEEN, SEEN, SEEN, st.just(Tick()), st.builds(Switched, verb=st.sampled_from((*THROWN, *THROWN, Verb.HOLD)), number=st.integers(0, 4)),
    st.builds(Superseded, sequence=st.sampled_from((5, 7))),
    st.builds(
        WavesShut,
        shut=st.dictionaries(st.sampled_from(("first", "second", "rest")), SHUT),
        closed=st.dictionaries(st.integers(0, 9).map("c{}".format), SHUT, max_size=4),
    ),
)  # fmt: skip
STEPS = st.lists(st.tuples(EVENTS, st.sampled_from((0, 0, 1, 10, 60))), max_size=60)


def begin(clusters, strategy, verify) -> RolloutState:
    return start(
        environment="uat", instance="shop", sequence=7, strategy=strategy, verify=verify,
        targets=clusters, now=BEGIN,
    )  # fmt: skip


def count(state: RolloutState, *stages: TargetStage) -> int:
    return sum(t.stage in stages for t in state.targets.values())


def check_budgets(state: RolloutState) -> None:
    strategy, total = state.strategy, len(state.targets)
    running = count(state, TargetStage.RUNNING)
    assert running <= max(1, strategy.max_concurrent)
    unavailable = count(state, TargetStage.RUNNING, TargetStage.FAILED)
    assert unavailable <= max_unavailable(strategy.max_unavailable, total)
    if state.phase is RolloutPhase.RUNNING:
        assert count(state, TargetStage.FAILED) <= strategy.max_failures


def check_waves(before: RolloutState, after: RolloutState, now: datetime) -> None:
    assert before.open_wave <= after.open_wave <= len(after.waves)
    for target in after.targets.values():
        if target.stage is not TargetStage.WAITING:
            assert target.wave <= after.open_wave
    opened = after.waves[before.open_wave + 1 : after.open_wave + 1]
    assert not after.shut.keys() & set(opened), "a wave opened that was shut"
    if before.open_wave < after.open_wave and after.open_wave > 0:
        # The wave opened now: all before it were settled at this very moment.
        for target in after.targets.values():
            assert target.wave >= after.open_wave or target.stage in SETTLED
    for name, target in after.targets.items():
        old = before.targets[name]
        if old.stage is TargetStage.WAITING and target.stage is not TargetStage.WAITING:
            assert after.phase is RolloutPhase.RUNNING
            assert target.since == now
            assert target.stage is TargetStage.OWED or name not in after.closed


def check_ready(before: RolloutState, after: RolloutState, event: Event) -> None:
    """Nothing becomes ready but by a good report on this very revision; ready ones stay so."""
    for name, target in after.targets.items():
        old = before.targets[name]
        assert old.stage is not TargetStage.READY or target is old
        if target.stage is TargetStage.READY and target is not old:
            assert isinstance(event, TargetSeen)
            assert (event.cluster, event.sequence) == (name, after.sequence)
            assert event.actuation is Actuation.APPLIED
            accepted = event.delivered and "delivered" in after.verify.accept
            assert accepted or event.health is HealthStatus.CURRENT


def check_records(before: RolloutState, after: RolloutState, commands) -> None:
    records = [c for c in commands if isinstance(c, RecordStep)]
    ended = [r.wave for r in records if r.step is Step.WAVE]
    assert ended == list(after.waves[max(0, before.open_wave) : max(0, after.open_wave)])
    verified = [r for r in records if r.step is Step.VERIFIED]
    became = before.phase is not after.phase
    assert bool(verified) is (became and after.phase is RolloutPhase.VERIFIED)
    if verified:
        ready = count(after, TargetStage.READY)
        assert count(after, *SETTLED) == len(after.targets)
        assert ready >= 1
        assert ready * 100 >= after.verify.floor * len(after.targets)
    halted = [r for r in records if r.step is Step.FAILED]
    assert bool(halted) is (became and after.phase is RolloutPhase.HALTED)


def step(state: RolloutState, event: Event, now: datetime) -> RolloutState:
    after, commands = advance(state, event, now)
    check_budgets(after)
    check_waves(state, after, now)
    check_ready(state, after, event)
    check_records(state, after, commands)
    again, repeated = advance(after, event, now)
    if isinstance(event, TargetSeen):
        assert again == after, "a repeated report changes nothing"
        assert not [c for c in repeated if isinstance(c, RecordStep | Reconcile)]
    if state.phase is RolloutPhase.REPLACED:
        assert (after, commands) == (state, ())
    return after


@settings(deadline=None, max_examples=120)
@given(FLEETS, STRATEGIES, VERIFY, STEPS)
def test_every_step_keeps_the_laws(clusters, strategy, verify, steps):
    state, now = begin(clusters, strategy, verify), BEGIN
    for event, pause in [(Tick(), 0), *steps]:
        now += timedelta(seconds=pause)
        state = step(state, event, now)
    assert decode(encode(state)) == state
    assert encode(decode(encode(state))) == encode(state)


@settings(deadline=None, max_examples=60)
@given(FLEETS, STRATEGIES, VERIFY, STEPS)
def test_saving_and_loading_between_any_two_steps_changes_nothing(
    clusters, strategy, verify, steps
):
    state = loaded = begin(clusters, strategy, verify)
    now = BEGIN
    for event, pause in [(Tick(), 0), *steps]:
        now += timedelta(seconds=pause)
        state, said = advance(state, event, now)
        loaded, repeated = advance(decode(encode(loaded)), event, now)
        assert loaded == state
        assert set(map(repr, repeated)) == set(map(repr, said))


@settings(deadline=None, max_examples=60)
@given(FLEETS.filter(bool), STRATEGIES, VERIFY, st.randoms(use_true_random=False))
def test_good_targets_always_come_to_the_end(clusters, strategy, verify, chance):
    """Every command performed, in any order and with reports lost to a restart: it is verified."""
    state, now = begin(clusters, strategy, verify), BEGIN
    state, commands = advance(state, Tick(), now)
    for _ in range(40 * len(clusters)):
        if state.phase is RolloutPhase.VERIFIED:
            break
        if chance.random() < 0.2:
            commands = resume(state, now)
        asked = [c for c in commands if isinstance(c, Reconcile)] or [
            c for c in resume(state, now) if isinstance(c, Reconcile)
        ]
        ask = chance.choice(asked)
        now = max(now, ask.at)
        good = TargetSeen(
            cluster=ask.cluster,
            sequence=7,
            actuation=Actuation.APPLIED,
            health=HealthStatus.CURRENT,
        )
        state, commands = advance(state, good, now)
    assert state.phase is RolloutPhase.VERIFIED


def test_a_long_random_walk_stays_lawful_and_quick():
    seed = int(os.environ.get("DISTRIBUTOR_TEST_SEED", "20260301"))
    print(f"DISTRIBUTOR_TEST_SEED={seed}")
    chance = random.Random(seed)
    clusters = [
        Cluster(name=f"c{i:02}", environment="uat", tier=TIERS[i % 3], mode=Mode.PUSH)
        for i in range(30)
    ]
    strategy = RolloutStrategy(
        waves=(
            WaveRule(name="slim", selector=Selector(tiers=("slim",)), percent=50),
            WaveRule(name="half", percent=50),
        ),
        max_concurrent=6, max_unavailable="20%", max_failures=2, min_ready=5.0, deadline=90.0,
    )  # fmt: skip
    began, steps, ends = time.process_time(), 0, dict.fromkeys(RolloutPhase, 0)
    while steps < 5000:
        state, now = begin(clusters, strategy, VerifyRule()), BEGIN
        for _ in range(250):
            event = _event(chance, state)
            now += timedelta(seconds=chance.choice((0, 0, 1, 3, 15)))
            state, steps = step(state, event, now), steps + 1
        ends[state.phase] += 1
    assert sum(ends.values()) == 20
    assert ends[RolloutPhase.VERIFIED] > 0
    assert time.process_time() - began < 20


def _event(chance: random.Random, state: RolloutState) -> Event:
    dice = chance.random()
    if dice < 0.1:
        return Tick()
    if dice < 0.15:
        return Switched(verb=chance.choice(THROWN))
    running = [n for n, t in state.targets.items() if t.stage is TargetStage.RUNNING]
    name = chance.choice(running if running and dice < 0.8 else list(state.targets))
    seen = TargetSeen(
        cluster=name, sequence=7, actuation=Actuation.APPLIED, health=HealthStatus.CURRENT
    )
    if dice < 0.7:
        return seen
    return replace(
        seen,
        actuation=chance.choice((*Actuation, Actuation.APPLIED, Actuation.UNREACHABLE)),
        health=chance.choice((*HealthStatus,)),
        retryable=chance.random() < 0.8,
        sequence=chance.choice((7, 7, 7, 6)),
    )


def good_state() -> dict:
    clusters = [Cluster(name="a", environment="uat", tier="slim", mode=Mode.PUSH)]
    return orjson.loads(encode(begin(clusters, RolloutStrategy(), VerifyRule())))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("format"),
        lambda d: d.update(format=2),
        lambda d: d.pop("state"),
        lambda d: d["state"].pop("targets"),
        lambda d: d["state"].update(targets=[]),
        lambda d: d["state"].update(open_wave=9),
        lambda d: d["state"].update(phase="dancing"),
        lambda d: d["state"]["targets"]["a"].update(stage="lost"),
        lambda d: d["state"]["targets"]["a"].update(wave=4),
        lambda d: d["state"]["targets"]["a"].update(since="yesterday"),
        lambda d: d["state"]["targets"]["a"].update(since="2026-03-01T00:00:00"),
        lambda d: d["state"]["strategy"].update(deadline=None),
    ],
)
def test_a_broken_state_is_refused(change):
    document = good_state()
    assert decode(orjson.dumps(document))
    change(document)
    with pytest.raises(StateBroken):
        decode(orjson.dumps(document))


@settings(deadline=None)
@given(st.binary(max_size=20))
def test_junk_is_refused(data):
    with pytest.raises(StateBroken):
        decode(data)


def test_two_thousand_targets_are_quick():
    clusters = [
        Cluster(name=f"c{i:04}", environment="uat", tier=TIERS[i % 3], mode=Mode.PUSH)
        for i in range(2000)
    ]
    strategy = RolloutStrategy(max_concurrent=100, max_unavailable="10%")
    state, _ = advance(begin(clusters, strategy, VerifyRule()), Tick(), BEGIN)
    began = time.process_time()
    for n in range(2000):
        seen = TargetSeen(
            cluster=f"c{n:04}", sequence=7, actuation=Actuation.APPLIED, health=HealthStatus.CURRENT
        )
        state, _ = advance(state, seen, BEGIN)
    assert state.phase is RolloutPhase.VERIFIED
    assert time.process_time() - began < 10
