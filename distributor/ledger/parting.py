"""Parting: what was recorded apart from the shared ledger, and how it goes on top of what moved there meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from distributor.model.ledger import (
    Claimed,
    Consented,
    Decided,
    FleetChanged,
    Key,
    LedgerState,
    Observed,
    Parted,
    Progressed,
    Record,
)
from distributor.model.promotion import Verdict

Lines = Mapping[Key, Sequence[Record]]
"""Records by environment and instance, in the order of each file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejoined:
    """What is appended: the records under their new numbers, and which pinned verdict has which number now."""

    records: tuple[tuple[Key, Record], ...]
    numbers: Mapping[int, int]
    pinned: tuple[Verdict, ...]  # as they were numbered apart


def rejoined(apart: Lines, shared: LedgerState, moved: Collection[Key], now: datetime) -> Rejoined:
    """The records of a ledger apart, on top of the shared one.

    Accepted verdicts get numbers above all that were given out meanwhile, in their own order; one that the
    shared ledger has already keeps the number that it has there. Claims stay behind: whoever goes on claims
    anew. An instance whose file moved meanwhile stops until somebody acknowledges that.
    """
    numbers = _numbers(apart, shared)
    found: list[tuple[Key, Record]] = []
    pinned: list[Verdict] = []
    for key, records in apart.items():
        here = shared.instance(*key)
        known = {(v.ref, v.tag) for v in here.last_verdicts.values() if v.accepted}
        last = None
        for record in records:
            if isinstance(record, Claimed) or _known(record, known):
                continue
            if isinstance(record, Decided) and record.verdict.accepted:
                pinned.append(record.verdict)
                last = record.verdict
            found.append((key, _told_anew(record, numbers, here.last_at)))
        if last is not None and key in moved:
            there = here.desired.ref if here.desired is not None else ""
            found.append((key, Parted(at=now, ref=last.ref, tag=last.tag, found=there)))
    return Rejoined(records=tuple(found), numbers=numbers, pinned=tuple(pinned))


def _numbers(apart: Lines, shared: LedgerState) -> dict[int, int]:
    verdicts = [
        (key, record.verdict)
        for key, records in apart.items()
        for record in records
        if isinstance(record, Decided) and record.verdict.accepted
    ]
    numbers: dict[int, int] = {}
    following = max(shared.sequence + 1, shared.genesis.next_sequence)
    for key, verdict in sorted(verdicts, key=lambda item: item[1].sequence):
        there = shared.instance(*key).last_verdicts.get(verdict.ref)
        if there is not None and there.accepted and there.tag == verdict.tag:
            numbers[verdict.sequence] = there.sequence
            continue
        numbers[verdict.sequence] = max(following, verdict.sequence)
        following = numbers[verdict.sequence] + 1
    return numbers


def _known(record: Record, known: Collection[tuple[str, str]]) -> bool:
    """Whether the shared ledger says so already: a push may have arrived whose answer was lost."""
    match record:
        case Decided(verdict=verdict):
            return (verdict.ref, verdict.tag) in known
        case Observed():
            return (record.ref, record.tag) in known
        case _:
            return False


def _told_anew(record: Record, numbers: Mapping[int, int], last: datetime | None) -> Record:
    """A record with its new number; the time of a file never goes back."""
    if last is not None and record.at < last:
        record = replace(record, at=last)
    match record:
        case Decided(verdict=verdict) if verdict.accepted:
            new = replace(verdict, sequence=numbers[verdict.sequence])
            return replace(record, verdict=new)
        case Progressed() | FleetChanged() | Consented():
            return replace(record, sequence=numbers.get(record.sequence, record.sequence))
        case _:
            return record
