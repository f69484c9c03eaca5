"""Looking: what the shared repository shows right now, as one snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from distributor.catalog.tags import format_name, parse
from distributor.errors.git import MainMissing
from distributor.model.catalog import Catalog
from distributor.model.findings import Finding
from distributor.model.fleet import ALL
from distributor.model.ledger import LedgerState
from distributor.model.policy import PolicySet
from distributor.model.refs import ObjectId
from distributor.model.tags import ObservedTag, Request, Verb
from distributor.services.ledger.book import LedgerBook
from distributor.services.world import World

TAGS = "refs/observed/tags/"
MAIN_HEAD = "main.head"
"""The store's key for the last head of main that was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Main, tags and ledger as they were last fetched.

    ``tags`` maps names such as ``promote/uat/shop/1.4.2`` to object ids. ``rewound`` is the head of
    main seen before, if main no longer descends from it.
    """

    main: ObjectId
    catalog: Catalog
    policies: PolicySet
    ledger: LedgerState
    tags: Mapping[str, ObjectId]
    rewound: ObjectId | None = None


async def look(world: World, book: LedgerBook) -> Snapshot:
    """Read what was last fetched. Trees that did not change are not read again."""
    main = world.objects.resolve(world.main_ref)
    if main is None:
        raise MainMissing(f"({world.main})")
    ledger = await book.read()
    root = world.objects.tree_of(main)
    seen = ObjectId(await world.store.get(MAIN_HEAD) or last_main(ledger, world.main))
    rewound = seen if seen and not world.objects.is_ancestor(seen, main) else None
    tags = world.objects.refs(TAGS)
    return Snapshot(
        main=main,
        catalog=world.loader.load(root),
        policies=world.loader.policies(root),
        ledger=ledger,
        tags={ref.removeprefix(TAGS): oid for ref, oid in tags.items()},
        rewound=rewound,
    )


def last_main(ledger: LedgerState, main: str) -> ObjectId:
    """The last head of main that the ledger knows: of its newest verdict, or acknowledged after it."""
    seen = (ledger.genesis.at, ledger.genesis.main)
    for state in ledger.instances.values():
        desired = state.desired
        at = state.accepted_at.get(desired.sequence) if desired else None
        if desired is not None and at is not None and desired.policy_commit:
            seen = max(seen, (at, desired.policy_commit))
    everything, ref = ledger.instance(ALL, ALL), f"refs/heads/{main}"
    if ref in everything.observed and everything.observed_at[ref] > seen[0]:
        return everything.observed[ref]
    return seen[1]


async def main_seen(world: World, main: ObjectId) -> None:
    """Remember main's head: a later one must descend from it."""
    if await world.store.get(MAIN_HEAD) != main:
        await world.store.set(MAIN_HEAD, main)


def observe(world: World, name: str, oid: ObjectId) -> ObservedTag:
    """A tag as the remote shows it."""
    kind = world.objects.object_type(oid)
    raw = world.objects.raw(oid) if kind == "tag" else b""
    return ObservedTag(ref=f"refs/tags/{name}", id=oid, type=kind, raw=raw)


def approved(world: World, snapshot: Snapshot, request: Request) -> Request | Finding | None:
    """The request that an approval points at, if it stands on the remote under the name it says."""
    if request.name.verb is not Verb.APPROVE:
        return None
    name = replace(request.name, verb=Verb.PROMOTE, principal="", principal_attempt=1)
    written = format_name(name)
    if snapshot.tags.get(written) != request.tag.target:
        return None
    return parse(observe(world, written, request.tag.target))
