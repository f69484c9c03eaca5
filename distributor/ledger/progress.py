"""How far the rollout of one accepted verdict came, step by step.

A draft takes the steps in, because most records of a ledger are steps; it is frozen once at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from distributor.model.ledger import Progress, Progressed, Step


@dataclass(slots=True)
class Draft:
    """The progress of one verdict while records are taken in; a record that comes twice changes nothing."""

    sequence: int
    started_at: datetime | None = None
    waves: list[str] = field(default_factory=list)
    verified_at: datetime | None = None
    degraded: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    ended_at: datetime | None = None
    last: Step | None = None
    targets: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def of(cls, progress: Progress) -> Draft:
        """Go on from what was frozen before; nothing is shared with it."""
        return cls(
            sequence=progress.sequence,
            started_at=progress.started_at,
            waves=list(progress.waves),
            verified_at=progress.verified_at,
            degraded=list(progress.degraded),
            ended_at=progress.ended_at,
            last=progress.end,
            targets=dict(progress.targets),
            reason=progress.reason,
        )

    def freeze(self) -> Progress:
        """The progress as it stands; the draft is used up."""
        return Progress(
            sequence=self.sequence,
            started_at=self.started_at,
            waves=tuple(self.waves),
            verified_at=self.verified_at,
            degraded=tuple(self.degraded),
            ended_at=self.ended_at,
            end=self.last,
            targets=self.targets,
            reason=self.reason,
        )

    def take(self, record: Progressed) -> None:
        """Take one step in."""
        if record.targets:
            self.targets.update(record.targets)
        match record.step:
            case Step.STARTED:
                self.started_at = self.started_at or record.at
            case Step.WAVE:
                if record.wave not in self.waves:
                    self.waves.append(record.wave)
            case Step.VERIFIED:
                self._verified(record.at)
            case Step.DEGRADED:
                self._degraded(record)
            case Step.RECOVERED:
                self._close(record.at)
            case Step.REPLACED | Step.FAILED | Step.ROLLED_BACK | Step.REMOVED:
                self.end(record.step, record.at, record.reason)
            case _:
                assert_never(record.step)

    def end(self, step: Step, at: datetime, reason: str = "") -> None:
        """It ended; what ended before keeps its end, unless it only had failed."""
        if self.ended_at is not None and self.last is not Step.FAILED:
            return
        self.ended_at, self.last = at, step
        self.reason = reason or self.reason
        self._close(at)

    def retry(self) -> None:
        """What failed goes on."""
        if self.last is Step.FAILED:
            self.ended_at, self.last, self.reason = None, None, ""

    def _verified(self, at: datetime) -> None:
        self.verified_at = self.verified_at or at
        self.retry()  # it went on to the end

    def _degraded(self, record: Progressed) -> None:
        if self.ended_at is None and not (self.degraded and self.degraded[-1][1] is None):
            self.degraded.append((record.at, None))
            self.reason = record.reason

    def _close(self, at: datetime) -> None:
        if self.degraded and self.degraded[-1][1] is None:
            self.degraded[-1] = (self.degraded[-1][0], at)
