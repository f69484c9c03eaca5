"""Entries of a ledger that wait for one another: one commit for all, and each hears of its own failure."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from distributor.errors.git import LedgerBroken, LedgerRewound, PushRejected, RemoteUnreachable
from distributor.model.ledger import LedgerState, Progressed, Step
from distributor.services.ledger.batching import Batches, Door, Entry, between

AT = datetime(2026, 1, 1, tzinfo=UTC)
NEVER = 3600.0
MANY = ("b", "c", "d", "e", "f")


class Remote:
    """Takes pushes one at a time, each held up until it is let through; fails as told."""

    def __init__(self) -> None:
        self.pushed: list[list[str]] = []
        self.messages: list[str] = []
        self.epoch = 0
        self.rejects = 0
        self.bad = ""
        self.down = False
        self.rewound = False
        self.looks = 0
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.batches = Batches(
            Door(push=self._push, catch_up=self._catch_up, epoch=lambda: self.epoch),
            asyncio.Lock(),
            pause=NEVER,
        )

    async def _push(self, entry: Entry) -> LedgerState:
        names = [key[1] for key, _ in entry.records]
        self.begun.set()
        await self.gate.wait()
        if self.down:
            raise RemoteUnreachable
        if self.bad in names:
            raise LedgerBroken(f"({self.bad})")
        if self.rejects:
            self.rejects -= 1
            raise PushRejected
        self.pushed.append(names)
        self.messages.append(entry.message)
        return cast("LedgerState", len(self.pushed))

    async def _catch_up(self) -> None:
        self.looks += 1
        if self.rewound:
            raise LedgerRewound
        self.epoch += 1

    def add(
        self, name: str, epoch: int | None = None, *, patient: bool = False
    ) -> asyncio.Task[Any]:
        record = (("sit", name), Progressed(at=AT, step=Step.STARTED, sequence=1))
        entry = Entry(records=[record], message=f"note {name}", patient=patient)
        return asyncio.create_task(self.batches.add(entry, epoch))

    async def behind(self, *names: str) -> list[asyncio.Task[Any]]:
        """Tasks of these entries, handed in while the push of `first` is held up; that one is first."""
        tasks = [self.add("first")]
        await self.begun.wait()
        tasks += [self.add(name) for name in names]
        await asyncio.sleep(0)
        return tasks


async def test_what_waits_for_a_push_goes_into_the_next_commit_together_in_order():
    remote = Remote()
    tasks = await remote.behind("b", "a", "c")
    remote.gate.set()
    assert await asyncio.gather(*tasks) == [1, 2, 2, 2]
    assert remote.pushed == [["first"], ["b", "a", "c"]]
    assert remote.messages == ["note first", "note b and 2 more\n\nnote b\nnote a\nnote c"]


async def test_after_a_rest_a_new_entry_is_pushed():
    remote = Remote()
    remote.gate.set()
    await remote.add("a")
    await remote.add("b")
    assert remote.pushed == [["a"], ["b"]]


async def test_somebody_who_was_faster_costs_another_try_of_facts_but_not_of_decisions():
    remote = Remote()
    remote.rejects = 1
    fact, decision = remote.add("fact"), remote.add("decision", epoch=0)
    late = remote.add("late", epoch=5)
    remote.gate.set()
    await fact
    with pytest.raises(PushRejected):
        await decision
    with pytest.raises(PushRejected):
        await late
    assert remote.pushed == [["fact"]]


async def test_one_that_is_rejected_again_and_again_fails_in_the_end():
    remote = Remote()
    remote.rejects = 1_000
    remote.gate.set()
    with pytest.raises(PushRejected):
        await remote.add("a")
    assert remote.looks == 8


async def test_an_entry_that_cannot_be_written_fails_alone():
    remote = Remote()
    remote.bad = "bad"
    first, good, bad, other = await remote.behind("good", "bad", "other")
    remote.gate.set()
    await asyncio.gather(first, good, other)
    with pytest.raises(LedgerBroken):
        await bad
    assert remote.pushed == [["first"], ["good"], ["other"]]


@pytest.mark.parametrize("how", ["down", "rewound"])
async def test_what_is_wrong_for_all_is_told_to_all_at_once(how):
    remote = Remote()
    tasks = await remote.behind("a", "b")
    remote.down, remote.rewound, remote.rejects = how == "down", how == "rewound", 1_000
    remote.gate.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    kind = RemoteUnreachable if how == "down" else LedgerRewound
    assert [type(error) for error in found] == [kind] * 3
    assert remote.looks == (
        0 if how == "down" else 2
    )  # one a push: of the first, and of the others


async def test_who_stops_waiting_takes_the_entry_back_and_the_others_go_on():
    remote = Remote()
    first, gone, other = await remote.behind("gone", "other")
    gone.cancel()
    remote.gate.set()
    await asyncio.gather(first, other)
    assert remote.pushed == [["first"], ["other"]]
    assert gone.cancelled()


async def test_what_is_on_its_way_arrives_though_nobody_waits_and_can_be_waited_for():
    remote = Remote()
    first, other = await remote.behind("other")
    first.cancel()
    remote.gate.set()
    await other
    await remote.batches.settle()
    assert remote.pushed == [["first"], ["other"]]


async def test_nothing_is_waited_for_where_nothing_was_handed_in():
    await Remote().batches.settle()


async def test_where_many_are_under_way_patient_ones_go_along_with_the_next_that_is_not():
    remote = Remote()
    tasks = await remote.behind(*MANY)
    remote.gate.set()
    await asyncio.gather(*tasks)
    patient = [remote.add(name, patient=True) for name in ("x", "y")]
    for _ in range(10):
        await asyncio.sleep(0)
    assert remote.pushed == [["first"], list(MANY)]
    await asyncio.gather(remote.add("now"), *patient)
    assert remote.pushed[2:] == [["x", "y", "now"]]


async def test_where_few_are_under_way_a_patient_one_waits_for_nobody():
    remote = Remote()
    tasks = await remote.behind("b", "c")
    remote.gate.set()
    await asyncio.gather(*tasks)
    await remote.add("x", patient=True)
    assert remote.pushed[2:] == [["x"]]


async def test_patient_ones_are_pushed_when_their_time_is_over_or_the_service_ends():
    remote = Remote()
    remote.batches = Batches(
        Door(push=remote._push, catch_up=remote._catch_up, epoch=lambda: 0),
        asyncio.Lock(),
        pause=0.01,
    )
    remote.gate.set()
    await asyncio.gather(*(remote.add(name) for name in MANY))
    await remote.add("x", patient=True)
    assert remote.pushed[1:] == [["x"]]
    remote = Remote()
    remote.gate.set()
    await asyncio.gather(*(remote.add(name) for name in MANY))
    last = remote.add("x", patient=True)
    await asyncio.sleep(0)
    await asyncio.gather(remote.batches.settle(), last)
    assert remote.pushed[1:] == [["x"]]


@pytest.mark.parametrize(
    ("took", "expected"),
    [(0.1, 1.0), (0.25, 1.0), (0.5, 2.0), (1.5, 6.0), (30.0, 35.0)],
)
def test_where_a_push_takes_long_many_share_fewer_of_them(took, expected):
    assert between(took, 1.0) == pytest.approx(expected)
