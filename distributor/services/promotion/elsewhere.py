"""Elsewhere: how a requested package stands in the other environments."""

from __future__ import annotations

from dataclasses import dataclass

from distributor.ledger import soak, verified_in
from distributor.model.catalog import Catalog
from distributor.model.fleet import Installation
from distributor.model.package import Package
from distributor.model.parity import Difference
from distributor.model.promotion import Verdict
from distributor.model.refs import ObjectId
from distributor.model.tags import Verb
from distributor.placement.instances import installations
from distributor.placement.placing import place
from distributor.policy import EnvironmentFact, GateFacts
from distributor.render.parity import differences, side
from distributor.services.ledger.book import LedgerBook
from distributor.services.promotion.activating import There, parts_there
from distributor.services.state.desired import at_path
from distributor.services.state.looking import Snapshot
from distributor.services.world import World


@dataclass(frozen=True, slots=True)
class Asked:
    """The package that is asked for, the commit's catalog and root tree, and what is known of the request."""

    catalog: Catalog
    package: Package
    root: ObjectId
    installation: Installation
    facts: GateFacts

    @property
    def environment(self) -> str:
        """Where it is asked for."""
        return self.installation.environment

    @property
    def follows(self) -> str:
        """The environment that a standby takes it with, in one commit; where it stands for itself, its own."""
        return self.facts.ref.split("/")[1]


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
            differs=_differs(world, book, asked, name),
        )
    return facts


def _differs(world: World, book: LedgerBook, asked: Asked, other: str) -> tuple[Difference, ...]:
    """The values that the instance does not have alike in two environments of which one stands by for the other.

    The other's are those that it runs the package with, or will, by the commit that is asked for.
    """
    here, package = asked.environment, asked.package
    pair = {(here, other), (other, here)}
    rules = (item for view in asked.facts.policies for item in view.environments.items())
    if not any((name, rule.standby_for) in pair for name, rule in rules):
        return ()
    there = There(
        catalog=asked.catalog,
        package=package,
        environment=other,
        instance=asked.installation.instance,
        exact=True,
        fresh=other == asked.follows,
    )
    theirs = parts_there(world, book, there)
    if theirs is None:
        return ()
    ours = side(package, asked.installation, asked.catalog.environments[here].environment)
    return differences(
        package.app, ours, side(theirs.package, theirs.installation, theirs.environment)
    )


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
