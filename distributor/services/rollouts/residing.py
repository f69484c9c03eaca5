"""Residing: a verified revision whose targets stop being healthy is recorded as degraded, until they are again.

Soak is counted from these records alone. Derived from what was seen and what the ledger says, so that
none is lost: a record that could not be appended is owed at the next look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from distributor import log
from distributor.errors import DistributorError
from distributor.model.changes import Actuation, TargetReport
from distributor.model.health import HealthStatus
from distributor.model.ledger import InstanceState, Key, Progressed, Step
from distributor.model.promotion import Verdict
from distributor.model.tags import Verb
from distributor.services.ledger.book import Entry, LedgerBook
from distributor.services.rollouts.works import health_of

DEGRADED, CURRENT = "degraded", "current"
"""What a record says of a cluster."""
_BLIP = timedelta(seconds=30)
"""How long a target may be on its way back before that counts: a pod that moves is no degradation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The health of one target on one revision, and since when it is healthy, or is not."""

    sequence: int
    health: HealthStatus
    since: datetime

    @property
    def healthy(self) -> bool:
        """Whether all its objects are current."""
        return self.health is HealthStatus.CURRENT

    def bad(self, now: datetime) -> bool:
        """Whether it has failed, or has not been healthy for longer than a blip."""
        return self.health is HealthStatus.FAILED or (
            not self.healthy and now - self.since >= _BLIP
        )


class Residences:
    """What this process saw of the targets of verified revisions, and the records that this makes."""

    def __init__(self, book: LedgerBook) -> None:
        self._book = book
        self._seen: dict[Key, dict[str, Seen]] = {}
        self._noted: set[Key] = set()
        self._log = log.get("residences")

    def note(self, report: TargetReport, verdict: Verdict) -> None:
        """Take a look at one target in. One that could not be asked, or can tell no health, says nothing."""
        told = report.health and report.actuation is not Actuation.UNREACHABLE
        if verdict.verb is Verb.REMOVE or report.delivered or not told:
            return
        key = (verdict.environment, verdict.instance)
        here = self._seen.setdefault(key, {})
        before, health = here.get(report.cluster), health_of(report, verdict)
        seen = Seen(sequence=verdict.sequence, health=health, since=report.observed_at)
        if before is not None and (before.sequence, before.healthy) == (
            seen.sequence,
            seen.healthy,
        ):
            seen = Seen(sequence=seen.sequence, health=health, since=before.since)
        here[report.cluster] = seen
        self._noted.add(key)

    async def record(self) -> int:
        """Append what the ledger does not say yet of the instances looked at; how many records.

        When somebody else moved the ledger meanwhile, the next look tells anew.
        """
        now, state = self._book.now(), self._book.state
        found: list[tuple[Key, Progressed]] = []
        for key in sorted(self._noted):
            record = owed(state.instance(*key), self._seen[key], now)
            if record is not None:
                found.append((key, record))
        self._noted.clear()
        if found:
            words = ", ".join(f"{r.step.value} {k[0]}/{k[1]}" for k, r in found)
            try:
                await self._book.append(Entry(records=found, message=words), epoch=self._book.epoch)
            except DistributorError as error:
                self._noted.update(key for key, _ in found)
                self._log.warning("facts wait", error=str(error))
                return 0
        return len(found)


def owed(state: InstanceState, seen: Mapping[str, Seen], now: datetime) -> Progressed | None:
    """The record that the ledger lacks: of targets that went bad, or of all that were being well again."""
    desired = state.desired
    progress = state.progress.get(desired.sequence) if desired is not None else None
    if desired is None or progress is None or not progress.verified_at or progress.end is not None:
        return None
    here = {c: s for c, s in seen.items() if s.sequence == desired.sequence}
    degraded = {c for c, said in progress.targets.items() if said == DEGRADED}
    degraded &= set(desired.targets)
    worse = {c for c, s in here.items() if c in desired.targets and s.bad(now)} - degraded
    if worse:
        told = f"{len(worse)} of {len(desired.targets)} targets are not healthy"
        targets = dict.fromkeys(sorted(worse), DEGRADED)
        return _step(Step.DEGRADED, desired.sequence, targets, now, told)
    opened = bool(progress.degraded) and progress.degraded[-1][1] is None
    if opened and all(c in here and here[c].healthy for c in degraded):
        targets = dict.fromkeys(sorted(degraded), CURRENT)
        return _step(Step.RECOVERED, desired.sequence, targets, now)
    return None


def _step(
    step: Step, sequence: int, targets: Mapping[str, str], now: datetime, reason: str = ""
) -> Progressed:
    return Progressed(at=now, step=step, sequence=sequence, targets=targets, reason=reason)
