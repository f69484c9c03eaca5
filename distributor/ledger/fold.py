"""The fold: records, in the order of their file, add up to the state of an instance.

A mutable builder takes the records in, so that the cost of one does not grow with the history; the
state that comes out is frozen and shares nothing with the builder. The result depends on the records
alone: no clock, and no order in which tags arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from distributor.errors.git import LedgerBroken
from distributor.ledger.progress import Draft
from distributor.model.ledger import (
    Acknowledged,
    Archived,
    Claimed,
    Consented,
    Debt,
    Decided,
    FleetChanged,
    Genesis,
    HoldSet,
    InstanceState,
    Key,
    KeyChanged,
    LedgerState,
    Observed,
    Parted,
    Progress,
    Progressed,
    Record,
    Retired,
    Step,
    Tampered,
    Thrown,
    VetoSet,
)
from distributor.model.promotion import Verdict, VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.tags import SET_MARK, Verb

_ENDS = {
    Verb.PROMOTE: Step.REPLACED,
    Verb.ROLLBACK: Step.ROLLED_BACK,
    Verb.REMOVE: Step.REMOVED,
    Verb.FAILOVER: Step.REPLACED,
    Verb.FAILBACK: Step.REPLACED,
}
"""The verbs that change desired state, and how each ends the revision before it."""
THROWN = frozenset({Verb.PAUSE, Verb.RESUME, Verb.ABORT, Verb.RETRY})
"""The switches of a rollout."""


@dataclass(slots=True)
class _Builder:
    """The state of one instance while records are taken in."""

    environment: str
    instance: str
    accepted: list[Verdict] = field(default_factory=list)
    accepted_at: dict[int, datetime] = field(default_factory=dict)
    outcomes: dict[ObjectId, VerdictOutcome] = field(default_factory=dict)
    last_verdicts: dict[str, Verdict] = field(default_factory=dict)
    observed: dict[str, ObjectId] = field(default_factory=dict)
    observed_at: dict[str, datetime] = field(default_factory=dict)
    progress: dict[int, Progress] = field(default_factory=dict)
    drafts: dict[int, Draft] = field(default_factory=dict)
    claim: Claimed | None = None
    claims: int = 0
    holds: list[HoldSet] = field(default_factory=list)
    vetoes: list[VetoSet] = field(default_factory=list)
    fleet: list[FleetChanged] = field(default_factory=list)
    switches: list[Thrown] = field(default_factory=list)
    tampered: list[Tampered] = field(default_factory=list)
    archived: set[str] = field(default_factory=set)
    consents: list[Consented] = field(default_factory=list)
    debts: list[Debt] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    retired: list[Retired] = field(default_factory=list)
    parted: list[Parted] = field(default_factory=list)
    records: int = 0
    sequence: int = 0
    last_at: datetime | None = None

    def take(self, record: Record) -> None:
        """Take one record in; raises ``LedgerBroken`` where it contradicts those before it."""
        self.records += 1
        if self.last_at is None or record.at > self.last_at:
            self.last_at = record.at
        if isinstance(record, Observed | Decided | Claimed | Progressed):
            self._work(record)
        else:
            self._switch(record)

    def _work(self, record: Observed | Decided | Claimed | Progressed) -> None:
        match record:
            case Progressed():
                self._draft(record.sequence).take(record)
            case Observed():
                self.observed.setdefault(record.ref, record.tag)
                self.observed_at.setdefault(record.ref, record.at)
            case Decided():
                self._decided(record.verdict, record.at)
            case Claimed():
                self._claimed(record)
            case _:
                assert_never(record)

    def _switch(
        self,
        record: HoldSet | VetoSet | FleetChanged | Tampered | Acknowledged | Archived | Consented
        | KeyChanged | Retired | Parted,
    ) -> None:  # fmt: skip
        match record:
            case HoldSet():
                self._hold(record)
            case VetoSet():
                self._veto(record)
            case FleetChanged() | Retired():
                self._targets_changed(record)
            case Tampered() | Parted():
                self._alarmed(record)
            case Acknowledged():
                self._acknowledged(record)
            case Archived():
                self._archived(record.ref)
            case Consented():
                self._consented(record)
            case KeyChanged():
                self.keys.append(record.key)
            case _:
                assert_never(record)

    def _alarmed(self, record: Tampered | Parted) -> None:
        """Each alarm once. That an archived tag is gone is none, for whoever saw that before the record."""
        if isinstance(record, Parted):
            self.parted = [each for each in self.parted if each.ref != record.ref] + [record]
            return
        known = any((t.ref, t.found) == (record.ref, record.found) for t in self.tampered)
        if not known and (record.found or record.ref not in self.archived):
            self.tampered.append(record)

    def _archived(self, ref: str) -> None:
        self.archived.add(ref)
        self.tampered = [alarm for alarm in self.tampered if alarm.ref != ref or alarm.found]

    def _consented(self, record: Consented) -> None:
        """One that is about another verdict than the last accepted says nothing."""
        last = self.accepted[-1].sequence if self.accepted else 0
        if record.sequence == last and record not in self.consents:
            self.consents.append(record)

    def _targets_changed(self, record: FleetChanged | Retired) -> None:
        if isinstance(record, Retired):
            self._retired(record)
        else:
            self._fleet_changed(record)

    def _retired(self, record: Retired) -> None:
        """The cluster is no target from then on; that it was emptied counts only while that stands."""
        if record.drained and not any(r.number == record.number for r in self.retired):
            return
        self.retired = [r for r in self.retired if r.cluster != record.cluster] + [record]
        last = self.accepted[-1] if self.accepted else None
        if last is not None and last.sequence == record.sequence:
            targets = tuple(name for name in last.targets if name != record.cluster)
            self.accepted[-1] = replace(last, targets=targets)

    def _fleet_changed(self, record: FleetChanged) -> None:
        """A cluster that joined is a target of the accepted revision from then on."""
        self.fleet.append(record)
        last = self.accepted[-1] if self.accepted else None
        if record.joined and last is not None and last.sequence == record.sequence:
            targets = tuple(sorted({*last.targets, record.cluster}))
            self.accepted[-1] = replace(last, targets=targets)
            self.retired = [r for r in self.retired if r.cluster != record.cluster]

    def _decided(self, verdict: Verdict, at: datetime) -> None:
        before = self.last_verdicts.get(verdict.ref)
        if before is not None and before.accepted and before.tag == verdict.tag:
            if verdict.sequence != before.sequence:
                raise LedgerBroken(f"{verdict.ref} was accepted before and is decided again.")
            return  # the same fact twice
        if verdict.accepted and verdict.sequence <= self.sequence:
            raise LedgerBroken(
                f"{verdict.ref} has sequence {verdict.sequence}, not above {self.sequence}."
            )
        self.last_verdicts[verdict.ref] = verdict
        self.outcomes[verdict.tag] = verdict.outcome
        if not verdict.accepted:
            return
        self.sequence = verdict.sequence
        if verdict.overridden:
            self.debts.append(_debt(verdict, at))
        if verdict.verb in _ENDS and not verdict.instance.startswith(SET_MARK):
            self._desired(verdict, at)
        elif verdict.verb in THROWN:
            self._thrown(verdict, at)

    def _desired(self, verdict: Verdict, at: datetime) -> None:
        if self.accepted:
            self._draft(self.accepted[-1].sequence).end(_ENDS[verdict.verb], at)
            if not _same(self.accepted[-1], verdict):
                self.consents.clear()
        self.accepted.append(verdict)
        self.accepted_at[verdict.sequence] = at
        self._draft(verdict.sequence)
        self.fleet.clear()
        self.retired = [r for r in self.retired if r.cluster not in verdict.targets]
        if verdict.verb is Verb.PROMOTE and verdict.revision is not None:
            # Gate 4 lets only a person's promotion past a rollback's hold, so being accepted ends it.
            left = verdict.revision.digest
            self.holds = [h for h in self.holds if not h.digest or h.digest == left]

    def _thrown(self, verdict: Verdict, at: datetime) -> None:
        self.switches.append(
            Thrown(
                at=at,
                verb=verdict.verb,
                by=verdict.principal,
                ref=verdict.ref,
                reason=verdict.reason,
            )
        )
        if verdict.verb is Verb.RETRY and self.accepted:
            self._draft(self.accepted[-1].sequence).retry()

    def _draft(self, sequence: int) -> Draft:
        """The draft of one verdict's progress; only those that records touch are made."""
        draft = self.drafts.get(sequence)
        if draft is None:
            known = self.progress.get(sequence)
            draft = Draft.of(known) if known is not None else Draft(sequence)
            self.drafts[sequence] = draft
        return draft

    def _claimed(self, record: Claimed) -> None:
        if record.number >= self.claims:
            self.claim, self.claims = record, record.number

    def _hold(self, record: HoldSet) -> None:
        if not record.on:
            self.holds.clear()
        elif record not in self.holds:
            self.holds.append(record)

    def _veto(self, record: VetoSet) -> None:
        about = (record.app, record.version)
        if not record.on:
            self.vetoes = [v for v in self.vetoes if (v.app, v.version) != about]
        elif record not in self.vetoes:
            self.vetoes.append(record)

    def _acknowledged(self, record: Acknowledged) -> None:
        kept: list[Tampered] = []
        for alarm in self.tampered:
            if record.ref and alarm.ref != record.ref:
                kept.append(alarm)
            elif alarm.ref in self.observed:  # a tag, not a branch
                self._known_as(alarm, record.at)
        self.tampered = kept
        self.parted = [each for each in self.parted if record.ref not in ("", each.ref)]
        self.debts = [d for d in self.debts if d.ref != record.ref or d.by == record.by]

    def _known_as(self, alarm: Tampered, at: datetime) -> None:
        """What was found is known from its acknowledgement on, and raises no further alarm."""
        if alarm.found:
            self.observed[alarm.ref] = ObjectId(alarm.found)
            self.observed_at[alarm.ref] = at
        else:
            self.archived.add(alarm.ref)

    def state(self) -> InstanceState:
        """The frozen state; the builder is used up."""
        return InstanceState(
            environment=self.environment,
            instance=self.instance,
            accepted=tuple(self.accepted),
            accepted_at=self.accepted_at,
            outcomes=self.outcomes,
            last_verdicts=self.last_verdicts,
            observed=self.observed,
            observed_at=self.observed_at,
            progress=self.progress | {n: draft.freeze() for n, draft in self.drafts.items()},
            claim=self.claim,
            claims=self.claims,
            holds=tuple(self.holds),
            vetoes=tuple(self.vetoes),
            fleet=tuple(self.fleet),
            switches=tuple(self.switches),
            tampered=tuple(self.tampered),
            archived=frozenset(self.archived),
            records=self.records,
            sequence=self.sequence,
            last_at=self.last_at,
            consents=tuple(self.consents),
            debts=tuple(self.debts),
            keys=tuple(self.keys),
            retired=tuple(self.retired),
            parted=tuple(self.parted),
        )


