"""Archiving: tags that the ledger has whole are deleted from the shared repository, each recorded before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from distributor.errors.git import PushRejected, TagRefused
from distributor.ledger.archiving import archivable
from distributor.model.ledger import Archived, Key, Observed, Record
from distributor.model.refs import ObjectId
from distributor.services.ledger.book import Entry
from distributor.services.service import Service

_BATCH = 500
"""Tags that one push deletes: all of them or none."""
_TRIES = 8
GONE = ObjectId("")
"""What a push moves a ref to so that it is deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archivable:
    """A tag that may go; ``recorded`` where the ledger says so already, and only the deletion is left."""

    key: Key
    ref: str
    tag: ObjectId
    recorded: bool


async def candidates(service: Service, older: timedelta) -> tuple[Archivable, ...]:
    """The tags that were first observed so long ago, and are of no more use on the remote."""
    snapshot = await service.look()
    if service.offline is not None:
        raise service.offline
    before = service.now() - older
    found: list[Archivable] = []
    for key, state in sorted(snapshot.ledger.instances.items()):
        records = service.book.records(snapshot.ledger.head, key)
        raws = {(r.ref, r.tag) for r in records if isinstance(r, Observed) and r.raw}
        found += [
            Archivable(key=key, ref=ref, tag=tag, recorded=ref in state.archived)
            for ref, tag in archivable(state, snapshot.tags, raws, before)
        ]
    free = {(each.key, each.ref) for each in found}
    kept = {
        ref
        for key, state in snapshot.ledger.instances.items()
        for ref in state.observed
        if (key, ref) not in free
    }  # a set, or what a standby took too, is in several files, and may still be needed by one
    return tuple(each for each in found if each.ref not in kept)


async def archive(service: Service, older: timedelta) -> tuple[Archivable, ...]:
    """Record tags as archived, then delete them; what was recorded and not deleted is deleted now.

    Raises ``TagRefused`` where the remote does not let tags be deleted: they stay, and can be tried again.
    """
    found: tuple[Archivable, ...] = ()
    for attempt in range(_TRIES):
        found = await candidates(service, older)
        try:
            await _record(service, found)
            break
        except PushRejected:  # somebody decided meanwhile: look at what may go once more
            if attempt == _TRIES - 1:
                raise
    rest = iter(found)
    while batch := tuple(islice(rest, _BATCH)):
        await _delete(service, batch)
    return found


async def _record(service: Service, found: Sequence[Archivable]) -> None:
    now, book = service.book.now(), service.book
    records: list[tuple[Key, Record]] = [
        (each.key, Archived(at=now, ref=each.ref, tag=each.tag))
        for each in found
        if not each.recorded
    ]
    if records:
        entry = Entry(records=records, message=f"archived: {len(records)} tags")
        await book.append(entry, epoch=book.epoch)


async def _delete(service: Service, batch: Sequence[Archivable]) -> None:
    refs = {f"refs/tags/{each.ref}": each.tag for each in batch}
    try:
        await service.world.remote.push(dict.fromkeys(refs, GONE), expect=refs)
    except PushRejected as error:
        raise TagRefused(f"(the deletion of {len(refs)} tags: {error.detail})") from error
