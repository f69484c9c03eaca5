"""Gate 13: how far the change reaches: objects that vanish, clusters that change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from distributor.errors.policy import BlastRadius
from distributor.model.findings import Finding
from distributor.model.promotion import GateAnswer
from distributor.model.tags import Verb
from distributor.policy.facts import GateFacts, PolicyView, Reach
from distributor.policy.gates.answers import Speaker

_SAY = Speaker(13, "blast-radius")
_PRECIOUS = (
    "CustomResourceDefinition",
    "Namespace",
    "PersistentVolume",
    "PersistentVolumeClaim",
)
"""What no promotion takes away unless a policy lists other ``protectedKinds``: data goes with it.

A rollback may; the guards at apply still keep such objects until a person consents.
"""


def evaluate(
    facts: GateFacts, _view: PolicyView, params: Mapping[str, Any], _now: datetime
) -> GateAnswer:
    """Fails where more would vanish or change than ``params`` allow.

    ``maxPrunedObjects`` counts a cluster's objects, ``maxChangedClustersPercent`` the environment's
    clusters. A removal is nothing but the wish to take everything away, so no limit holds for it.
    """
    reach = facts.reach
    if facts.verb is Verb.REMOVE:
        return _SAY.passes("a removal asks for it", evidence=_evidence(reach or Reach()))
    if reach is None:
        return _SAY.lacks("what would change")
    findings = _protected(reach, _kinds(facts.verb, params))
    findings += [*_emptied(reach), *_pruned(reach, params), *_changed(reach, params)]
    if findings:
        return _SAY.fails(findings, evidence=_evidence(reach))
    return _SAY.passes("within the limits", evidence=_evidence(reach))


def _evidence(reach: Reach) -> dict[str, str]:
    return {
        "pruned": str(sum(map(len, reach.pruned.values()))),
        "changed": str(len(reach.changed)),
        "clusters": str(reach.clusters),
    }


def _kinds(verb: Verb, params: Mapping[str, Any]) -> Iterable[str]:
    kinds: Iterable[str] = params.get("protectedKinds", _PRECIOUS if verb is Verb.PROMOTE else ())
    return kinds


def _protected(reach: Reach, kinds: Iterable[str]) -> list[Finding]:
    wanted = frozenset(kinds)
    found: dict[str, list[str]] = {}
    for cluster in sorted(reach.pruned):
        for ref in reach.pruned[cluster]:
            if ref.kind in wanted:
                found.setdefault(str(ref), []).append(cluster)
    return [
        Finding.of(BlastRadius, f"{ref} would vanish from {_some(clusters)}.")
        for ref, clusters in found.items()
    ]


def _emptied(reach: Reach) -> list[Finding]:
    if not reach.emptied:
        return []
    text = f"Nothing would be left on {_some(sorted(reach.emptied))}; remove the instance instead."
    return [Finding.of(BlastRadius, text)]


def _pruned(reach: Reach, params: Mapping[str, Any]) -> list[Finding]:
    limit = params.get("maxPrunedObjects")
    if limit is None:
        return []
    over = [cluster for cluster in sorted(reach.pruned) if len(reach.pruned[cluster]) > limit]
    if not over:
        return []
    most = max(len(reach.pruned[cluster]) for cluster in over)
    text = f"{most} objects would vanish from {_some(over)}; {limit} may."
    return [Finding.of(BlastRadius, text)]


def _changed(reach: Reach, params: Mapping[str, Any]) -> list[Finding]:
    limit = params.get("maxChangedClustersPercent")
    if limit is None or not reach.changed:
        return []
    if len(reach.changed) * 100 <= limit * reach.clusters:
        return []
    text = f"{len(reach.changed)} of {reach.clusters} clusters would change; {limit} % may."
    return [Finding.of(BlastRadius, text)]


def _some(names: list[str], limit: int = 3) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
