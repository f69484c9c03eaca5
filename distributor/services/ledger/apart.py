"""Apart: a chain of ledger commits in the local mirror, made while the shared repository cannot be reached.

It begins with a failover or failback and holds nothing but the records of such instances. The chain lies
under one ref, where it begins under another, so that every step is whole or not there. When the repository
is back, it is pushed as it is, or where the ledger moved meanwhile its records go on top, in a commit that
descends from both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from distributor.catalog.digests import find
from distributor.errors.git import PushRejected
from distributor.ledger.parting import Rejoined, rejoined
from distributor.model.ledger import Decided, Key, LedgerState, Record
from distributor.model.refs import ObjectId
from distributor.model.tags import ACTIVATIONS
from distributor.ports import TreeChange
from distributor.services.ledger.batching import Entry
from distributor.services.ledger.files import LedgerFiles
from distributor.services.world import World

APART = "refs/distributor/apart"
"""The newest commit of the chain, in the local mirror."""
BASE = "refs/distributor/apart-base"
"""The commit of the shared ledger that the chain stands on."""


def begins(entry: Entry) -> bool:
    """Whether an entry is one that a ledger apart may begin with: the verdict on a failover or failback."""
    verdicts = [r.verdict for _, r in entry.records if isinstance(r, Decided)]
    return any(verdict.verb in ACTIVATIONS for verdict in verdicts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The commits that are not in the shared ledger yet: the last one, and the shared one below the first."""

    head: ObjectId
    base: ObjectId


def chain(world: World) -> Chain | None:
    """The chain of this mirror; ``None`` where everything is in the shared ledger as it was last fetched."""
    head, base = world.objects.resolve(APART), world.objects.resolve(BASE)
    shared = world.objects.resolve(world.ledger_ref)
    if head is None or base is None or shared is None or world.objects.is_ancestor(head, shared):
        return None
    return Chain(head=head, base=base)


def lengthen(world: World, before: ObjectId, head: ObjectId) -> None:
    """Put one more commit on the chain, or begin it."""
    objects, last = world.objects, chain(world)
    if last is None:
        objects.set_ref(BASE, before, objects.resolve(BASE))
    if (last.head if last else before) != before or not objects.set_ref(
        APART, head, objects.resolve(APART)
    ):
        raise PushRejected("(somebody else recorded apart from the shared ledger)")


def end(world: World) -> None:
    """Forget a chain that has arrived."""
    for ref in (APART, BASE):
        world.objects.set_ref(ref, None, world.objects.resolve(ref))


def keys_of(files: LedgerFiles, found: Chain) -> frozenset[Key]:
    """The instances that were recorded apart."""
    return _changed(files, found.base, found.head)


def rejoining(
    world: World, files: LedgerFiles, found: Chain, shared: LedgerState
) -> tuple[Rejoined, dict[str, TreeChange]]:
    """What goes on top of a shared ledger that moved, with the trees that it pins."""
    lines = {key: _new(files, found, key) for key in sorted(keys_of(files, found))}
    moved = _changed(files, found.base, shared.head)
    last = shared.last_at or shared.genesis.at
    new = rejoined(lines, shared, moved, max(world.clock.now(), last))
    pins: dict[str, TreeChange] = {}
    root = world.objects.tree_of(found.head)
    for verdict in new.pinned:
        folder = f"pins/{verdict.environment}/{verdict.instance}"
        number = new.numbers[verdict.sequence]
        for source, path in (
            (f"{folder}/{verdict.sequence}", f"{folder}/{number}"),
            (f"policies/{verdict.policy_commit}", f"policies/{verdict.policy_commit}"),
        ):
            entry = find(world.objects, root, source)
            if entry is not None:
                pins[path] = (entry.kind.value, entry.id)
    return new, pins


def _new(files: LedgerFiles, found: Chain, key: Key) -> Sequence[Record]:
    """The records of a file that were appended apart."""
    known = sum(1 for _ in files.records(found.base, key))
    return tuple(islice(files.records(found.head, key), known, None))


def _changed(files: LedgerFiles, before: ObjectId, after: ObjectId) -> frozenset[Key]:
    old, new = files.at(before), files.at(after)
    return frozenset(key for key in new if new[key] != old.get(key))
