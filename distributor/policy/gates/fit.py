"""Gate 12: the clusters have what the package needs: other apps beside it, processor and memory.

Clusters of another tier, operating system or Kubernetes than the package fits are no targets in the first
place; this gate names those among them that run the app already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from distributor.errors.policy import (
    DependencyPending,
    MissingDependency,
    NoCapacity,
    NoLongerFits,
)
from distributor.model.capacity import Resources
from distributor.model.findings import Finding, Severity
from distributor.model.package import Fits, Requirement
from distributor.model.promotion import GateAnswer
from distributor.model.versions import Version
from distributor.policy.facts import ClusterFact, GateFacts, Neighbour, PolicyView
from distributor.policy.gates.answers import Speaker

_SAY = Speaker(12, "fit")
_GIB = Decimal(1024**3)
CPU, MEMORY = "cpu", "memory"
"""The evidence: the most that the package asks of one cluster, in cores and bytes."""


def evaluate(
    facts: GateFacts, _view: PolicyView, params: Mapping[str, Any], _now: datetime
) -> GateAnswer:
    """Fails where a required app is missing on a target, a conflicting one is there, or the nodes are full.

    A required app counts in the version that the ledger says is verified there; while a fitting one is being
    rolled out, the request waits for it. What other instances ask of a cluster is what their own verdicts
    recorded. A figure that a cluster does not declare is not judged.

    ``params``: ``maxUsePercent`` (100 where absent), the share of the declared processor and memory that all
    requests together may take.
    """
    if facts.fits is None or facts.clusters is None:
        return _SAY.lacks("what the clusters have")
    wrong: dict[str, list[str]] = {}
    waits: dict[str, list[str]] = {}
    share = Decimal(params.get("maxUsePercent", 100)) / 100
    full: dict[str, list[str]] = {}
    for name, cluster in sorted(facts.clusters.items()):
        for text, late in _dependencies(facts.fits, cluster):
            (waits if late else wrong).setdefault(text, []).append(name)
        for text in _room(cluster, share):
            full.setdefault(text, []).append(name)
    findings = [Finding.of(MissingDependency, _on(t, names)) for t, names in wrong.items()]
    findings += [Finding.of(NoCapacity, _on(t, names)) for t, names in full.items()]
    pending = [Finding.of(DependencyPending, _on(t, names)) for t, names in waits.items()]
    evidence = _evidence(facts.clusters)
    if findings:
        return _SAY.fails([*findings, *pending], evidence=evidence)
    if pending:
        return _SAY.waits(findings=pending, evidence=evidence)
    return _SAY.passes("the clusters have what it needs", evidence=evidence, warnings=_left(facts))


def _dependencies(fits: Fits, cluster: ClusterFact) -> Iterator[tuple[str, bool]]:
    """What is wrong with the neighbours, and whether it is only late."""
    for needed in fits.requires:
        found = [n for n in cluster.neighbours if n.app == needed.app]
        if any(n.verified and _in(needed, n) for n in found) or (needed.optional and not found):
            continue
        wanted = f"{needed.app} {needed.range.text}".strip()
        if any(_in(needed, n) for n in found):
            yield f"{wanted} is being rolled out", True
        elif found:
            yield f"{wanted} is needed, {found[0].app} {found[0].version} is there", False
        else:
            yield f"{wanted} is needed", False
    for against in fits.conflicts:
        for n in cluster.neighbours:
            if n.app == against.app and _in(against, n):
                yield f"{n.app} {n.version} is there, which it conflicts with", False


def _in(needed: Requirement, neighbour: Neighbour) -> bool:
    try:
        return needed.range.holds(Version.parse(neighbour.version))
    except ValueError:
        return False


def _room(cluster: ClusterFact, share: Decimal) -> Iterator[str]:
    """The figures that would be too much."""
    need, taken, there = cluster.need, cluster.taken, cluster.supply
    rows = (
        ("cores", need.cpu, taken.cpu, there.cpu, Decimal(1)),
        ("GiB of memory", need.memory, taken.memory, there.memory, _GIB),
    )
    for unit, asked, others, supply, scale in rows:
        if asked is None or supply is None or not asked:
            continue
        used = others or Decimal(0)
        if asked + used > supply * share:
            beside = f" beside the {_figure(used / scale)} of others" if used else ""
            may = _figure(supply * share / scale)
            yield f"{_figure(asked / scale)} {unit} are asked for{beside}, {may} may be taken"


def _figure(number: Decimal) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _on(text: str, names: list[str], limit: int = 3) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"({text}; on {', '.join(names[:limit])}{more})"


def _evidence(clusters: Mapping[str, ClusterFact]) -> dict[str, str]:
    most = Resources()
    for cluster in clusters.values():
        most = most.most(cluster.need)
    return {CPU: f"{most.cpu or 0:f}", MEMORY: f"{most.memory or 0:f}"}


def _left(facts: GateFacts) -> list[Finding]:
    """Clusters that run the app and that this version does not fit: they keep what they have."""
    found: dict[str, list[str]] = {}
    for name, reason in sorted(facts.unfit.items()):
        found.setdefault(reason, []).append(name)
    return [
        Finding.of(NoLongerFits, _on(reason, names), severity=Severity.WARNING)
        for reason, names in found.items()
    ]
