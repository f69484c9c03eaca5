"""What records add up to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.errors.git import LedgerBroken
from distributor.ledger import fold, fold_stream, left_behind
from distributor.model.ledger import (
    Acknowledged,
    Archived,
    Claimed,
    Consented,
    Decided,
    FleetChanged,
    HoldSet,
    Observed,
    Record,
    Retired,
    Step,
    Tampered,
    VetoSet,
)
from distributor.model.promotion import GateAnswer, GateResult, Verdict, VerdictOutcome
from distributor.model.refs import Digest
from distributor.model.tags import Verb
from tests.unit.ledger.story import (
    GENESIS,
    START,
    at,
    decided,
    digest,
    ledger,
    observed,
    oid,
    step,
    told,
    verdict,
)
from tests.unit.ledger.strategies import records as strategies

REFUSED = VerdictOutcome.REFUSED
PENDING = VerdictOutcome.PENDING


def test_desired_is_the_last_accepted() -> None:
    state = told(
        decided(1, verdict(1, "a")),
        decided(2, verdict(0, "x", outcome=REFUSED)),
        decided(3, verdict(4, "b")),
        decided(4, verdict(0, "y", outcome=PENDING)),
    )
    assert state.desired is not None
    assert state.desired.sequence == 4
    assert [v.sequence for v in state.accepted] == [1, 4]
    assert state.accepted_at == {1: at(1), 4: at(3)}
    assert state.sequence == 4
    assert state.records == 4
    assert state.last_at == at(4)
    assert state.outcomes[oid(ord("x"))] is REFUSED


def test_a_hold_is_accepted_and_changes_nothing_desired() -> None:
    state = told(decided(1, verdict(1)), decided(2, verdict(2, verb=Verb.HOLD)))
    assert state.desired is not None
    assert state.desired.sequence == 1
    assert state.sequence == 2


def test_a_pending_request_becomes_accepted() -> None:
    waiting = replace(verdict(3), outcome=PENDING, sequence=0)
    state = told(decided(1, waiting), decided(2, verdict(3)))
    assert state.outcomes == {oid(3): VerdictOutcome.ACCEPTED}
    assert len(state.last_verdicts) == 1


def test_the_same_verdict_twice_counts_once() -> None:
    once = told(decided(1, verdict(1)))
    twice = told(decided(1, verdict(1)), decided(1, verdict(1)))
    assert twice == replace(once, records=2)


@pytest.mark.parametrize(
    "records",
    [
        (decided(1, verdict(5)), decided(2, verdict(4, "b"))),
        (decided(1, verdict(5)), decided(2, verdict(5, "b", verb=Verb.ROLLBACK))),
        (decided(1, verdict(5)), decided(2, replace(verdict(5), sequence=6))),
        (decided(1, verdict(5)), decided(2, replace(verdict(5), sequence=0, outcome=REFUSED))),
        (decided(1, replace(verdict(5), sequence=0)),),
    ],
    ids=["falls", "repeats", "accepted again", "taken back", "accepted without number"],
)
def test_contradictions_are_refused(records: tuple[Decided, ...]) -> None:
    with pytest.raises(LedgerBroken):
        told(*records)


@pytest.mark.parametrize(
    ("verb", "end"),
    [
        (Verb.PROMOTE, Step.REPLACED),
        (Verb.ROLLBACK, Step.ROLLED_BACK),
        (Verb.REMOVE, Step.REMOVED),
        (Verb.FAILOVER, Step.REPLACED),
        (Verb.FAILBACK, Step.REPLACED),
    ],
)
def test_a_newer_verdict_ends_the_one_before(verb: Verb, end: Step) -> None:
    state = told(
        decided(1, verdict(1)),
        step(2, Step.VERIFIED, 1),
        step(3, Step.DEGRADED, 1),
        decided(4, verdict(2, "b", verb=verb)),
        step(5, Step.REPLACED, 1),
    )
    before = state.progress[1]
    assert (before.end, before.ended_at) == (end, at(4))
    assert before.degraded == ((at(3), at(4)),)
    assert state.progress[2].end is None


def test_progress_takes_steps_once_and_in_any_number() -> None:
    state = told(
        decided(1, verdict(1)),
        step(2, Step.STARTED, 1),
        step(3, Step.STARTED, 1),
        step(4, Step.WAVE, 1, wave="canary", targets={"c1": "current"}),
        step(4, Step.WAVE, 1, wave="canary", targets={"c1": "current"}),
        step(5, Step.WAVE, 1, wave="rest", targets={"c2": "delivered"}),
        step(6, Step.VERIFIED, 1),
        step(7, Step.VERIFIED, 1),
        step(8, Step.DEGRADED, 1, reason="c1"),
        step(9, Step.DEGRADED, 1),
        step(10, Step.RECOVERED, 1),
        step(11, Step.RECOVERED, 1),
    )
    progress = state.progress[1]
    assert progress.started_at == at(2)
    assert progress.waves == ("canary", "rest")
    assert progress.targets == {"c1": "current", "c2": "delivered"}
    assert progress.verified_at == at(6)
    assert progress.degraded == ((at(8), at(10)),)
    assert progress.end is None


def test_a_failed_rollout_that_is_resumed_and_verified_has_not_ended() -> None:
    failed = (decided(1, verdict(1)), step(2, Step.FAILED, 1, reason="c1"))
    halted = told(*failed).progress[1]
    assert (halted.end, halted.reason) == (Step.FAILED, "c1")
    verified = told(*failed, step(3, Step.VERIFIED, 1)).progress[1]
    assert (verified.end, verified.ended_at, verified.verified_at) == (None, None, at(3))
    assert told(*failed, decided(4, verdict(2, "b"))).progress[1].end is Step.REPLACED


LEFT = HoldSet(at=at(2), on=True, by="ada", digest=digest("a"))
ASKED = HoldSet(at=at(3), on=True, by="bob")


@pytest.mark.parametrize(
    ("records", "standing"),
    [
        ((LEFT, ASKED), (LEFT, ASKED)),
        ((LEFT, LEFT), (LEFT,)),
        ((LEFT, ASKED, HoldSet(at=at(4), on=False, by="bob")), ()),
        ((LEFT, decided(5, verdict(2, "b"))), ()),
        ((LEFT, ASKED, decided(5, verdict(2, "b"))), (ASKED,)),
        ((LEFT, decided(5, verdict(2, "b", verb=Verb.ROLLBACK))), (LEFT,)),
        ((LEFT, decided(5, verdict(0, "b", outcome=REFUSED))), (LEFT,)),
    ],
    ids=["both", "twice", "unhold", "promoted", "asked stays", "rollback", "refused"],
)
def test_holds(records: tuple[Record, ...], standing: tuple[HoldSet, ...]) -> None:
    assert told(decided(1, verdict(1)), *records).holds == standing


OVER = replace(verdict(2, verb=Verb.FAILOVER), stands_in="prd")
AGREED = Consented(at=at(2), verb=Verb.CONSENT, by="ada", sequence=1)


@pytest.mark.parametrize(
    ("records", "standing"),
    [
        ((AGREED,), (AGREED,)),
        ((AGREED, AGREED), (AGREED,)),
        ((replace(AGREED, sequence=7),), ()),
        ((AGREED, decided(5, verdict(2))), (AGREED,)),
        ((AGREED, decided(5, verdict(2, "b"))), ()),
        ((AGREED, decided(5, OVER)), ()),
        ((AGREED, decided(5, verdict(2, "b")), decided(6, verdict(3))), ()),
        ((AGREED, decided(5, verdict(2, verb=Verb.REMOVE))), ()),
        ((AGREED, decided(5, verdict(0, "b", outcome=REFUSED))), (AGREED,)),
    ],
    ids=[
        "one",
        "twice",
        "not this",
        "again",
        "another",
        "failover",
        "and back",
        "removal",
        "refused",
    ],
)
def test_a_consent_stands_for_one_revision(
    records: tuple[Record, ...], standing: tuple[Consented, ...]
) -> None:
    assert told(decided(1, verdict(1)), *records).consents == standing


def veto(minutes: float, version: str, *, on: bool = True) -> VetoSet:
    return VetoSet(at=at(minutes), on=on, app="shop", version=version, by="ada")


def test_a_veto_stands_until_its_own_unreject() -> None:
    one, two = veto(1, "1.0.0"), veto(2, "2.0.0")
    assert told(one, one, two).vetoes == (one, two)
    assert told(one, two, veto(3, "1.0.0", on=False)).vetoes == (two,)


def test_the_first_observation_counts() -> None:
    state = told(observed(1, "r", 1), observed(2, "r", 2), observed(3, "s", 1))
    assert state.observed == {"r": oid(1), "s": oid(1)}
    assert state.observed_at == {"r": at(1), "s": at(3)}


def test_tampering_stands_until_acknowledged() -> None:
    moved = Tampered(at=at(2), ref="r", recorded=oid(1), found=oid(2))
    gone = Tampered(at=at(3), ref="s", recorded=oid(3))
    seen = (observed(1, "r", 1), observed(1, "s", 3), moved, moved, gone)
    assert told(*seen).tampered == (moved, gone)
    known = told(*seen, Acknowledged(at=at(4), ref="r", by="ada"))
    assert known.tampered == (gone,)
    assert known.observed["r"] == oid(2)
    assert known.observed_at["r"] == at(4)
    every = told(*seen, Acknowledged(at=at(4), ref="", by="ada"))
    assert every.tampered == ()
    assert every.archived == {"s"}


def test_an_acknowledged_branch_is_no_tag() -> None:
    """Else it would look like a tag that has vanished, and raise an alarm of its own."""
    rewound = Tampered(at=at(1), ref="refs/heads/main", recorded=oid(1), found=oid(2))
    state = told(rewound, Acknowledged(at=at(2), ref="refs/heads/main", by="ada"))
    assert state.tampered == ()
    assert state.observed == {}
    assert state.archived == frozenset()


def test_the_claim_with_the_highest_number_holds() -> None:
    def claim(number: int, *, released: bool = False) -> Claimed:
        return Claimed(at=at(number), holder="h", number=number, expires=at(9), released=released)

    state = told(claim(1), claim(2), claim(1))
    assert state.claim == claim(2)
    assert state.claims == 2
    assert told(claim(1), claim(1, released=True)).claim == claim(1, released=True)


def test_fleet_changes_belong_to_the_desired_revision() -> None:
    joined = FleetChanged(at=at(2), joined=True, cluster="c9", file=digest("f"), sequence=1)
    assert told(decided(1, verdict(1)), joined).fleet == (joined,)
    assert told(decided(1, verdict(1)), joined, decided(3, verdict(2, "b"))).fleet == ()


def test_archived_refs_are_remembered() -> None:
    assert told(Archived(at=at(1), ref="r", tag=oid(1))).archived == {"r"}


def test_a_ledger_counts_on_from_what_it_renews() -> None:
    assert ledger().sequence == 0
    assert ledger().last_at == START
    renewed = fold(oid(9), replace(GENESIS, next_sequence=40), {})
    assert renewed.sequence == 39
    two = ledger(told(decided(1, verdict(3))), told(decided(5, verdict(7)), instance="iot"))
    assert (two.sequence, two.last_at) == (7, at(5))


def test_two_verdicts_with_one_number_break_the_ledger() -> None:
    other = told(decided(1, verdict(3, instance="iot")), instance="iot")
    with pytest.raises(LedgerBroken, match="share the sequence number 3"):
        ledger(told(decided(1, verdict(3))), other)


def _story(draw: st.DrawFn) -> list[Record]:
    """Records as a service writes them: verdict numbers rise, the rest is as it comes."""
    kinds = [kind for kind in sorted(strategies) if kind != "verdict"]
    mixed = draw(st.lists(st.sampled_from([*kinds, "verdict"]), max_size=12))
    records: list[Record] = []
    for number, kind in enumerate(mixed, start=1):
        if kind == "verdict":
            letter = draw(st.sampled_from("abc"))
            verb = draw(st.sampled_from([Verb.PROMOTE, Verb.ROLLBACK, Verb.REMOVE, Verb.HOLD]))
            records.append(decided(number, verdict(number, letter, verb=verb)))
        else:
            records.append(draw(strategies[kind]))
    return records


stories = st.composite(_story)()


@given(stories, st.lists(st.integers(0, 12), max_size=3))
@settings(max_examples=60)
def test_folding_in_pieces_is_folding_at_once(records: list[Record], cuts: list[int]) -> None:
    state = fold_stream("sit", "shop", [])
    last = 0
    for cut in [*sorted(min(c, len(records)) for c in cuts), len(records)]:
        earlier = state
        state = fold_stream("sit", "shop", records[last:cut], state)
        assert fold_stream("sit", "shop", [], earlier) == earlier  # the base is not changed
        last = cut
    assert state == fold_stream("sit", "shop", records)


@given(stories, st.data())
@settings(max_examples=60)
def test_desired_does_not_depend_on_how_tags_arrive(
    records: list[Record], data: st.DataObject
) -> None:
    """Observations doubled, shuffled and moved anywhere between the decisions change nothing."""
    seen = [r for r in records if isinstance(r, Observed)]
    rest = [r for r in records if not isinstance(r, Observed)]
    mixed = list(rest)
    for record in data.draw(st.permutations(seen + seen)):
        mixed.insert(data.draw(st.integers(0, len(mixed))), record)
    expected = fold_stream("sit", "shop", records)
    found = fold_stream("sit", "shop", mixed)
    assert found.accepted == expected.accepted
    assert found.desired == expected.desired
    assert found.progress == expected.progress
    assert found.holds == expected.holds


def hotfix(sequence: int, **evidence: str) -> Verdict:
    """A verdict of Ada's that named the gate soak."""
    answer = GateAnswer(number=6, gate="soak", result=GateResult.WARN, evidence=evidence)
    return replace(verdict(sequence), answers=(answer,), reason="it burns")


