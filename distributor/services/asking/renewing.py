"""Renewing: a ledger begins anew, with what is desired and what stands, when the old one cannot go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from distributor.catalog.digests import find
from distributor.errors import DistributorError
from distributor.errors.git import BadKey, LedgerForged, NotThatRoot
from distributor.errors.service import BadArgument
from distributor.ledger import (
    encode,
    encode_genesis,
    kept_policies,
    kept_records,
    kept_verdicts,
    list_folder,
)
from distributor.model.fleet import Cluster
from distributor.model.ledger import Genesis, Key, LedgerState
from distributor.model.refs import ObjectId
from distributor.model.trees import NewCommit
from distributor.placement.instances import installations
from distributor.ports import TreeChange
from distributor.services.asking.founding import check_key, genesis_of, main_of
from distributor.services.ledger.book import BELIEVED, HEAD, LedgerBook
from distributor.services.service import Service
from distributor.services.state.desired import at_path, policy_pin
from distributor.services.world import World

_UNSEEN = 1000
"""Sequence numbers left out for each renewal in which some inventory could not be read."""
_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """The new root: what it goes on from, its next sequence number, and the targets that could not be asked."""

    root: ObjectId
    previous: ObjectId
    next_sequence: int
    unseen: tuple[str, ...] = ()


async def renew_ledger(service: Service, reason: str) -> Renewed:
    """Push a new signed root in the place of the ledger that is there, or is gone.

    It goes on from the last head that was believed here, which a rewound or forged branch does not change.
    Every other service stops until an operator there confirms it. Raises ``BadKey`` where main's policies
    do not let the key decide, what is wrong with the ledger where none was believed here, and
    ``PushRejected`` where the branch moved meanwhile.
    """
    world = service.world
    if not reason.strip():
        raise BadArgument("(a renewal needs a --reason)")
    if world.signer is None:
        raise BadKey("(the new root must be signed; name a key with --sign)")
    await world.remote.fetch()
    main = main_of(world)
    check_key(world.loader.policies(world.objects.tree_of(main)), world.signer, world.clock.now())
    book = await _believed(world)
    state = book.state
    highest, unseen = await _inventories(service, state, main)
    following = 1 + max(state.sequence, highest) + (_UNSEEN if unseen else 0)
    genesis = replace(
        genesis_of(world, main, world.signer),
        at=book.now(),
        previous=state.head,
        reason=reason,
        next_sequence=following,
    )
    root = await _push(world, genesis, _tree(world, book, state, genesis))
    return Renewed(root=root, previous=state.head, next_sequence=following, unseen=unseen)


async def confirm(service: Service, root: str) -> ObjectId:
    """Go on from a renewed ledger, once an operator has named its root in full; the ledger's head.

    Raises ``NotThatRoot`` for another one, and what is wrong with the ledger where something is.
    """
    world = service.world
    await world.remote.fetch()
    head = world.objects.resolve(world.ledger_ref)
    found = service.book.root(head)[0] if head is not None else ""
    if not found or found != root:
        raise NotThatRoot(f"({found or 'there is no ledger'}, not {root})")
    await world.store.set(HEAD, found)
    return (await LedgerBook(world).read()).head


async def _believed(world: World) -> LedgerBook:
    """The ledger to go on from: the one that is there, unless more of it, or another one, was believed here."""
    believed, book = world.objects.resolve(BELIEVED), LedgerBook(world, thorough=True)
    try:
        state = await book.read()
    except DistributorError:
        if believed is None:
            raise
    else:
        if believed is None or world.objects.is_ancestor(believed, state.head):
            return book
    book = LedgerBook(world, thorough=True)
    try:
        book.read_at(believed)
    except DistributorError as error:
        raise LedgerForged(f"(the head that was believed here, {believed}: {error})") from error
    return book


async def _inventories(
    service: Service, state: LedgerState, main: ObjectId
) -> tuple[int, tuple[str, ...]]:
    """The highest sequence number on any target, and the targets that could not be asked."""
    world, slots = service.world, asyncio.Semaphore(_AT_ONCE)
    catalog = world.loader.load(world.objects.tree_of(main))
    rows = await world.store.targets()

    async def ask(cluster: Cluster, key: Key) -> tuple[int, str]:
        async with slots:
            try:
                connection = await world.connections.open(cluster)
                inventory = await connection.read_inventory(*key)
            except DistributorError:
                return 0, f"{key[0]}/{key[1]} on {cluster.name}"
            return (inventory.sequence if inventory else 0), ""

    asked = [
        ask(cluster, (environment, instance))
        for environment, files in catalog.environments.items()
        for cluster in files.clusters.values()
        for instance in sorted(
            {i for e, i in state.instances if e == environment}
            | set(installations(catalog, environment))
        )
    ]
    found = await asyncio.gather(*asked)
    seen = chain((sequence for sequence, _ in found), (row.sequence for row in rows))
    return max(seen, default=0), tuple(place for _, place in found if place)


def _tree(
    world: World, book: LedgerBook, state: LedgerState, genesis: Genesis
) -> Mapping[str, TreeChange]:
    """The files of the new root: what stands, the trees that it needs, and the policies that judge."""
    objects, old = world.objects, world.objects.tree_of(state.head)
    found: dict[str, TreeChange] = {
        "genesis.json": ("blob", objects.write_blob(encode_genesis(genesis))),
        **policy_pin(world, genesis.main),
    }
    for key in state.instances:
        kept = kept_records(state, key, book.records(state.head, key))
        if kept:
            data = b"".join(encode(record) for record in kept)
            found[f"records/{key[0]}/{key[1]}.jsonl"] = ("blob", objects.write_blob(data))
        for verdict in kept_verdicts(state, key):
            path = f"pins/{key[0]}/{key[1]}/{verdict.sequence}"
            found |= _same(world, old, [path])
        lists = (list_folder(c.digest) for c in state.instance(*key).consents if c.digest)
        found |= _same(world, old, lists)
    wanted = (f"policies/{commit}/{p}" for commit in kept_policies(state) for p in _POLICY)
    return found | _same(world, old, wanted)


_POLICY = ("policies", "environments")


def _same(world: World, old: ObjectId, paths: Iterable[str]) -> dict[str, TreeChange]:
    """What the old tree has at these paths."""
    there = (path for path in paths if find(world.objects, old, path) is not None)
    return {path: at_path(world, old, path) for path in there}


async def _push(world: World, genesis: Genesis, files: Mapping[str, TreeChange]) -> ObjectId:
    """Exchange the branch for the new root, if it still is where it was seen."""
    objects, seen = world.objects, world.objects.resolve(world.ledger_ref)
    tree = objects.write_tree(None, files)
    commit = NewCommit(tree=tree, parents=(), message=f"renewed: {genesis.reason}", at=genesis.at)
    root = objects.write_commit(commit, world.signer)
    branch = f"refs/heads/{world.ledger}"
    await world.remote.push({branch: root}, expect={branch: seen})
    objects.set_ref(world.ledger_ref, root, seen)
    await world.store.set(HEAD, root)
    objects.set_ref(BELIEVED, root, objects.resolve(BELIEVED))
    return root
