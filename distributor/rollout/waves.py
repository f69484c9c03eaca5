"""Waves: which cluster belongs to which group, and the state that a rollout starts from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from distributor.model.fleet import Cluster, RolloutStrategy, VerifyRule, WaveRule
from distributor.model.rollout import RolloutState, TargetState
from distributor.placement import selects

REST = "rest"
"""The last wave: clusters that no rule takes."""


def start(
    *,
    environment: str,
    instance: str,
    sequence: int,
    strategy: RolloutStrategy,
    verify: VerifyRule,
    targets: Sequence[Cluster],
    now: datetime,
) -> RolloutState:
    """The state before the first wave opens; the first ``Tick`` opens it."""
    groups = waves(strategy.waves, targets)
    states = {
        cluster: TargetState(cluster=cluster, wave=index)
        for index, (_, clusters) in enumerate(groups)
        for cluster in clusters
    }
    return RolloutState(
        environment=environment,
        instance=instance,
        sequence=sequence,
        strategy=strategy,
        verify=verify,
        waves=tuple(name for name, _ in groups),
        targets=states,
        started_at=now,
    )


def waves(
    rules: Iterable[WaveRule], clusters: Iterable[Cluster]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Names of waves with their clusters, in order; waves without a cluster are left out.

    A cluster goes into the first wave whose rule takes it: ``percent``, rounded up and by name, of the
    selected clusters that are in no wave yet.
    """
    left = {c.name: c for c in sorted(clusters, key=lambda c: c.name)}
    found: dict[str, tuple[str, ...]] = {}
    for rule in rules:
        matching = [name for name, cluster in left.items() if selects(rule.selector, cluster)]
        share = -(-len(matching) * min(max(rule.percent, 0), 100) // 100)
        _add(found, rule.name, matching[:share])
        for name in matching[:share]:
            del left[name]
    _add(found, REST, list(left))
    return tuple(found.items())


def _add(found: dict[str, tuple[str, ...]], name: str, clusters: list[str]) -> None:
    if not clusters:
        return
    unique, number = name, 2
    while unique in found:  # records name waves, so two of a name would be one
        unique, number = f"{name}-{number}", number + 1
    found[unique] = tuple(clusters)
