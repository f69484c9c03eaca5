"""Renewal: which records of a ledger go over into one that begins anew, and which trees they need."""

from __future__ import annotations

from collections.abc import Iterable

from distributor.ledger.queries import policy_commits, rollback_candidates
from distributor.model.ledger import (
    Archived,
    Claimed,
    Consented,
    Decided,
    FleetChanged,
    HoldSet,
    InstanceState,
    Key,
    LedgerState,
    Observed,
    Parted,
    Progressed,
    Record,
    Retired,
    Tampered,
    VetoSet,
)
from distributor.model.promotion import Verdict
from distributor.model.refs import ObjectId


def kept_verdicts(state: LedgerState, key: Key) -> tuple[Verdict, ...]:
    """The accepted verdicts that go over: the desired one, the one to roll back to, those with debt or alarm."""
    here = state.instance(*key)
    wanted = {v.sequence for v in rollback_candidates(state, *key)[:1]}
    wanted |= {v.sequence for v in here.accepted[-1:]}
    wanted |= {retired.sequence for retired in here.retired if not retired.drained}
    owing = {debt.ref for debt in here.debts} | {alarm.ref for alarm in here.tampered}
    owing |= {each.ref for each in here.parted}
    return tuple(v for v in here.accepted if v.sequence in wanted or v.ref in owing)


def kept_policies(state: LedgerState) -> frozenset[ObjectId]:
    """The commits whose policies judge what is asked next."""
    environments = {environment for environment, _ in state.instances}
    return frozenset(c for e in environments for c in policy_commits(state, e))


def kept_records(state: LedgerState, key: Key, records: Iterable[Record]) -> tuple[Record, ...]:
    """The records of one file that go over, in their order: what is desired, what stands, who works on it.

    Their fold has the same desired revision with its progress, switches and consents, and the same holds,
    vetoes, alarms and debts.
    """
    here = state.instance(*key)
    verdicts = kept_verdicts(state, key)
    kept = _Kept(
        here=here,
        sequences=frozenset(v.sequence for v in verdicts),
        refs=frozenset(v.ref for v in verdicts) | _thrown(here) | {t.ref for t in here.tampered},
    )
    return tuple(record for record in records if kept.wants(record))


def _thrown(here: InstanceState) -> frozenset[str]:
    """The switches of rollouts that still count."""
    since = here.accepted_at.get(here.desired.sequence) if here.desired else None
    return frozenset(t.ref for t in here.switches if since is None or t.at >= since)


class _Kept:
    """What stands in one file."""

    def __init__(
        self, *, here: InstanceState, sequences: frozenset[int], refs: frozenset[str]
    ) -> None:
        self._here = here
        self._sequences = sequences
        self._refs = refs

    def wants(self, record: Record) -> bool:
        """Whether a record goes over."""
        match record:
            case Observed() | Archived():
                return record.ref in self._refs
            case Decided(verdict=verdict):
                return verdict.accepted and verdict.ref in self._refs
            case Progressed() | FleetChanged():
                return record.sequence in self._sequences
            case Retired():
                standing = {retired.number for retired in self._here.retired}
                return record.number in standing or record.sequence in self._sequences
            case HoldSet() | VetoSet() | Tampered() | Consented():
                here = self._here
                return record in (*here.holds, *here.vetoes, *here.tampered, *here.consents)
            case Parted():
                return record in self._here.parted
            case Claimed():
                return record == self._here.claim
            case _:
                return False
