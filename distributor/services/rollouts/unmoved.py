"""Unmoved targets: in step when last looked at, and by what watches see nothing moved since.

A few texts a target, in memory and with the target's row of the read model: so a restart asks about
nothing either that did not move meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from distributor import metrics
from distributor.errors import DistributorError
from distributor.errors.cluster import UsedAsItIs
from distributor.model.changes import Actuation, TargetReport
from distributor.model.fleet import Cluster
from distributor.model.health import HealthStatus
from distributor.model.promotion import Verdict
from distributor.model.refs import GroupKind
from distributor.model.stored import StoredTarget
from distributor.services.world import World

Place = tuple[str, str, str]
"""Environment, instance, cluster."""
_TRUST = timedelta(hours=1)
"""How long a watch is believed before a target is read again all the same."""


def place_of(verdict: Verdict, cluster: Cluster) -> Place:
    """The place of a target."""
    return (verdict.environment, verdict.instance, cluster.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the last look at a target found, and the mark that it had before that look.

    The mark is empty where none could be given; then only ``kinds`` help, to ask for one the next time.
    """

    cluster: Cluster
    sequence: int
    kinds: frozenset[GroupKind]
    in_step: bool
    looked: datetime
    mark: str = ""


class Unmoved:
    """Remembers targets in step; does nothing until ``begin``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[Place, _Known] = {}
        self._kinds: dict[frozenset[GroupKind], frozenset[GroupKind]] = {}  # one set for all alike
        self._begun = False

    def begin(self) -> None:
        """From now on, watch: for a process that stays."""
        self._begun = self._world.watch is not None

    async def still(self, pairs: Sequence[tuple[Verdict, Cluster]]) -> frozenset[Place]:
        """Which targets are in step without being asked; they are then told as seen just now."""
        if not self._begun:
            return frozenset()
        asked = (self._vouched_for(verdict, cluster) for verdict, cluster in pairs)
        vouched = await asyncio.gather(*asked, return_exceptions=True)  # who looks will tell
        found = dict(one for one in vouched if isinstance(one, tuple))
        now = self._world.clock.now().isoformat()
        try:
            seen = await self._world.store.note_seen(tuple(found), now) if found else frozenset()
        except DistributorError:
            return frozenset()
        self._known |= {place: found[place] for place in seen}
        metrics.UNASKED.inc(len(seen))
        return seen

    async def _vouched_for(self, verdict: Verdict, cluster: Cluster) -> tuple[Place, _Known] | None:
        """What is known of a target, where that holds still."""
        place = place_of(verdict, cluster)
        known = self._known.get(place)
        if known is None:
            known = _read(await self._world.store.targets(*place), cluster)
        if known is None or not await self._vouched(place, known, verdict, cluster):
            return None
        return place, known

    async def before(self, verdict: Verdict, cluster: Cluster) -> str:
        """The mark to give to ``note``, taken before the target is read; empty where there is none."""
        place = place_of(verdict, cluster)
        known = self._known.get(place)
        return await self._mark(place, known) if known is not None else ""

    def note(self, report: TargetReport, cluster: Cluster, mark: str) -> None:
        """What a look found."""
        place = (report.environment, report.instance, cluster.name)
        if not (self._begun and report.health and _applied(report)):
            self._known.pop(place, None)
            return
        before, now = self._known.get(place), self._world.clock.now()
        kinds = frozenset(h.ref.group_kind for h in report.health)
        same = before is not None and before.kinds == kinds  # else the mark is one of other kinds
        healthy = all(h.status is HealthStatus.CURRENT for h in report.health)
        self._known[place] = _Known(
            cluster=cluster,
            sequence=report.sequence,
            kinds=self._kinds.setdefault(kinds, kinds),
            in_step=healthy and not (report.outcomes or _told(report) or report.drift),
            looked=now,
            mark=mark if same else "",
        )

    def kept(self, environment: str, instance: str, cluster: str) -> Mapping[str, Any]:
        """What to keep of a target in step, for the next process; empty for any other."""
        known = self._known.get((environment, instance, cluster))
        if known is None or not (known.in_step and known.mark):
            return {}
        return {
            "mark": known.mark,
            "kinds": [[kind.group, kind.kind] for kind in sorted(known.kinds)],
            "looked": known.looked.isoformat(),
            "facts": known.cluster.file_digest,
        }

    async def moved(self) -> frozenset[Place]:
        """Targets to look at now: those whose mark is another one than at the last look."""
        found: set[Place] = set()
        for place, known in tuple(self._known.items()):
            now = await self._mark(place, known)
            if now and now != known.mark:
                found.add(place)
        return frozenset(found)

    async def _vouched(
        self, place: Place, known: _Known, verdict: Verdict, cluster: Cluster
    ) -> bool:
        """Whether nothing moved since a look, not long ago, that found this revision in step."""
        late = self._world.clock.now() - known.looked > _TRUST
        if late or not (known.in_step and known.mark):
            return False
        if (known.sequence, known.cluster) != (verdict.sequence, cluster):
            return False
        return await self._mark(place, known) == known.mark

    async def _mark(self, place: Place, known: _Known) -> str:
        if self._world.watch is None or not self._begun:
            return ""
        return await self._world.watch.mark(known.cluster, place[1], known.kinds)


def _told(report: TargetReport) -> bool:
    """Whether there is something to say beside that a Namespace is used as it is, which stays so."""
    return any(finding.code != UsedAsItIs.code for finding in report.findings)


def _read(rows: tuple[StoredTarget, ...], cluster: Cluster) -> _Known | None:
    """What another process kept of a target; nothing where the cluster's facts were others."""
    if not rows:
        return None
    kept = orjson.loads(rows[0].detail).get("watch")
    if not kept or kept["facts"] != cluster.file_digest:
        return None
    return _Known(
        cluster=cluster,
        sequence=rows[0].sequence,
        kinds=frozenset(GroupKind(group, kind) for group, kind in kept["kinds"]),
        in_step=True,
        looked=datetime.fromisoformat(kept["looked"]),
        mark=kept["mark"],
    )


def _applied(report: TargetReport) -> bool:
    return report.actuation is Actuation.APPLIED and not report.delivered
