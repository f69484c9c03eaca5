"""Reaching: what a request would change, against what was accepted before."""

from __future__ import annotations

from collections.abc import Mapping

from distributor.model.manifest import ManifestSet
from distributor.model.refs import ObjectRef
from distributor.policy import Reach


def reach_of(
    before: Mapping[str, ManifestSet], after: Mapping[str, ManifestSet], clusters: int
) -> Reach:
    """The reach of a request in an environment of so many clusters; both sides by cluster."""
    return Reach(
        pruned=_pruned(before, after),
        emptied=frozenset(n for n, m in after.items() if not len(m) and n in before),
        changed=frozenset(
            n for n, m in after.items() if n not in before or before[n].digest != m.digest
        ),
        clusters=clusters,
    )


def _pruned(
    before: Mapping[str, ManifestSet], after: Mapping[str, ManifestSet]
) -> dict[str, tuple[ObjectRef, ...]]:
    """The objects that vanish from each cluster that stays a target."""
    gone = {n: tuple(sorted(before[n].refs() - m.refs())) for n, m in after.items() if n in before}
    return {name: refs for name, refs in gone.items() if refs}
