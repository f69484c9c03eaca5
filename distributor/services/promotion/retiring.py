"""Retiring: who has a cluster as a target that is to go, and what is recorded once it may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from distributor.errors import DistributorError
from distributor.ledger import rollout_stands
from distributor.model.catalog import EnvironmentFiles
from distributor.model.ledger import InstanceState, Key, LedgerState, Record, Retired
from distributor.model.promotion import Verdict
from distributor.model.tags import TagName, Verb
from distributor.policy import Retirement
from distributor.services.ledger.book import LedgerBook
from distributor.services.state.desired import read_desired
from distributor.services.state.looking import Snapshot
from distributor.services.world import World


def retirement(snapshot: Snapshot, environment: str, cluster: str) -> Retirement:
    """How a cluster stands, by main's files and the ledger."""
    files = snapshot.catalog.environments.get(environment)
    there = dict(_there(snapshot.ledger, environment, cluster))
    return Retirement(
        declared=files is not None and cluster in files.clusters,
        instances=tuple(sorted(there)),
        rolling=tuple(sorted(n for n, s in there.items() if rollout_stands(s) == "running")),
    )


def retired_tier(
    world: World, book: LedgerBook, snapshot: Snapshot, name: TagName
) -> tuple[str, ...]:
    """The tier of a cluster that main has no file of any more, as an accepted verdict pinned it."""
    for _, state in _there(snapshot.ledger, name.environment, name.instance):
        if state.desired is not None:
            try:
                return (read_desired(world, book, state.desired).clusters[name.instance].tier,)
            except DistributorError:
                continue
    return ()


def retirements(ledger: LedgerState, verdict: Verdict, now: datetime) -> list[tuple[Key, Record]]:
    """The records by which each instance leaves the cluster of an accepted retirement."""
    found: list[tuple[Key, Record]] = []
    for name, state in _there(ledger, verdict.environment, verdict.instance):
        if state.desired is not None:
            record = Retired(
                at=now,
                cluster=verdict.instance,
                sequence=state.desired.sequence,
                number=verdict.sequence,
                by=verdict.principal,
                ref=verdict.ref,
            )
            found.append(((verdict.environment, name), record))
    return found


def without_retired(
    snapshot: Snapshot, before: Verdict | None, files: EnvironmentFiles
) -> EnvironmentFiles:
    """The files of a commit without the clusters that were retired since, unless main has them again."""
    if before is None:
        return files
    here = snapshot.ledger.instance(before.environment, before.instance)
    newest = snapshot.catalog.environments.get(before.environment)
    known = newest.clusters if newest is not None else {}
    gone = {retired.cluster for retired in here.retired} - set(known)
    kept = {name: cluster for name, cluster in files.clusters.items() if name not in gone}
    return replace(files, clusters=kept) if gone else files


def _there(
    ledger: LedgerState, environment: str, cluster: str
) -> Iterator[tuple[str, InstanceState]]:
    """The instances that have a cluster as a target, and were not removed."""
    for (where, name), state in ledger.instances.items():
        desired = state.desired
        if where != environment or desired is None or desired.verb is Verb.REMOVE:
            continue
        if cluster in desired.targets:
            yield name, state