def _debt(verdict: Verdict, at: datetime) -> Debt:
    return Debt(
        at=at,
        ref=verdict.ref,
        by=verdict.principal,
        gates=verdict.overridden,
        reason=verdict.reason,
    )


def _same(before: Verdict, after: Verdict) -> bool:
    """Whether the same revision was asked for once more: then what was agreed to still is."""
    removing = (before.verb is Verb.REMOVE, after.verb is Verb.REMOVE)
    same = (before.revision, before.stands_in) == (after.revision, after.stands_in)
    return same and removing in {(True, True), (False, False)}


def _resume(base: InstanceState) -> _Builder:
    return _Builder(
        environment=base.environment,
        instance=base.instance,
        accepted=list(base.accepted),
        accepted_at=dict(base.accepted_at),
        outcomes=dict(base.outcomes),
        last_verdicts=dict(base.last_verdicts),
        observed=dict(base.observed),
        observed_at=dict(base.observed_at),
        progress=dict(base.progress),
        claim=base.claim,
        claims=base.claims,
        holds=list(base.holds),
        vetoes=list(base.vetoes),
        fleet=list(base.fleet),
        switches=list(base.switches),
        tampered=list(base.tampered),
        archived=set(base.archived),
        records=base.records,
        sequence=base.sequence,
        last_at=base.last_at,
        consents=list(base.consents),
        debts=list(base.debts),
        keys=list(base.keys),
        retired=list(base.retired),
        parted=list(base.parted),
    )


