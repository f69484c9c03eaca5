"""Taking back: what a worker that woke late made, and the newer decision knows nothing of."""

from __future__ import annotations

from collections.abc import Awaitable

from distributor.errors.cluster import Fenced
from distributor.model.changes import Action, Actuation, InventoryEntry, TargetReport
from distributor.model.refs import Digest
from distributor.services.targets.work import Run


async def in_time(run: Run, doing: Awaitable[TargetReport]) -> TargetReport:
    """The report of a run, after which nothing is left of what it did too late."""
    try:
        report = await doing
    except Fenced:
        await _take_back(run)
        raise
    if report.actuation is Actuation.APPLYING:  # it may wait for what the newer one has changed
        await _take_back(run)
    return report


async def _take_back(run: Run) -> None:
    """Delete what this run made, if a newer one has begun whose inventory does not name it.

    The fence is read before each group, so whoever sleeps after that, and wakes when the newer one is
    through, makes one group's objects that nobody would ever look after.
    """
    made = {o.ref: o.uid for o in run.outcomes if o.action is Action.CREATED and o.error is None}
    if not made:
        return
    there = await run.connection.read_inventory(run.work.environment, run.work.instance)
    if there is None or there.sequence <= run.work.sequence:
        return
    versions = {m.ref: m.api_version for m in run.work.desired}
    late = [
        InventoryEntry(ref=ref, api_version=versions.get(ref, ""), digest=Digest(""), uid=uid)
        for ref, uid in made.items()
        if ref not in there.entries and uid
    ]
    live = await run.connection.read_live(late) if late else {}
    ours = [e for e in late if e.ref in live and live[e.ref].uid == e.uid]
    if ours:
        await run.connection.delete(there, ours)
