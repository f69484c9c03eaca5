"""Requests that wait are asked again when something moved or their time has come, and not at every pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from distributor.model.promotion import GateAnswer, GateResult, Verdict, VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.tags import Verb
from distributor.services.promotion.pending import Pending, Seen

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TAG = ("promote/uat/shop/1.0.0", ObjectId("1" * 40))
SEEN = Seen(main=ObjectId("a" * 40), ledger=ObjectId("b" * 40))


def verdict(*answers: GateAnswer, outcome=VerdictOutcome.PENDING) -> Verdict:
    return Verdict(
        ref=TAG[0],
        tag=TAG[1],
        verb=Verb.PROMOTE,
        environment="uat",
        instance="shop",
        outcome=outcome,
        answers=answers,
        principal="ann",
    )


def answer(result: GateResult, hours: int | None = None) -> GateAnswer:
    until = None if hours is None else NOW + hours * HOUR
    return GateAnswer(number=6, gate="soak", result=result, until=until)


WAITS = answer(GateResult.PENDING, 1)


@pytest.mark.parametrize(
    ("answers", "seen", "hours", "still"),
    [
        ((WAITS,), SEEN, 0, True),
        ((WAITS,), SEEN, 1, False),
        ((WAITS, answer(GateResult.PENDING, 2)), SEEN, 1, False),
        ((answer(GateResult.PENDING),), SEEN, 99, True),
        ((WAITS, answer(GateResult.WARN, 0)), SEEN, 0, True),
        ((WAITS, answer(GateResult.ERROR)), SEEN, 0, False),
        ((WAITS,), Seen(main=SEEN.main, ledger=ObjectId("c" * 40)), 0, False),
        ((WAITS,), Seen(main=ObjectId("c" * 40), ledger=SEEN.ledger), 0, False),
    ],
)
def test_whether_it_is_as_before(
    answers: tuple[GateAnswer, ...], seen: Seen, hours: int, *, still: bool
) -> None:
    pending = Pending()
    assert not pending.still(TAG, seen, NOW)  # never asked
    pending.note(TAG, verdict(*answers), SEEN)
    assert pending.still(TAG, seen, NOW + hours * HOUR) is still


def test_the_first_of_all_times_is_named() -> None:
    pending, other = Pending(), ("promote/uat/web/1.0.0", ObjectId("2" * 40))
    assert pending.ask_at is None
    pending.note(TAG, verdict(WAITS, answer(GateResult.PENDING, 3)), SEEN)
    pending.note(other, verdict(answer(GateResult.PENDING, 2)), SEEN)
    assert pending.ask_at == NOW + HOUR
    pending.begin_pass([other])  # the first is not open any more
    assert pending.ask_at == NOW + 2 * HOUR
    pending.note(other, verdict(outcome=VerdictOutcome.ACCEPTED), SEEN)
    assert pending.ask_at is None


def test_what_is_to_be_asked_again_is_held_up_by_nothing_noted_before() -> None:
    pending = Pending()
    pending.note(TAG, verdict(answer(GateResult.PENDING)), SEEN)
    moved = Seen(main=ObjectId("c" * 40), ledger=SEEN.ledger)
    assert not pending.still(TAG, moved, NOW)
    assert not pending.still(TAG, SEEN, NOW)  # though all is as it was again: its render may go on
    assert pending.ask_at is None