def acknowledged(minutes: float, ref: str, by: str) -> Acknowledged:
    return Acknowledged(at=at(minutes), ref=ref, by=by)


def test_a_gate_that_was_overridden_is_a_debt() -> None:
    used, ada = hotfix(1, override="used"), "ada@example.org"
    state = told(decided(1, used), decided(2, hotfix(2, override="not needed")))
    (debt,) = state.debts
    assert (debt.ref, debt.by, debt.gates, debt.at) == (used.ref, ada, ("soak",), at(1))
    assert str(debt) == f"{ada} overrode soak with {used.ref}: it burns"


@pytest.mark.parametrize(
    ("ref", "by", "left"),
    [
        ("", "bob@example.org", 1),
        ("refs/tags/promote/sit/shop/1", "ada@example.org", 1),
        ("refs/tags/promote/sit/shop/1", "bob@example.org", 0),
    ],
    ids=["another thing", "its maker", "somebody else"],
)
def test_a_debt_stands_until_somebody_else_acknowledges_it(ref: str, by: str, left: int) -> None:
    state = told(decided(1, hotfix(1, override="used")), decided(2, verdict(2, "b")))
    assert len(state.debts) == 1, "a later version pays nothing back"
    again = fold_stream("sit", "shop", [acknowledged(3, ref, by)], state)
    assert len(again.debts) == left


