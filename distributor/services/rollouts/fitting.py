"""Fitting: gate 12 about clusters that join or change: the apps beside, and what their nodes have left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from distributor.model.capacity import Resources
from distributor.model.findings import Finding, errors
from distributor.model.fleet import Cluster
from distributor.model.manifest import ManifestSet
from distributor.model.promotion import KEEPS_OUT
from distributor.model.tags import Verb
from distributor.plan import demand
from distributor.policy import GateFacts, foresee
from distributor.services.ledger.book import LedgerBook
from distributor.services.promotion.neighbours import cluster_facts
from distributor.services.promotion.policing import policy_views
from distributor.services.promotion.windows import request_of
from distributor.services.state.desired import Desired
from distributor.services.state.looking import Snapshot
from distributor.services.world import World

_FIT = frozenset({"fit"})


def needs_of(
    desired: Desired, clusters: Mapping[str, Cluster], manifests: Mapping[str, ManifestSet]
) -> dict[str, Resources]:
    """What a revision asks of each cluster that it renders for."""
    os = desired.subject.package.fits.os
    return {name: demand(found, clusters[name], os) for name, found in manifests.items()}


def unfit(
    world: World,
    book: LedgerBook,
    snapshot: Snapshot,
    desired: Desired,
    *,
    clusters: Mapping[str, Cluster],
    needs: Mapping[str, Resources],
    now: datetime,
) -> dict[str, tuple[Finding, ...]]:
    """Why clusters are kept out by the gate, by the policies that judge a promotion there, as the ledger stands."""
    verdict, package = desired.verdict, desired.subject.package
    views = policy_views(world, replace(snapshot, ledger=book.state), verdict.environment)
    empty = {name: ManifestSet.of(()) for name in needs}
    key, asked = (verdict.environment, verdict.instance), replace(verdict, verb=Verb.PROMOTE)
    found: dict[str, tuple[Finding, ...]] = {}
    for name, fact in cluster_facts(book.state, key, package, clusters, empty).items():
        facts = GateFacts(
            ref=verdict.ref,
            request=request_of(asked, now),
            policies=views,
            app=package.app,
            fits=package.fits,
            clusters={name: replace(fact, need=needs[name].most(fact.need))},
        )
        kept = [a for a in foresee(facts, _FIT, now) if a.result in KEEPS_OUT]
        found[name] = tuple(f for answer in kept for f in errors(answer.findings))
    return found
