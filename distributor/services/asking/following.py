"""Following: what becomes of a request, told as it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from distributor.model.ledger import InstanceState, Progress, Step
from distributor.model.promotion import Verdict, VerdictOutcome
from distributor.services.promotion.deciding import key_of
from distributor.services.promotion.requesting import Asked
from distributor.services.service import Service

_POLL = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How far a request came: ``ended`` tells an end from a wait that was given up."""

    outcome: str
    good: bool
    ended: bool
    reasons: tuple[str, ...] = ()


async def follow(
    service: Service, asked: Asked, seconds: float, *, tell: Callable[[str], None]
) -> Followed:
    """Watch the ledger until the request was refused, or its rollout ended, or the time is over.

    A process that decides itself (it has the service's key) fetches on its own account.
    """
    deadline = service.now().timestamp() + seconds
    told: set[str] = set()
    state = service.book.state.instance(*key_of(asked.ref))
    while True:
        ended = _ended(state, asked)
        for line in _lines(state, asked):
            if line not in told:
                told.add(line)
                tell(line)
        if ended is not None:
            return ended
        if service.now().timestamp() > deadline:
            return Followed(
                outcome="waiting", good=False, ended=False, reasons=("the wait is over",)
            )
        await service.world.clock.sleep(_POLL)
        await service.look(fetch=service.world.signer is None)
        state = service.book.state.instance(*key_of(asked.ref))


def _verdict(state: InstanceState, asked: Asked) -> Verdict | None:
    found = state.last_verdicts.get(asked.ref)
    return found if found is not None and found.tag == asked.tag else None


def _ended(state: InstanceState, asked: Asked) -> Followed | None:
    verdict = _verdict(state, asked)
    if verdict is None or verdict.outcome is VerdictOutcome.PENDING:
        return None
    if verdict.outcome is VerdictOutcome.REFUSED:
        return Followed(outcome="refused", good=False, ended=True, reasons=verdict.reasons())
    progress = state.progress.get(verdict.sequence)
    if progress is None:
        return Followed(outcome="accepted", good=True, ended=True)
    if progress.end is Step.FAILED:
        failed = tuple(f"{cluster}: {text}" for cluster, text in progress.targets.items())
        return Followed(
            outcome="failed", good=False, ended=True, reasons=(progress.reason, *failed)
        )
    if progress.verified_at is not None:
        return Followed(outcome="verified", good=True, ended=True)
    if progress.end is Step.REMOVED and verdict.verb.value == "remove":
        return Followed(outcome="removed", good=True, ended=True)
    if progress.end is not None:
        return Followed(outcome=progress.end.value, good=False, ended=True)
    return None


def _lines(state: InstanceState, asked: Asked) -> list[str]:
    verdict = _verdict(state, asked)
    if verdict is None:
        return [
            "waiting for a service to look at it: `distributor serve`, or `distributor sync` once"
        ]
    lines = [f"{verdict.outcome.value} {verdict.ref}"]
    lines += [f"  waits: {reason}" for reason in verdict.reasons() if not verdict.accepted]
    progress = state.progress.get(verdict.sequence) if verdict.accepted else None
    return lines + (_waves(progress) if progress else [])


def _waves(progress: Progress) -> list[str]:
    lines = [f"wave {name} ended" for name in progress.waves]
    if progress.verified_at is not None:
        lines.append(f"verified on {len(progress.targets)} targets")
    return lines