def fold_stream(
    environment: str,
    instance: str,
    records: Iterable[Record],
    base: InstanceState | None = None,
) -> InstanceState:
    """The state after ``records``, taken in on top of ``base`` (nothing, where it is ``None``).

    Folding in pieces gives the same as folding at once. Raises ``LedgerBroken`` where a record
    contradicts those before it.
    """
    builder = _resume(base) if base is not None else _Builder(environment, instance)
    for record in records:
        builder.take(record)
    return builder.state()


def fold(head: ObjectId, genesis: Genesis, instances: Mapping[Key, InstanceState]) -> LedgerState:
    """The state of a whole ledger at one head.

    ``sequence`` is the highest number given out, in this ledger or in one that it renews. Raises
    ``LedgerBroken`` where two verdicts share a number.
    """
    times = [s.last_at for s in instances.values() if s.last_at is not None]
    _unique(instances.values())
    return LedgerState(
        head=head,
        genesis=genesis,
        instances=dict(instances),
        sequence=max([genesis.next_sequence - 1, *(s.sequence for s in instances.values())]),
        last_at=max([genesis.at, *times]),
    )


def _unique(states: Iterable[InstanceState]) -> None:
    seen: dict[int, str] = {}
    for state in states:
        for verdict in state.accepted:
            other = seen.setdefault(verdict.sequence, verdict.ref)
            if other != verdict.ref:
                raise LedgerBroken(
                    f"{other} and {verdict.ref} share the sequence number {verdict.sequence}."
                )
