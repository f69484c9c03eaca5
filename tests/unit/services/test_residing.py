"""A verified revision degrades and recovers, by what looks at its targets find."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from distributor.errors.git import PushRejected
from distributor.ledger import fold_stream, soaked
from distributor.model.changes import Actuation, TargetReport
from distributor.model.health import HealthStatus, ObjectHealth
from distributor.model.ledger import InstanceState, Progressed, Step
from distributor.model.refs import ObjectRef
from distributor.model.tags import Verb
from distributor.services.rollouts.residing import Residences
from tests.unit.ledger.story import at, decided, digest, ledger, step, verdict

KEY = ("sit", "shop")
WEB = ObjectRef("apps", "Deployment", "shop", "web")
SHOP = replace(verdict(1, "a"), targets=("one", "two"))
VERIFIED = (
    decided(0, SHOP),
    step(1, Step.VERIFIED, 1, targets={"one": "current", "two": "current"}),
)


class Book:
    """A ledger in memory, with a clock in minutes."""

    def __init__(self, *records) -> None:
        self.records = [*VERIFIED, *records]
        self.minute, self.epoch = 2.0, 0
        self.refuses = False
        self.taken: list[Progressed] = []

    @property
    def here(self) -> InstanceState:
        return fold_stream(*KEY, self.records)

    @property
    def state(self):
        return ledger(self.here)

    def now(self):
        return at(self.minute)

    async def append(self, entry, *, epoch):
        assert epoch == self.epoch
        if self.refuses:
            raise PushRejected
        for key, record in entry.records:
            assert key == KEY
            self.records.append(record)
            self.taken.append(record)


def report(book: Book, cluster: str, health: HealthStatus) -> TargetReport:
    return TargetReport(
        environment="sit", instance="shop", cluster=cluster, sequence=1,
        actuation=Actuation.APPLIED, observed_at=book.now(),
        health=(ObjectHealth(ref=WEB, api_version="apps/v1", status=health),),
    )  # fmt: skip


async def look(book, residences, *, minutes=1.0, given=SHOP, **health):
    """Look at clusters some minutes later; the steps that were recorded for that."""
    book.minute += minutes
    before = len(book.taken)
    for cluster, status in health.items():
        residences.note(report(book, cluster, HealthStatus[status]), given)
    await residences.record()
    return [(r.step, dict(r.targets)) for r in book.taken[before:]]


async def test_a_failure_is_recorded_at_once_and_its_end_too_and_the_soak_stands_still() -> None:
    book = Book()
    seen = Residences(book)
    assert await look(book, seen, one="CURRENT", two="CURRENT") == []
    assert await look(book, seen, one="FAILED") == [(Step.DEGRADED, {"one": "degraded"})]
    assert await look(book, seen, minutes=10, one="FAILED", two="CURRENT") == []
    assert await look(book, seen, one="CURRENT") == [(Step.RECOVERED, {"one": "current"})]
    assert await look(book, seen, one="CURRENT", two="CURRENT") == []
    ((since, until),) = book.here.progress[1].degraded
    assert until - since == timedelta(minutes=11)
    whole = book.now() - at(1)
    assert soaked(book.state, "sit", "shop", digest("a"), book.now()) == whole - (until - since)


async def test_on_the_way_back_counts_only_when_it_lasts() -> None:
    book = Book()
    seen = Residences(book)
    assert await look(book, seen, one="IN_PROGRESS") == []
    assert await look(book, seen, minutes=0.3, one="CURRENT") == []
    assert await look(book, seen, one="IN_PROGRESS") == []
    assert await look(book, seen, minutes=0.3, one="TERMINATING") == []
    assert await look(book, seen, minutes=0.3, one="IN_PROGRESS") == [
        (Step.DEGRADED, {"one": "degraded"})
    ]


async def test_more_targets_that_fail_join_it_and_all_of_them_must_be_well_again() -> None:
    book = Book()
    seen = Residences(book)
    assert len(await look(book, seen, one="FAILED")) == 1
    assert await look(book, seen, two="FAILED") == [(Step.DEGRADED, {"two": "degraded"})]
    assert await look(book, seen, one="CURRENT") == []
    assert await look(book, seen, two="CURRENT") == [
        (Step.RECOVERED, {"one": "current", "two": "current"})
    ]
    assert len(book.here.progress[1].degraded) == 1


async def test_after_a_restart_only_what_is_seen_again_has_recovered() -> None:
    book = Book(step(2, Step.DEGRADED, 1, targets={"one": "degraded"}))
    seen = Residences(book)
    assert await look(book, seen, two="CURRENT") == []
    assert await look(book, seen, one="CURRENT") == [(Step.RECOVERED, {"one": "current"})]


@pytest.mark.parametrize(
    "more",
    [{"actuation": Actuation.UNREACHABLE}, {"delivered": True}, {"health": ()}],
    ids=["unreachable", "delivered", "nothing seen"],
)
@pytest.mark.parametrize("degraded", [True, False])
async def test_who_says_nothing_neither_degrades_nor_recovers(more, degraded) -> None:
    book = Book(*([step(2, Step.DEGRADED, 1, targets={"one": "degraded"})] if degraded else []))
    seen = Residences(book)
    for health in (HealthStatus.CURRENT, HealthStatus.FAILED):
        seen.note(replace(report(book, "one", health), **more), SHOP)
    assert await seen.record() == 0


@pytest.mark.parametrize(
    "records",
    [
        (step(2, Step.FAILED, 1),),
        (decided(2, verdict(2, "b")),),
        (decided(2, verdict(2, verb=Verb.REMOVE)),),
    ],
    ids=["failed", "superseded", "removed"],
)
async def test_what_ended_or_was_superseded_is_not_spoken_of(records) -> None:
    book = Book(*records)
    assert await look(book, Residences(book), one="FAILED") == []


async def test_a_revision_that_is_not_verified_yet_is_the_rollouts_affair() -> None:
    book = Book()
    book.records = [decided(0, SHOP)]
    assert await look(book, Residences(book), one="FAILED") == []


async def test_a_ledger_that_moved_on_is_asked_again_at_the_next_look() -> None:
    book = Book()
    seen = Residences(book)
    book.refuses = True
    assert await look(book, seen, one="FAILED") == []
    book.refuses = False
    assert await look(book, seen) == [(Step.DEGRADED, {"one": "degraded"})]
    other = Residences(book)
    assert await look(book, other, one="FAILED") == []  # another service says it once
