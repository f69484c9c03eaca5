"""The ledger book: reads the ledger branch, checks it, and appends to it by fast-forward pushes alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime

from distributor import metrics
from distributor.errors import DistributorError, Where
from distributor.errors.git import (
    LedgerBroken,
    LedgerForged,
    LedgerRenewed,
    LedgerRewound,
    NoLedger,
    NotTheLedgersKey,
    PushRejected,
    RemoteUnreachable,
)
from distributor.ledger import decode_genesis, fold
from distributor.model.ledger import KEYS, Genesis, Key, LedgerState, Record
from distributor.model.refs import ObjectId
from distributor.model.trees import EntryKind, NewCommit
from distributor.services.ledger.apart import (
    Chain,
    begins,
    chain,
    end,
    keys_of,
    lengthen,
    rejoining,
)
from distributor.services.ledger.batching import Batches, Door, Entry
from distributor.services.ledger.checking import (
    Known,
    check_founder,
    known_at,
    same_key,
    verify_history,
)
from distributor.services.ledger.files import Added, LedgerFiles
from distributor.services.world import World

__all__ = ["BELIEVED", "HEAD", "Entry", "LedgerBook"]

HEAD = "ledger.head"
"""The store's key for the last ledger head seen."""
BELIEVED = "refs/distributor/ledger"
"""The last ledger head that was read and checked, in the local mirror."""
NOWHERE = ObjectId("")


