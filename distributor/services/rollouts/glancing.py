"""Glancing: before many targets are looked at one by one, what they have is read in few requests."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from distributor.errors import DistributorError
from distributor.model.changes import Glance
from distributor.model.fleet import Cluster
from distributor.services.rollouts.unmoved import Place, Unmoved, place_of
from distributor.services.state.desired import Desired
from distributor.services.world import World

_FEW = 2
"""So many targets of a cluster are read one by one as cheaply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glanced:
    """A glance at a target, and the mark that it had before it was read."""

    glance: Glance
    mark: str


async def glanced(
    world: World, unmoved: Unmoved, pairs: Sequence[tuple[Desired, Cluster]]
) -> Mapping[Place, Glanced]:
    """Glances at targets, where they can be had.

    A target without one is read by itself, and so is one on which something is to be done.
    """
    if world.glances is None or len(pairs) <= _FEW:
        return {}
    # What an account of its own has is read in that account's name, and in no other.
    asked = [(d.verdict, c) for d, c in pairs if not d.subject.installation.service_account]
    seen = await asyncio.gather(*(unmoved.before(verdict, c) for verdict, c in asked))
    marks = {place_of(*pair): mark for pair, mark in zip(asked, seen, strict=True)}
    clusters = {cluster.name: cluster for _, cluster in asked}
    found: dict[Place, Glanced] = {}
    for name, places in _by_cluster(marks).items():
        if len(places) <= _FEW:
            continue
        try:
            there = await world.glances(clusters[name], places.keys())
        except DistributorError:
            continue  # who looks at each will tell
        for instance, glance in there.items():
            place = places.get(instance)
            if place is not None and glance.inventory.environment == place[0]:
                found[place] = Glanced(glance=glance, mark=marks[place])
    return found


def _by_cluster(places: Iterable[Place]) -> Mapping[str, Mapping[str, Place]]:
    found: dict[str, dict[str, Place]] = defaultdict(dict)
    for place in places:
        found[place[2]][place[1]] = place
    return found
