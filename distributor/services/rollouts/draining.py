"""Draining: what instances run on a cluster that was retired is taken away, and the ledger told when it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from distributor import log
from distributor.errors import DistributorError
from distributor.model.changes import Actuation
from distributor.model.fleet import Cluster
from distributor.model.ledger import InstanceState, Key, LedgerState, Retired
from distributor.model.tags import Verb
from distributor.services.ledger.book import Entry, LedgerBook
from distributor.services.rendering.renderer import Renderer
from distributor.services.rollouts.slots import TargetLocks
from distributor.services.rollouts.works import message_of, reconcile_desired
from distributor.services.state.desired import Desired, read_desired
from distributor.services.state.journal import Journal
from distributor.services.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaving:
    """One instance that leaves one cluster, with what was accepted of it there."""

    key: Key
    retired: Retired
    desired: Desired
    cluster: Cluster


class Drainer:
    """Empties retired clusters; whoever is killed meanwhile begins again, and finds less to do."""

    def __init__(
        self,
        world: World,
        book: LedgerBook,
        renderer: Renderer,
        journal: Journal,
        locks: TargetLocks,
    ) -> None:
        self._world = world
        self._book = book
        self._renderer = renderer
        self._journal = journal
        self._locks = locks
        self._told: dict[tuple[Key, str], str] = {}
        self._log = log.get("draining")

    async def drain(self) -> None:
        """Empty what can be reached; the rest is tried again at the next resync."""
        for leaving in tuple(self._leaving()):
            try:
                await self._empty(leaving)
            except DistributorError as error:
                self._log.warning("a retired cluster waits", key=leaving.key, error=str(error))

    def _leaving(self) -> Iterator[_Leaving]:
        for key, state in self._book.state.instances.items():
            for retired in undrained(state):
                verdict = next((v for v in state.accepted if v.sequence == retired.sequence), None)
                if verdict is None:
                    continue
                try:
                    read = read_desired(
                        self._world, self._book, replace(verdict, targets=(retired.cluster,))
                    )
                except DistributorError as error:
                    self._log.error("what was accepted cannot be read", key=key, error=str(error))
                    continue
                # The number of what ran there: if main takes the cluster back, that may run there again.
                leaves = replace(read.verdict, verb=Verb.REMOVE)
                yield _Leaving(
                    key=key,
                    retired=retired,
                    desired=replace(read, verdict=leaves),
                    cluster=read.clusters[retired.cluster],
                )

    async def _empty(self, leaving: _Leaving) -> None:
        (environment, instance), name = leaving.key, leaving.cluster.name
        async with self._locks.of((environment, instance, name)):
            report = await reconcile_desired(
                self._world, self._renderer, leaving.desired, leaving.cluster
            )
        done = report.actuation is Actuation.APPLIED
        text = "emptied" if done else message_of(report)
        if self._told.get((leaving.key, name)) != text:
            self._told[leaving.key, name] = text
            await self._journal.tell(
                "retired", text, environment=environment, instance=instance, cluster=name
            )
        if not done:
            return
        await self._book.append(
            Entry(
                records=[
                    (leaving.key, replace(leaving.retired, at=self._book.now(), drained=True))
                ],
                message=f"emptied {environment}/{name} of {instance}",
            )
        )
        await self._world.store.drop_target(environment, instance, name)


def undrained(state: InstanceState) -> tuple[Retired, ...]:
    """The clusters that an instance has to leave, and where it may still be."""
    return tuple(retired for retired in state.retired if not retired.drained)


def leaving(ledger: LedgerState) -> frozenset[tuple[Key, str, int]]:
    """Every instance that has to leave a cluster."""
    return frozenset(
        (key, retired.cluster, retired.number)
        for key, state in ledger.instances.items()
        for retired in undrained(state)
    )
