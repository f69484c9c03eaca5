"""Which tags the shared repository need not keep."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.ledger import fold_stream
from distributor.ledger.archiving import archivable
from distributor.model.ledger import Archived, Record, Tampered
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from tests.unit.ledger.story import at, decided, observed, oid, verdict

OLD, NEW = verdict(1, "a"), verdict(2, "b")
REFUSED = verdict(0, "x", outcome=VerdictOutcome.REFUSED)
WAITS = verdict(0, "w", outcome=VerdictOutcome.PENDING)
SAID = replace(verdict(5, verb=Verb.APPROVE), commit=WAITS.tag)
ALL = (OLD, REFUSED, NEW, WAITS, SAID)


def history(*more: Record) -> tuple[Record, ...]:
    seen = [observed(n, v.ref, int(v.tag, 16)) for n, v in enumerate(ALL)]
    return (*seen, *(decided(10 + n, v) for n, v in enumerate(ALL)), *more)


def refs(*more: Record, before=100, tags=None, raws=None) -> set[str]:
    state = fold_stream("sit", "shop", history(*more))
    there = {v.ref: v.tag for v in ALL} if tags is None else tags
    kept = {(v.ref, v.tag) for v in ALL} if raws is None else raws
    return {ref for ref, _ in archivable(state, there, kept, at(before))}


def test_what_is_decided_and_no_more_desired_may_go() -> None:
    assert refs() == {OLD.ref, REFUSED.ref}


def test_an_approval_goes_when_its_request_is_decided() -> None:
    done = replace(WAITS, outcome=VerdictOutcome.REFUSED)
    assert refs(decided(20, done)) == {OLD.ref, REFUSED.ref, WAITS.ref, SAID.ref}


@pytest.mark.parametrize("more", [{"before": 0}, {"tags": {}}, {"raws": ()}])
def test_not_what_is_young_or_gone_or_of_which_the_ledger_has_no_bytes(more) -> None:
    assert refs(**more) == set()


def test_not_what_moved_or_raised_an_alarm() -> None:
    assert refs(tags={OLD.ref: oid(77), REFUSED.ref: REFUSED.tag}) == {REFUSED.ref}
    assert refs(Tampered(at=at(30), ref=OLD.ref, recorded=OLD.tag, found=oid(8))) == {REFUSED.ref}


def test_that_an_archived_tag_is_gone_is_no_alarm_in_either_order() -> None:
    gone = Tampered(at=at(30), ref=OLD.ref, recorded=OLD.tag)
    moved = replace(gone, found=oid(8))
    archived = Archived(at=at(30), ref=OLD.ref, tag=OLD.tag)
    for records in ((gone, archived), (archived, gone)):
        assert fold_stream("sit", "shop", history(*records)).tampered == ()
    for records in ((moved, archived), (archived, moved)):
        assert fold_stream("sit", "shop", history(*records)).tampered == (moved,)
