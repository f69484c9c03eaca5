"""Recounting: what a record of the ledger says, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from distributor.model.ledger import Progressed
from distributor.model.promotion import Verdict
from distributor.model.tags import ACTIVATIONS
from distributor.services.promotion.handing import handed_over
from distributor.services.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One line of a history."""

    at: datetime
    kind: str
    text: str
    by: str = ""
    sequence: int = 0


def verdict_told(at: datetime, verdict: Verdict) -> Told:
    """A verdict: what was decided, of what, and why."""
    reasons = "; ".join(verdict.reasons())
    text = f"{verdict.ref}" + (f" {verdict.revision}" if verdict.revision else "")
    if verdict.verb in ACTIVATIONS and verdict.accepted:
        text += f" stands in for {verdict.stands_in}" if verdict.stands_in else " stands by again"
        text += f": {verdict.reason}" if verdict.reason else ""
    return Told(
        at=at,
        kind=verdict.outcome.value,
        text=text + (f": {reasons}" if reasons else ""),
        by=verdict.principal,
        sequence=verdict.sequence,
    )


def counted(record: Progressed) -> str:
    """How many targets came to which result."""
    counts: dict[str, int] = {}
    for result in record.targets.values():
        counts[result] = counts.get(result, 0) + 1
    return ", ".join(f"{count} {result}" for result, count in sorted(counts.items()))


def told_apart(service: Service) -> tuple[str, ...]:
    """What the shared repository does not know yet: tags that were handed over, and what was recorded apart."""
    found = []
    if handed := handed_over(service.world):
        names = ", ".join(handed)
        found.append(f"handed over here, and not in the shared repository yet: {names}")
    if service.book.apart is not None:
        text = "recorded here while the shared repository could not be reached, and brought there when it can"
        found.append(f"the ledger is apart: its last commits are {text}")
    return tuple(found)