def retired(minutes: float, sequence: int, number: int, **more: object) -> Retired:
    return Retired(
        at=at(minutes), cluster="c1", sequence=sequence, number=number, by="ada@example.org", **more
    )


def test_a_retired_cluster_is_no_target_and_was_not_left_behind_once_it_is_empty() -> None:
    first = replace(verdict(1), targets=("c1", "c2"))
    state = told(decided(1, first), retired(2, 1, 9))
    assert state.desired is not None
    assert state.desired.targets == ("c2",)
    again = fold_stream(
        "sit", "shop", [decided(3, replace(verdict(2, "b"), targets=("c2",)))], state
    )
    assert left_behind(again) == ("c1",)
    done = fold_stream("sit", "shop", [retired(4, 1, 9, drained=True)], again)
    assert left_behind(done) == ()
    assert [(r.cluster, r.drained) for r in done.retired] == [("c1", True)]
    assert done.desired is not None
    assert done.desired.targets == ("c2",)


def test_a_cluster_that_is_a_target_again_is_retired_no_more() -> None:
    first = replace(verdict(1), targets=("c1", "c2"))
    state = told(decided(1, first), retired(2, 1, 9))
    back = fold_stream(
        "sit", "shop", [decided(3, replace(verdict(2, "b"), targets=("c1",)))], state
    )
    assert back.retired == ()
    joined = FleetChanged(
        at=at(3), joined=True, cluster="c1", file=Digest("sha256:" + "1" * 64), sequence=1
    )
    again = fold_stream("sit", "shop", [joined], state)
    assert (again.retired, again.desired and again.desired.targets) == ((), ("c1", "c2"))
    # That it was emptied before says nothing about what runs there now.
    late = fold_stream("sit", "shop", [retired(4, 1, 9, drained=True)], again)
    assert (late.retired, late.desired and late.desired.targets) == ((), ("c1", "c2"))
