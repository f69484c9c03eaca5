"""Elsewhere: how a requested package stands in the other environments."""

from __future__ import annotations

from dataclasses import dataclass

from distributor.ledger import soak, verified_in
from distributor.model.catalog import Catalog
from distributor.model.package import Package
from distributor.model.promotion import Verdict
from distributor.model.refs import ObjectId
from distributor.model.tags import Verb
from distributor.placement.instances import installations
from distributor.placement.placing import place
from distributor.policy import EnvironmentFact
from distributor.services.ledger.book import LedgerBook
from distributor.services.state.desired import at_path
from distributor.services.state.looking import Snapshot
from distributor.services.world import World


@dataclass(frozen=True, slots=True)
class Asked:
    """The package that is asked for, the commit's catalog and root tree, and where it is asked for."""

    catalog: Catalog
    package: Package
    root: ObjectId
    environment: str


def elsewhere(
    world: World, book: LedgerBook, snapshot: Snapshot, asked: Asked
) -> dict[str, EnvironmentFact]:
    """How the package stands in the other environments."""
    catalog, package = asked.catalog, asked.package
    facts: dict[str, EnvironmentFact] = {}
    for name, files in catalog.environments.items():
        if name == asked.environment:
            continue
        instances = [i for i in installations(catalog, name).values() if i.app == package.app]
        clusters = {
            t.name: t.cluster
            for i in instances
            for t in place(
                package,
                i,
                files,
                present=running_on(snapshot.ledger.instance(name, i.instance).desired),
            ).targets
        }
        verified = verified_in(snapshot.ledger, name, package.app, package.digest)
        desired = any(
            v is not None
            and v.verb is not Verb.REMOVE
            and v.revision is not None
            and v.revision.digest == package.digest
            for (where, _), s in snapshot.ledger.instances.items()
            if where == name
            for v in (s.desired,)
        )
        tiers = sorted({c.tier for c in clusters.values()})
        changed = _changed_tiers(world, book, verified[0], asked.root, tiers) if verified else ()
        facts[name] = EnvironmentFact(
            targets=len(clusters),
            verified=bool(verified),
            desired=desired,
            tiers=changed,
            soak=soak(snapshot.ledger, name, package.app, package.digest),
        )
    return facts


def _changed_tiers(
    world: World, book: LedgerBook, verdict: Verdict, root: ObjectId, tiers: list[str]
) -> tuple[str, ...]:
    """The tiers whose trees differ from those that were verified."""
    pin = book.pinned(verdict.environment, verdict.instance, verdict.sequence)
    if pin is None:
        return tuple(tiers)
    paths = {tier: f"environments/tiers/{tier}" for tier in tiers}
    return tuple(t for t, p in paths.items() if at_path(world, pin, p) != at_path(world, root, p))


def running_on(before: Verdict | None) -> frozenset[str]:
    """The clusters that an instance is on already: ``NoSelectIfNew`` keeps it off all others."""
    if before is None or before.verb is Verb.REMOVE:
        return frozenset()
    return frozenset(before.targets)
