"""Following: what becomes of a request, told as it happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from distributor.ledger import parts_of_set
from distributor.model.ledger import InstanceState, LedgerState, Progress, Step
from distributor.model.promotion import Verdict, VerdictOutcome
from distributor.model.tags import SET_MARK
from distributor.services.promotion.opening import key_of
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
    while True:
        ended, lines = _looked(service.book.state, asked)
        for line in lines:
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


def _looked(ledger: LedgerState, asked: Asked) -> tuple[Followed | None, list[str]]:
    """Whether a request has ended, and what there is to tell of it; of a set: of each of its instances."""
    environment, name = key_of(asked.ref)
    state = ledger.instance(environment, name)
    verdict, lines = _verdict(state, asked), _lines(state, asked)
    if not name.startswith(SET_MARK) or verdict is None or not verdict.accepted:
        return _ended(state, asked), lines
    parts = {
        instance: ledger.instance(environment, instance)
        for instance in parts_of_set(ledger, environment, asked.ref, asked.tag)
    }
    for instance, part in parts.items():
        lines += [f"{instance}: {line}" for line in _lines(part, asked)[1:]]
    return _together({instance: _ended(part, asked) for instance, part in parts.items()}), lines


def _together(ended: Mapping[str, Followed | None]) -> Followed | None:
    """The end of a set: good once all of its instances are, and over as soon as one is not."""
    bad = {name: found for name, found in ended.items() if found is not None and not found.good}
    if bad:
        worst = next((f for f in bad.values() if f.outcome == "failed"), next(iter(bad.values())))
        reasons = (f"{n}: {r}" for n, f in bad.items() for r in (f.reasons or (f.outcome,)))
        return Followed(outcome=worst.outcome, good=False, ended=True, reasons=tuple(reasons))
    if not ended or None in ended.values():
        return None
    return Followed(outcome="verified", good=True, ended=True)


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
