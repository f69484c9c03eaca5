"""Parting: records made apart from a ledger, on top of what it has by then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.ledger import fold, fold_stream, stopped
from distributor.ledger.parting import rejoined
from distributor.model.ledger import (
    Acknowledged,
    Claimed,
    Decided,
    Observed,
    Parted,
    Progressed,
    Step,
)
from distributor.model.tags import Verb
from tests.unit.ledger.story import GENESIS, at, decided, oid, step, verdict

KEY = ("dr", "shop")


def over(sequence: int, verb: Verb = Verb.FAILOVER):
    given = verdict(sequence, environment="dr", verb=verb)
    return replace(given, stands_in="prd" if verb is Verb.FAILOVER else "", tag=oid(900 + sequence))


def shared(*records, others=()):
    """A shared ledger with some records of dr/shop, and of sit/shop."""
    instances = {
        KEY: fold_stream(*KEY, [decided(1, verdict(1, environment="dr")), *records]),
        ("sit", "shop"): fold_stream("sit", "shop", others),
    }
    return fold(oid(1), GENESIS, instances)


def apart(sequence: int = 2, minute: float = 10):
    given = over(sequence)
    return (
        Observed(at=at(minute), ref=given.ref, tag=given.tag),
        decided(minute, given),
        Claimed(at=at(minute), holder="a", number=7, expires=at(minute + 1)),
        step(minute + 1, Step.STARTED, sequence),
        step(minute + 2, Step.VERIFIED, sequence),
    )


def after(state, new):
    """The file of dr/shop with what went on top."""
    return fold_stream(*KEY, [r for k, r in new.records if k == KEY], state.instance(*KEY))


def test_an_instance_that_did_not_move_goes_on_with_what_was_recorded_apart() -> None:
    state = shared(others=(decided(3, verdict(2)), decided(4, verdict(5))))
    new = rejoined({KEY: apart()}, state, {("sit", "shop")}, at(30))
    assert new.numbers == {2: 6}
    assert [v.sequence for v in new.pinned] == [2]
    here = after(state, new)
    assert (here.desired.sequence, here.desired.stands_in) == (6, "prd")
    assert here.progress[6].verified_at == at(12)
    assert here.claim is None
    assert here.parted == ()


def test_a_number_that_nobody_took_is_kept() -> None:
    new = rejoined({KEY: apart(9)}, shared(), (), at(30))
    assert new.numbers == {9: 9}


def test_several_verdicts_keep_their_order_and_never_share_a_number() -> None:
    records = (*apart(2), *apart(3, 20), decided(30, over(4, Verb.FAILBACK)))
    state = shared(others=(decided(3, verdict(3)),))
    new = rejoined({KEY: records}, state, (), at(40))
    assert new.numbers == {2: 4, 3: 5, 4: 6}
    assert [v.sequence for v in after(state, new).accepted] == [1, 4, 5, 6]


def test_an_instance_that_moved_has_both_and_stops_until_somebody_says_so() -> None:
    there = verdict(2, "b", environment="dr")
    state = shared(decided(20, there))
    new = rejoined({KEY: apart()}, state, {KEY}, at(30))
    here = after(state, new)
    assert [v.sequence for v in here.accepted] == [1, 2, 3]
    (parted,) = here.parted
    assert (parted.tag, parted.found) == (over(2).tag, there.ref)
    whole = fold(oid(2), GENESIS, {KEY: here})
    assert there.ref in stopped(whole, *KEY)
    assert not stopped(whole, "sit", "shop")
    done = fold_stream(*KEY, [Acknowledged(at=at(40), ref=parted.ref, by="ada")], here)
    assert done.parted == ()
    other = fold_stream(*KEY, [Acknowledged(at=at(40), ref="another", by="ada")], here)
    assert other.parted == (parted,)


def test_the_time_of_a_file_never_goes_back() -> None:
    state = shared(decided(20, verdict(2, "b", environment="dr")))
    new = rejoined({KEY: apart()}, state, {KEY}, at(30))
    times = [record.at for _, record in new.records]
    assert times == sorted(times)
    assert min(times) == at(20)


def test_a_push_that_arrived_though_nobody_heard_of_it_is_no_second_verdict() -> None:
    observed, given, *progress = apart()
    state = shared(observed, given, others=(decided(3, verdict(4)),))
    new = rejoined({KEY: apart()}, state, (), at(30))
    assert new.numbers == {2: 2}
    assert not [r for _, r in new.records if isinstance(r, Decided | Observed | Parted | Claimed)]
    assert [r.sequence for _, r in new.records if isinstance(r, Progressed)] == [2, 2]
    assert new.pinned == ()
    assert progress


@pytest.mark.parametrize("verb", [Verb.FAILOVER, Verb.FAILBACK])
def test_a_refusal_is_recorded_and_stops_nothing(verb: Verb) -> None:
    refused = replace(over(0, verb), outcome="refused")
    new = rejoined({KEY: (decided(10, refused),)}, shared(), {KEY}, at(30))
    assert [r for _, r in new.records] == [decided(10, refused)]
