"""Endings: how Jobs ended that the cluster removes by itself, kept for when they are gone.

The read model holds them, by the uid of the very object that was seen; it may have been deleted, and then
nobody knows. Uids that no inventory entry has any more are dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import orjson

from distributor.model.health import HealthStatus, ObjectHealth
from distributor.model.refs import Digest, ObjectRef
from distributor.services.targets.work import Work
from distributor.services.world import World

Endings = Mapping[str, ObjectHealth]


async def endings(world: World, work: Work) -> Endings:
    """What was seen of this target, by uid."""
    kept: Mapping[str, list[str]] = orjson.loads(await world.store.get(_key(work)) or "{}")
    return {
        uid: ObjectHealth(
            ref=ObjectRef.parse(ref),
            api_version="batch/v1",
            status=HealthStatus(status),
            message=message,
            observed_at=datetime.fromisoformat(at),
            revision=Digest(revision),
        )
        for uid, (ref, status, message, revision, at) in kept.items()
    }


async def remember(
    world: World, work: Work, before: Endings, now: Endings, known: Collection[str]
) -> None:
    """Keep what was seen now, and of what was kept what the inventory still knows."""
    if now.keys() <= before.keys():
        return
    kept = {uid: h for uid, h in {**before, **now}.items() if uid in known or uid in now}
    rows = {
        uid: [str(h.ref), h.status.value, h.message, h.revision, h.observed_at.isoformat()]
        for uid, h in kept.items()
        if h.observed_at is not None
    }
    await world.store.set(_key(work), orjson.dumps(rows).decode())


def _key(work: Work) -> str:
    return f"jobs.ended {work.environment}/{work.instance}/{work.cluster.name}"
