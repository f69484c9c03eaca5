"""What goes over into a renewed ledger."""

from __future__ import annotations

from dataclasses import replace

from distributor.ledger import fold, fold_stream, kept_policies, kept_records, kept_verdicts
from distributor.model.ledger import Claimed, HoldSet, Record, Retired, Step, Tampered, VetoSet
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from tests.unit.ledger.story import GENESIS, at, decided, observed, oid, step, verdict

KEY = ("sit", "shop")
STANDING = HoldSet(at=at(11), on=True, by="eve", reason="look")
HISTORY: list[Record] = [
    observed(1, verdict(1, "a").ref, 1), decided(1, verdict(1, "a")), step(2, Step.VERIFIED, 1),
    decided(3, verdict(2, "b")), step(4, Step.VERIFIED, 2),
    decided(4, verdict(0, "x", outcome=VerdictOutcome.REFUSED)),
    observed(5, verdict(3, "c").ref, 3), decided(5, verdict(3, "c")), step(6, Step.VERIFIED, 3),
    step(7, Step.DEGRADED, 3), step(8, Step.RECOVERED, 3),
    HoldSet(at=at(9), on=True, by="ada", reason="wait"), HoldSet(at=at(10), on=False, by="ada"),
    STANDING, VetoSet(at=at(12), on=True, app="shop", version="1", by="ada"),
    Claimed(at=at(13), holder="h", number=6, expires=at(14)),
    Claimed(at=at(13), holder="h", number=7, expires=at(15)),
]  # fmt: skip


def whole(records: list[Record]) -> tuple:
    return fold(oid(1), GENESIS, {KEY: fold_stream(*KEY, records)})


def test_what_is_kept_folds_to_the_same_as_far_as_it_stands() -> None:
    before = whole(HISTORY)
    kept = kept_records(before, KEY, HISTORY)
    after, full = fold_stream(*KEY, kept), before.instances[KEY]
    assert [v.sequence for v in after.accepted] == [2, 3]
    assert (after.desired, after.progress[3]) == (full.desired, full.progress[3])
    assert after.progress[2].verified_at == full.progress[2].verified_at
    assert (after.holds, after.vetoes) == ((STANDING,), full.vetoes)
    assert (after.claim, after.claims) == (full.claim, 7)
    assert list(after.observed) == [verdict(3, "c").ref]
    assert kept_records(whole(list(kept)), KEY, kept) == kept


def test_a_pause_of_what_is_desired_goes_over_and_an_older_one_does_not() -> None:
    paused = [decided(n, verdict(n, verb=Verb.PAUSE)) for n in (2, 4)]
    records = [decided(1, verdict(1, "a")), paused[0], decided(3, verdict(3, "b")), paused[1]]
    kept = kept_records(whole(records), KEY, records)
    assert kept == (records[2], paused[1])
    assert [t.at for t in fold_stream(*KEY, kept).switches] == [at(4)]


def test_an_accepted_tag_with_an_alarm_keeps_its_verdict() -> None:
    alarm = Tampered(at=at(7), ref=verdict(1, "a").ref, recorded=oid(1), found=oid(9))
    records = [*HISTORY, alarm]
    state = whole(records)
    assert [v.sequence for v in kept_verdicts(state, KEY)] == [1, 2, 3]
    after = fold_stream(*KEY, kept_records(state, KEY, records))
    assert after.tampered == (alarm,)
    assert after.outcomes[alarm.recorded] is VerdictOutcome.ACCEPTED


def test_the_policy_of_the_last_verdict_of_each_environment_is_kept() -> None:
    other = fold_stream("uat", "shop", [decided(1, verdict(4, environment="uat"))])
    state = fold(oid(1), GENESIS, {KEY: fold_stream(*KEY, HISTORY), ("uat", "shop"): other})
    assert kept_policies(state) == {oid(1003), oid(1004)}


def test_a_retired_cluster_stays_retired_and_is_still_to_be_emptied() -> None:
    first = replace(verdict(1, "a"), targets=("c1", "c2"))
    leaves = Retired(at=at(2), cluster="c1", sequence=1, number=2, by="ada")
    later = replace(verdict(3, "b"), targets=("c2",))
    records: list[Record] = [
        decided(1, first),
        leaves,
        decided(3, later),
        decided(4, replace(later, sequence=4, ref="refs/tags/x")),
    ]
    state = whole(records)
    assert [v.sequence for v in kept_verdicts(state, KEY)] == [1, 4]
    after = fold_stream(*KEY, kept_records(state, KEY, records))
    assert after.retired == (leaves,)
    assert after.desired is not None
    assert after.desired.targets == ("c2",)
    done = replace(leaves, at=at(5), drained=True)
    again = fold_stream(*KEY, kept_records(whole([*records, done]), KEY, [*records, done]))
    assert again.retired == (done,)
