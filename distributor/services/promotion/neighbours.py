"""Neighbours: what runs beside a requested package on each of its targets, by the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from distributor.model.capacity import Resources
from distributor.model.fleet import Cluster
from distributor.model.ledger import InstanceState, Key, LedgerState
from distributor.model.manifest import ManifestSet
from distributor.model.package import Package
from distributor.model.promotion import Verdict
from distributor.model.tags import Verb
from distributor.plan import declared, demand, supply
from distributor.policy import ClusterFact, Neighbour
from distributor.policy.gates.fit import CPU, MEMORY

FIT = 12
"""The number of the gate that looks at neighbours."""


def cluster_facts(
    ledger: LedgerState,
    key: Key,
    package: Package,
    clusters: Mapping[str, Cluster],
    manifests: Mapping[str, ManifestSet],
) -> dict[str, ClusterFact]:
    """What each target has, and what the package asks of it; for those that render."""
    fits = package.fits
    wanted = {r.app for r in (*fits.requires, *fits.conflicts)}
    beside: dict[str, list[Neighbour]] = {}
    taken: dict[str, Resources] = {}
    for (where, name), state in ledger.instances.items():
        desired = state.desired
        if where != key[0] or name == key[1] or desired is None:
            continue
        if desired.verb is Verb.REMOVE or desired.revision is None:
            continue
        asks, app = _recorded(state), desired.revision.app
        for cluster in desired.targets:
            taken[cluster] = taken.get(cluster, Resources()) + asks
            if app in wanted:
                beside.setdefault(cluster, []).append(_neighbour(state, desired, app))
    least = Resources().most(declared(package.capacity))
    return {
        name: ClusterFact(
            neighbours=tuple(beside.get(name, ())),
            need=demand(manifests[name], cluster, fits.os).most(least),
            taken=taken.get(name, Resources()),
            supply=supply(cluster, fits.os),
        )
        for name, cluster in clusters.items()
        if name in manifests
    }


def _neighbour(state: InstanceState, desired: Verdict, app: str) -> Neighbour:
    progress = state.progress.get(desired.sequence)
    verified = progress is not None and progress.verified_at is not None
    version = desired.revision.version if desired.revision else ""
    return Neighbour(app=app, version=version, verified=verified)


def _recorded(state: InstanceState) -> Resources:
    """What gate 12 found when the newest accepted verdict that it judged was given."""
    for verdict in reversed(state.accepted):
        for answer in verdict.answers:
            if answer.number == FIT and CPU in answer.evidence:
                cpu, memory = answer.evidence[CPU], answer.evidence.get(MEMORY, "0")
                return Resources(cpu=_number(cpu), memory=_number(memory))
    return Resources()


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return Decimal(0)
    return number if number.is_finite() else Decimal(0)