class LedgerBook:
    """One ledger, as this process knows it. Appends are serialised; those that wait share a commit.

    A ``thorough`` one checks every commit from the first on, also those that were checked before it began.
    """

    def __init__(self, world: World, *, thorough: bool = False) -> None:
        self._world = world
        self._lock = asyncio.Lock()
        self._state: LedgerState | None = None
        self._files = LedgerFiles(world.objects)
        self._thorough = thorough
        self._verified: ObjectId | None = None
        self._founded: Genesis | None = None  # as it was when commits were first checked
        self._known: Known | None = None  # the key of the next commit
        self._named: tuple[LedgerState, tuple[str, ...]] | None = None
        self.apart: Chain | None = None  # what is not in the shared ledger yet
        self.epoch = 0  # grows whenever somebody else moved the ledger
        door = Door(push=self._append, catch_up=self._catch_up, epoch=lambda: self.epoch)
        self._batches = Batches(door, self._lock)

    @property
    def state(self) -> LedgerState:
        """The last state read; raises ``NoLedger`` before the first."""
        if self._state is None:
            raise NoLedger
        return self._state

    @property
    def names(self) -> tuple[str, ...]:
        """The instances of all environments; the same tuple for all who ask, until there are others."""
        state = self.state
        if self._named is None or self._named[0] is not state:
            known = self._named
            same = known is not None and known[0].instances.keys() == state.instances.keys()
            names = known[1] if known and same else tuple(name for _, name in state.instances)
            self._named = (state, names)
        return self._named[1]

    @property
    def key(self) -> str:
        """The key that the next commit has to be signed with; raises ``NoLedger`` before the first read."""
        if self._known is None:
            raise NoLedger
        return self._known.key

    def now(self) -> datetime:
        """The time that records get: the clock's, but never before what the ledger says already."""
        now = self._world.clock.now()
        last = self._state.last_at if self._state is not None else None
        return max(now, last) if last is not None else now

    async def read(self) -> LedgerState:
        """Read the head that was last fetched.

        Raises ``NoLedger``, ``LedgerRewound``, ``LedgerForged``, ``LedgerNewer`` or ``LedgerBroken``:
        then decisions stop, and what runs stays.
        """
        async with self._lock:
            return await self._read()

    async def _read(self) -> LedgerState:
        world = self._world
        head = world.objects.resolve(world.ledger_ref)
        last = await world.store.get(HEAD)
        self.apart = chain(world)
        if self.apart is not None:
            return self._read_apart(self.apart, ObjectId(last or ""))
        if head is None:
            if last:
                raise LedgerRewound(
                    f"(the branch {world.ledger} is gone; its last head was {last})"
                )
            raise NoLedger
        if self._state is not None and head == self._state.head:
            return self._state
        if last and not world.objects.is_ancestor(ObjectId(last), head):
            await world.remote.fetch()  # another process on this mirror may have fetched too early
            head = world.objects.resolve(world.ledger_ref) or head
        if last and not world.objects.is_ancestor(ObjectId(last), head):
            raise self._strange(head, ObjectId(last))
        if last and self._verified and not world.objects.is_ancestor(self._verified, head):
            self._forget()  # somebody confirmed a renewal
        genesis = self._check(head, ObjectId(last or ""))
        self._state = self._fold(head, genesis)
        self._believe(head)
        self.epoch += 1
        if last != head:
            await world.store.set(HEAD, head)
        return self._state

    def _read_apart(self, apart: Chain, last: ObjectId) -> LedgerState:
        """The state of what is recorded apart; what the shared ledger says is asked when it is rejoined."""
        if self._state is None or apart.head != self._state.head:
            self._state = self._fold(apart.head, self._check(apart.head, last))
            self._believe(apart.head)
            self.epoch += 1
        return self._state

    def _strange(self, head: ObjectId, last: ObjectId) -> LedgerRewound | LedgerRenewed:
        """What a head is that does not descend from the last one: a renewal to confirm, or a rewound ledger."""
        rewound = LedgerRewound(f"(head {head}, last seen {last})")
        try:
            root, genesis = self.root(head)
        except DistributorError:
            return rewound
        if not genesis.previous:
            return rewound
        return LedgerRenewed(
            f"(its root is {root}, signed by {genesis.key} and made at {genesis.at.isoformat()} because: "
            f"{genesis.reason}. It goes on from {genesis.previous}; the last head seen here is {last})"
        )

    def root(self, head: ObjectId) -> tuple[ObjectId, Genesis]:
        """The first commit of the ledger with that head, and its genesis record, when all is well signed.

        It takes nothing that this process remembers for granted, and leaves it as it is.
        """
        objects, genesis = self._world.objects, self._genesis(head)
        history = objects.history(head, None)
        known = verify_history(objects, history, Known(key=genesis.key))
        check_founder(self._world, genesis, known.signed)
        return history[-1], self._genesis(history[-1])

    def read_at(self, head: ObjectId) -> LedgerState:
        """The state at a head that was believed once, whatever the remote shows now."""
        self._state = self._fold(head, self._check(head, founded=True))
        return self._state

    def _forget(self) -> None:
        self._verified = self._founded = self._known = None

    def _check(self, head: ObjectId, last: ObjectId = NOWHERE, *, founded: bool = False) -> Genesis:
        """Every commit since the last one checked is signed by the genesis' key, or one that took over.

        ``last`` is the head that another process on this state folder checked and remembered. The genesis record
        never changes; where nothing is remembered, main's policy must know the key, unless ``founded``.
        """
        objects, genesis = self._world.objects, self._genesis(head)
        if last and self._verified is None and not self._thorough:
            self._verified, self._founded = last, self._genesis(last)
            self._known = known_at(objects, last, self._founded)
        if self._founded is not None and genesis != self._founded:
            raise LedgerForged(f"(commit {head} has another genesis record)")
        known = self._known or Known(key=genesis.key)
        known = verify_history(objects, objects.history(head, self._verified), known)
        if self._founded is None and not last and not founded:
            check_founder(self._world, genesis, known.signed)
        self._verified, self._founded, self._known = head, genesis, known
        return genesis

    def _genesis(self, head: ObjectId) -> Genesis:
        objects = self._world.objects
        for entry in objects.entries(objects.tree_of(head)):
            if entry.name == "genesis.json" and entry.kind is EntryKind.BLOB:
                return decode_genesis(objects.blob(entry.id), Where(file="genesis.json", line=1))
        raise LedgerBroken("(there is no genesis.json)")

    def _fold(self, head: ObjectId, genesis: Genesis) -> LedgerState:
        return fold(head, genesis, self._files.folds(head))

    def records(self, head: ObjectId, key: Key) -> Iterator[Record]:
        """The records of one environment and instance at a head, oldest first."""
        return self._files.records(head, key)

    def keys(self, head: ObjectId) -> tuple[Key, ...]:
        """The environments and instances that a head has records of."""
        return tuple(self._files.at(head))

    def _believe(self, head: ObjectId) -> None:
        """Remember the head that was checked: what a fetch shows may be older, or not honest."""
        objects = self._world.objects
        objects.set_ref(BELIEVED, head, objects.resolve(BELIEVED))

    async def append(self, entry: Entry, *, epoch: int | None = None) -> LedgerState:
        """Append and push; the new state.

        With ``epoch``, only if nobody else moved the ledger since: otherwise ``PushRejected``, and the
        caller decides anew. Without, facts are appended to whatever the head is by then.
        """
        if self.apart is not None:
            return await self._append_apart(entry, epoch)
        try:
            return await self._batches.add(entry, epoch)
        except RemoteUnreachable:
            if not begins(entry):
                raise
            return await self._append_apart(entry, epoch)

    async def _append_apart(self, entry: Entry, epoch: int | None) -> LedgerState:
        """Append to what is recorded apart: facts of the instances that it is about, and no others."""
        async with self._lock:
            await self._read()
            known = keys_of(self._files, self.apart) if self.apart is not None else frozenset()
            if not begins(entry) and not {key for key, _ in entry.records} <= known:
                raise RemoteUnreachable(
                    "(the ledger is apart from the shared one until that is back)"
                )
            if epoch not in {None, self.epoch}:
                raise PushRejected("(the ledger moved on)")
            before = self.state.head
            head, added = self._commit(entry)
            lengthen(self._world, before, head)
            self._state = self._grown(head, added)
            self.apart = chain(self._world)
            return self._state

    async def rejoin(self) -> bool:
        """Bring what was recorded apart to the shared ledger, as it was fetched; whether there was anything.

        Raises ``RemoteUnreachable``, ``PushRejected``: then all stays as it was.
        """
        async with self._lock:
            found = chain(self._world)
            if found is None:
                end(self._world)
                self.apart = None
                return False
            world, branch = self._world, f"refs/heads/{self._world.ledger}"
            shared = world.objects.resolve(world.ledger_ref)
            head = found.head
            if shared != found.base:
                head = self._merged(found, ObjectId(shared or ""))
            await world.remote.push({branch: head}, expect={branch: shared})
            world.objects.set_ref(world.ledger_ref, head, shared)
            await world.store.set(HEAD, head)
            end(world)
            await self._read()
            return True

    def _merged(self, found: Chain, shared: ObjectId) -> ObjectId:
        """A commit on the shared ledger with what was recorded apart, descending from both.

        Raises ``LedgerRewound`` or ``LedgerRenewed`` for a ledger that does not go on from where this one parted.
        """
        if not self._world.objects.is_ancestor(found.base, shared):
            raise self._strange(shared, found.base)
        self._check_signer()
        self._forget()
        state = self._fold(shared, self._check(shared, found.base))
        new, pins = rejoining(self._world, self._files, found, state)
        entry = Entry(records=new.records, message="rejoin what was recorded apart", pins=pins)
        before, self._state = self._state, state
        try:
            head, _ = self._commit(entry, (found.head,))
        finally:
            self._state = before  # until it has arrived
        return head

    async def settle(self) -> None:
        """Wait until what is on its way to the shared ledger has arrived, or failed."""
        await self._batches.settle()

    async def _catch_up(self) -> None:
        """Somebody else was faster."""
        metrics.LEDGER_PUSHES.labels("rejected").inc()
        await self._world.remote.fetch()
        await self._read()

    def _commit(self, entry: Entry, more: tuple[ObjectId, ...] = ()) -> tuple[ObjectId, Added]:
        """A commit on the head of the state, and on others; nobody sees it yet."""
        world, old = self._world, self.state
        self._check_signer()
        files, added = self._files.extended(old, entry.records, self.now().year)
        tree = world.objects.write_tree(world.objects.tree_of(old.head), {**entry.pins, **files})
        parents = (old.head, *more)
        commit = NewCommit(tree=tree, parents=parents, message=entry.message, at=self.now())
        return world.objects.write_commit(commit, world.signer), added

    def _grown(self, head: ObjectId, added: Added) -> LedgerState:
        """The state with what was appended, believed from now on."""
        old = self.state
        self._files.keep(added)
        states = {key: state for key, (_, state) in added.items()}
        self._state = fold(head, old.genesis, {**old.instances, **states})
        self._believe(head)
        self._verified = head
        self._follow_key(added)
        return self._state

    async def _append(self, entry: Entry) -> LedgerState:
        world, old = self._world, self.state
        head, added = self._commit(entry)
        branch = f"refs/heads/{world.ledger}"
        await world.remote.push({branch: head}, expect={branch: old.head})
        metrics.LEDGER_PUSHES.labels("done").inc()
        world.objects.set_ref(world.ledger_ref, head, world.objects.resolve(world.ledger_ref))
        state = self._grown(head, added)
        await world.store.set(HEAD, head)
        return state

    def _check_signer(self) -> None:
        """A commit that nobody believes would stop every service: it is never made."""
        signer, known = self._world.signer, self._known
        if signer is None:
            raise NotTheLedgersKey("(this process has no key)")
        if known is not None and not same_key(signer.public_key, known.key):
            raise NotTheLedgersKey(f"(it is {known.key}, and this process has {signer.public_key})")

    def _follow_key(self, added: Added) -> None:
        if KEYS in added:
            blobs, state = added[KEYS]
            self._known = Known(key=state.keys[-1], file=blobs[-1])

    def pinned(self, environment: str, instance: str, sequence: int) -> ObjectId | None:
        """The tree that a verdict pinned: a small catalog repository of just what it accepted."""
        objects = self._world.objects
        tree = objects.tree_of(self.state.head)
        for name in ("pins", environment, instance, str(sequence)):
            found = next((e.id for e in objects.entries(tree) if e.name == name), None)
            if found is None:
                return None
            tree = found
        return tree
