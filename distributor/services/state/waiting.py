"""Waiting: clusters that main offers and that could not be taken in, remembered for whoever asks why.

The read model holds it: who joins writes it down, and other processes can tell. Deleted with the
database, it is found out again at the next pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import orjson

from distributor.model.ledger import LedgerState
from distributor.model.refs import Digest
from distributor.services.state.looking import Snapshot
from distributor.services.world import World

_KEY = "joining.refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One cluster that an instance was kept off, since when (UTC) and why; ``file`` is what was looked at."""

    environment: str
    instance: str
    cluster: str
    file: Digest
    text: str
    since: datetime

    @property
    def place(self) -> tuple[str, str, str]:
        """What it is about."""
        return (self.environment, self.instance, self.cluster)


async def remember(world: World, found: Iterable[Waiting]) -> None:
    """Replace what is known; what waited before for the same reason waits since then."""
    before = {w.place: w for w in await _read(world)}
    kept = sorted((_since(before.get(w.place), w) for w in found), key=lambda w: w.place)
    if kept != sorted(before.values(), key=lambda w: w.place):
        await world.store.set(_KEY, orjson.dumps([asdict(w) for w in kept]).decode())


def _since(before: Waiting | None, now: Waiting) -> Waiting:
    same = before is not None and (before.file, before.text) == (now.file, now.text)
    return replace(now, since=before.since) if before is not None and same else now


async def waiting(
    world: World, snapshot: Snapshot, ledger: LedgerState
) -> dict[tuple[str, str], tuple[Waiting, ...]]:
    """What still waits, by environment and instance: main has the same file, the ledger no such target."""
    found: dict[tuple[str, str], tuple[Waiting, ...]] = {}
    for each in await _read(world):
        files = snapshot.catalog.environments.get(each.environment)
        cluster = files.clusters.get(each.cluster) if files is not None else None
        desired = ledger.instance(each.environment, each.instance).desired
        if cluster is None or desired is None or cluster.file_digest != each.file:
            continue
        key = each.place[:2]
        found[key] = (*found.get(key, ()), each)
    return found


async def _read(world: World) -> tuple[Waiting, ...]:
    text = await world.store.get(_KEY)
    return tuple(
        Waiting(**{**each, "since": datetime.fromisoformat(each["since"])})
        for each in orjson.loads(text or "[]")
    )
