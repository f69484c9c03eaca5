"""Pending: requests that wait, and when each is worth asking again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from distributor.model.promotion import GateResult, Verdict, VerdictOutcome
from distributor.model.refs import ObjectId

_Tag = tuple[str, ObjectId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that gates look at beside the clock and the tag itself: main and the ledger."""

    main: ObjectId
    ledger: ObjectId


@dataclass(frozen=True, slots=True)
class _Wait:
    seen: Seen
    until: datetime | None


class Pending:
    """Remembers what the gates said of requests that wait, so that none is asked where nothing changed.

    Lost with the process: then each is asked once more.
    """

    def __init__(self) -> None:
        self._waits: dict[_Tag, _Wait] = {}

    def begin_pass(self, open_tags: Iterable[_Tag]) -> None:
        """A pass over the open tags begins; what is not among them is forgotten."""
        wanted = set(open_tags)
        self._waits = {tag: wait for tag, wait in self._waits.items() if tag in wanted}

    def note(self, tag: _Tag, verdict: Verdict, seen: Seen) -> None:
        """Take a verdict in. An error is asked again at every pass, whatever changed."""
        self._waits.pop(tag, None)
        tried = any(answer.result is GateResult.ERROR for answer in verdict.answers)
        if verdict.outcome is not VerdictOutcome.PENDING or tried:
            return
        times = [a.until for a in verdict.answers if a.until and a.result is GateResult.PENDING]
        self._waits[tag] = _Wait(seen, min(times, default=None))

    def still(self, tag: _Tag, seen: Seen, now: datetime) -> bool:
        """Whether asking now would give the same answers: nothing moved, and no time has come.

        Where not, what was noted is over: while its render goes on, nothing holds the tag up but that.
        """
        wait = self._waits.get(tag)
        if wait is not None and wait.seen == seen and (wait.until is None or now < wait.until):
            return True
        self._waits.pop(tag, None)
        return False

    @property
    def ask_at(self) -> datetime | None:
        """The first time at which one that waits is worth asking again."""
        return min((w.until for w in self._waits.values() if w.until is not None), default=None)
