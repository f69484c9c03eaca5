"""Gate 6: how long the package has been in the environments before, since it was verified there.

What counts is the longest residence, completed or current, of the package's digest in any instance of the
app there, less the time it was degraded: from ledger records alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from distributor.errors.policy import NotSoaked
from distributor.model.findings import Finding
from distributor.model.fleet import PipelineStep
from distributor.model.promotion import GateAnswer
from distributor.policy.facts import GateFacts, PolicyView, Source
from distributor.policy.gates.answers import Speaker, span, utc

_SAY = Speaker(6, "soak")
_BY_HAND = 3
"""The rank of what no waiting mends, only a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stand:
    """How far one environment is: ``rank`` 0 is done, 1 waits until a time, 2 for an event, 3 for a person."""

    environment: str
    rank: int
    text: str
    until: datetime | None = None

    def finding(self) -> Finding:
        return Finding.of(NotSoaked, f"({self.environment}: {self.text})")


def evaluate(
    facts: GateFacts, view: PolicyView, params: Mapping[str, Any], now: datetime
) -> GateAnswer:
    """Waits until the package has been long enough in each predecessor; says until when.

    Fails where it no longer runs there and did not stay long enough: waiting would not help. While it is
    degraded there, the time stands still. A predecessor where the app has no target hands the question on to
    its own predecessors.

    ``params``: ``duration`` (without it no soak is asked for) and ``require`` (``all`` or ``any``; the
    pipeline's own word where absent). A rollback never waits for a soak.
    """
    duration = timedelta(seconds=params.get("duration", 0))
    if not duration:
        return _SAY.passes("no soak is asked for")
    here = facts.name.environment
    step = view.pipeline.step(here) if view.pipeline is not None else None
    if step is None and view.source is Source.ACCEPTED and here not in view.environments:
        return _SAY.passes(f"unknown to {view}")  # younger than that policy: main's alone orders it
    if view.pipeline is None:
        return _SAY.lacks(f"the pipeline of {view}, which cannot be read")
    if step is None:
        return _SAY.refuses(NotSoaked, f"{here} has no place in the pipeline.")
    asked = dict.fromkeys(_asked(facts, view, step, ()))
    unknown = [name for name in asked if name not in facts.elsewhere]
    if unknown:
        return _SAY.lacks(f"how long the package has been in {', '.join(unknown)}")
    stands = [_stand(name, facts, duration, now) for name in asked]
    every = params.get("require", "all" if step.require_all else "any") == "all"
    return _answer(stands, duration, every=every)


def _asked(
    facts: GateFacts, view: PolicyView, step: PipelineStep, on_the_way: tuple[str, ...]
) -> Iterator[str]:
    """The environments whose time counts; ``on_the_way`` ends a circle."""
    for before in step.after:
        fact = facts.elsewhere.get(before)
        earlier = view.pipeline.step(before) if view.pipeline is not None else None
        absent = fact is not None and not fact.targets and not fact.verified
        if absent and earlier is not None:
            if before not in on_the_way:
                yield from _asked(facts, view, earlier, (*on_the_way, before))
        else:
            yield before


def _stand(environment: str, facts: GateFacts, duration: timedelta, now: datetime) -> _Stand:
    fact = facts.elsewhere[environment]
    soak, asked = fact.soak, span(duration)
    if soak.at(now) >= duration:
        return _Stand(environment=environment, rank=0, text=f"{asked} in {environment}")
    until = soak.until(duration)
    if until is not None:
        text = f"the {asked} asked for end at {utc(until)}"
        return _Stand(environment=environment, rank=1, text=text, until=until)
    stayed = span(soak.longest)
    if soak.degraded:
        text = f"degraded after {stayed} of {asked}; the time goes on when it has recovered"
        return _Stand(environment=environment, rank=2, text=text)
    if not fact.verified:
        return _Stand(environment=environment, rank=_BY_HAND, text="not verified")
    text = f"it stayed {stayed} of {asked} and was replaced; promote it there again"
    return _Stand(environment=environment, rank=_BY_HAND, text=text)


def _answer(stands: list[_Stand], duration: timedelta, *, every: bool) -> GateAnswer:
    """The worst of all, or the best where one is enough."""
    if not stands:
        return _SAY.passes("no environment comes before")
    evidence = {s.environment: s.text for s in stands} | {"duration": span(duration)}
    rank = max(s.rank for s in stands) if every else min(s.rank for s in stands)
    if rank == 0:
        done = "; ".join(s.text for s in stands if s.rank == 0)
        return _SAY.passes(done, evidence=evidence)
    findings = tuple(s.finding() for s in stands if s.rank > 0)
    if rank >= _BY_HAND:
        return _SAY.fails(findings, evidence=evidence)
    times = [s.until for s in stands if s.until is not None]
    pick = max if every else min
    until = pick(times) if rank == 1 else None
    return _SAY.waits(findings=findings, until=until, evidence=evidence)
