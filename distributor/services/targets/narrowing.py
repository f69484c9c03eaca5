"""Narrowing: what went is taken out of an inventory, and what was carried out in full is noted there."""

from __future__ import annotations

from dataclasses import replace

from distributor.health import goes_by_itself
from distributor.model.changes import ChangeSet, Inventory
from distributor.model.refs import Digest, ObjectRef
from distributor.plan import confirmed, narrowed, seen_uids
from distributor.services.targets.hooking import finished
from distributor.services.targets.work import Run


async def narrow(run: Run, planned: ChangeSet, *, whole: bool) -> None:
    """Take confirmed deletions and releases out of the inventory, and say whether the change is carried out in full.

    It is written only for that: uids that the target gave come along with the next write, but for those
    of objects that go by themselves, of which nothing else would tell that they were there.
    """
    applied = run.work.desired.digest if whole else Digest("")
    gone = confirmed(run.outcomes) | {c.ref for c in planned.changes if c.forgets}
    gone |= {c.ref for c in planned.changes if c.releases} & _done(run)
    uids = {**run.uids, **seen_uids(run.outcomes)}
    narrow = narrowed(run.inventory, gone, applied, uids)
    if whole:
        narrow = replace(narrow, hooks=await finished(run, narrow.hooks))
    elif narrow.hooks.occasion is None:
        narrow = replace(narrow, hooks=replace(narrow.hooks, occasion=run.occasion))
    fleeting = frozenset(m.ref for m in run.scope.members if goes_by_itself(m))
    if _told(narrow, fleeting) != _told(run.inventory, fleeting):
        run.inventory = await run.connection.write_inventory(narrow)


def _done(run: Run) -> frozenset[ObjectRef]:
    return frozenset(o.ref for o in run.outcomes if o.error is None)


def _told(inventory: Inventory, fleeting: frozenset[ObjectRef]) -> object:
    """What of an inventory is worth a write."""
    uids = {ref: inventory.entries[ref].uid for ref in fleeting if ref in inventory.entries}
    return (inventory.entries.keys(), inventory.hooks, uids)
