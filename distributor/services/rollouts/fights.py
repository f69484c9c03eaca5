"""Fights of targets: what is healed again and again, remembered with the target's row of the read model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

import orjson

from distributor.errors import DistributorError
from distributor.model.changes import Action, Actuation, TargetReport
from distributor.model.drift import Contested, Fight, ObjectDrift, Standing
from distributor.model.promotion import Verdict
from distributor.model.tags import Verb
from distributor.plan import at_rest, fight_told, fights_told, fought, from_kept, rule_text
from distributor.services.rollouts.unmoved import Place
from distributor.services.state.journal import Journal
from distributor.services.world import World

_NONE = MappingProxyType[Contested, Fight]({})
_AGAIN = timedelta(seconds=30)
"""After which a target with a fight is looked at again that could not be looked at."""
_LOOKED = frozenset({Actuation.APPLIED, Actuation.APPLYING, Actuation.FAILED})


class Fights:
    """Counts heals by object, field and opponent; what is fought for rests, but only in a process that stays.

    One that looks once was asked to: it heals everything, and its heals count all the same.
    """

    def __init__(self, world: World, journal: Journal) -> None:
        self._world = world
        self._journal = journal
        self._known: dict[Place, dict[Contested, Fight]] = {}
        self._read: set[Place] = set()
        self._due: dict[Place, datetime] = {}
        self._begun = False

    def begin(self) -> None:
        """From now on what is fought for rests between two tries."""
        self._begun = True

    async def resting(self, place: Place) -> frozenset[Contested]:
        """What of a target is to be left alone now."""
        await self._remember(place)
        now = self._world.clock.now()
        return at_rest(self._known.get(place, _NONE), now) if self._begun else frozenset()

    def due(self) -> frozenset[Place]:
        """Targets with a drift that rested long enough; each is told once a look."""
        now = self._world.clock.now()
        found = frozenset(place for place, at in self._due.items() if at <= now)
        for place in found:
            del self._due[place]
        return found

    async def note(self, report: TargetReport, verdict: Verdict) -> TargetReport:
        """The report of a look, with the fights that there are on that target after it."""
        place = (report.environment, report.instance, report.cluster)
        if verdict.verb is Verb.REMOVE or report.delivered:
            self._known.pop(place, None)
            return report
        await self._remember(place)
        before = self._known.get(place, {})
        if report.actuation not in _LOOKED:
            if before:  # the look that was due saw nothing
                self._due.setdefault(place, self._world.clock.now() + _AGAIN)
            return replace(report, fights=tuple(before.values()))
        now = self._world.clock.now()
        after = fought(before, _healed(report), now)
        over = {key for key, fight in after.items() if fight.forgiven(now)}
        self._keep(place, {key: fight for key, fight in after.items() if key not in over})
        await self._tell(place, before, after, over)
        self._wait(place, report)
        fights = self._known.get(place, {})
        findings = (*report.findings, *fights_told(fights))
        return replace(report, findings=findings, fights=tuple(fights.values()))

    def _keep(self, place: Place, fights: dict[Contested, Fight]) -> None:
        self._known.pop(place, None)
        if fights:
            self._known[place] = fights

    def _wait(self, place: Place, report: TargetReport) -> None:
        """When to look again by itself: at the first try of what rests, as far as it is drifted now."""
        self._due.pop(place, None)
        fights = self._known.get(place, {})
        times = [
            fights[key].next_try
            for drift in report.drifted
            if drift.standing is Standing.RESTING
            for key in drift.contested
            if key in fights
        ]
        if times:
            self._due[place] = min(times)

    async def _remember(self, place: Place) -> None:
        """Read what an earlier process kept, once. A database that fails is asked again."""
        if place in self._read:
            return
        try:
            rows = await self._world.store.targets(*place)
        except DistributorError:
            return
        self._read.add(place)
        kept = from_kept(orjson.loads(rows[0].detail).get("fights")) if rows else {}
        if kept:
            self._known[place] = kept

    async def _tell(
        self,
        place: Place,
        before: dict[Contested, Fight],
        after: dict[Contested, Fight],
        over: Iterable[Contested],
    ) -> None:
        new = [
            f
            for k, f in after.items()
            if f.recognised and not (k in before and before[k].recognised)
        ]
        lines = [f"{fight_told(fight)}{rule_text(fight)}" for fight in new]
        ended = sorted(str(after[key]) for key in over if after[key].recognised)
        lines += [f"{what} is over: it stays as it is" for what in ended]
        for line in lines:
            await self._journal.tell(
                "fight", line, environment=place[0], instance=place[1], cluster=place[2]
            )


def _healed(report: TargetReport) -> tuple[ObjectDrift, ...]:
    """What this look put right; what goes from the target for good cannot come back as it was."""
    done = {o.ref for o in report.outcomes if o.error is None and o.action is not Action.PRUNED}
    return tuple(d for d in report.drifted if d.standing is Standing.HEALED and d.ref in done)
