"""Appearing kinds: targets that failed for a kind their cluster does not serve are asked again when it serves others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from distributor.errors.cluster import MissingKind
from distributor.model.changes import TargetReport
from distributor.model.fleet import Cluster
from distributor.services.rollouts.unmoved import Place
from distributor.services.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lacking:
    """A cluster that lacked a kind, and the mark of what it served before it was asked again last."""

    cluster: Cluster
    mark: str = ""


class Appearing:
    """Remembers who waits for a kind; asks a cluster what it serves only while somebody does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lacking: dict[Place, _Lacking] = {}

    def note(self, report: TargetReport, cluster: Cluster) -> None:
        """What a look at a target found."""
        place = (report.environment, report.instance, cluster.name)
        if not any(finding.code == MissingKind.code for finding in report.findings):
            self._lacking.pop(place, None)
        elif place not in self._lacking or self._lacking[place].cluster != cluster:
            self._lacking[place] = _Lacking(cluster=cluster)

    async def places(self) -> frozenset[Place]:
        """Targets to ask again now: their cluster serves other kinds than when they were asked last.

        Once after the first failure too: the kind may have come between that and the first question here.
        """
        lacking = dict(self._lacking)
        marks = await self._marks(each.cluster for each in lacking.values())
        found: set[Place] = set()
        for place, known in lacking.items():
            mark = marks[known.cluster.name]
            if mark and mark != known.mark and self._lacking.get(place) is known:
                self._lacking[place] = _Lacking(cluster=known.cluster, mark=mark)
                found.add(place)
        return frozenset(found)

    async def _marks(self, clusters: Iterable[Cluster]) -> dict[str, str]:
        by_name = {cluster.name: cluster for cluster in clusters}
        watch = self._world.watch
        if watch is None:
            return dict.fromkeys(by_name, "")
        return {name: await watch.mark(cluster, "", ()) for name, cluster in by_name.items()}
