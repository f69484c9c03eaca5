"""Placing: one package on the clusters of one environment, with a reason for each cluster left out.

Clusters with the same facts get the same answer, so the question is asked once for each group of them:
50 packages over 2,000 clusters are a few thousand answers, not 100,000.
"""

from __future__ import annotations

from collections.abc import Hashable

from distributor.model.catalog import EnvironmentFiles
from distributor.model.fleet import Cluster, Installation
from distributor.model.package import Package
from distributor.model.target import Placement, Target
from distributor.placement.fit import misfit
from distributor.placement.selection import (
    NO_SELECT,
    NO_SELECT_IF_NEW,
    PREFER_NO_SELECT,
    not_selected,
    untolerated,
)


def place(
    package: Package,
    installation: Installation,
    files: EnvironmentFiles,
    *,
    present: frozenset[str] | None = None,
) -> Placement:
    """Where one instance goes; for many packages over one fleet make a ``Placer`` once."""
    return Placer(files).place(package, installation, present=present)


class Placer:
    """The clusters of one environment, grouped by the facts that placement looks at."""

    def __init__(self, files: EnvironmentFiles) -> None:
        self._environment = files.environment.name
        groups: dict[Hashable, int] = {}
        self._kinds: list[Cluster] = []  # one cluster that stands for each group
        self._clusters: list[tuple[str, Cluster, int]] = []
        for name, cluster in sorted(files.clusters.items()):
            number = groups.setdefault(_facts(cluster), len(groups))
            if number == len(self._kinds):
                self._kinds.append(cluster)
            self._clusters.append((name, cluster, number))

    def place(
        self,
        package: Package,
        installation: Installation,
        *,
        present: frozenset[str] | None = None,
    ) -> Placement:
        """Where one instance goes.

        ``present`` names the clusters that run it already: a ``NoSelectIfNew`` taint keeps it off all
        others. Without it that taint is not judged, so that nothing is taken away by not knowing.
        """
        answers = [self._reason(package, installation, c) for c in self._kinds]
        new_taints = [_new_taint(installation, c) for c in self._kinds]
        chosen: list[tuple[str, Cluster, int]] = []
        left_out: dict[str, str] = {}
        for entry in self._clusters:
            name, _, number = entry
            reason = answers[number]
            if not reason and present is not None and name not in present:
                reason = new_taints[number]
            if reason:
                left_out[name] = reason
            else:
                chosen.append(entry)
        if installation.count:
            chosen = self._counted(chosen, installation, left_out)
            left_out = dict(sorted(left_out.items()))
        targets = tuple(Target(installation=installation, cluster=c) for _, c, _ in chosen)
        return Placement(targets=targets, left_out=left_out)

    def _reason(self, package: Package, installation: Installation, cluster: Cluster) -> str:
        environments = package.fits.environments
        if environments and self._environment not in environments:
            return f"environment {self._environment}: the package fits {' or '.join(environments)}"
        reason = not_selected(installation.selector, cluster) or misfit(package.fits, cluster)
        if reason:
            return reason
        taint = untolerated(cluster.taints, installation.tolerations, (NO_SELECT,))
        return f"taint {taint.key} is not tolerated" if taint else ""

    def _counted(
        self,
        chosen: list[tuple[str, Cluster, int]],
        installation: Installation,
        left_out: dict[str, str],
    ) -> list[tuple[str, Cluster, int]]:
        """Keep as many as asked: by name, those that would rather not be chosen last."""
        avoided = [
            untolerated(c.taints, installation.tolerations, (PREFER_NO_SELECT,)) is not None
            for c in self._kinds
        ]
        ranked = sorted(chosen, key=lambda entry: (avoided[entry[2]], entry[0]))
        for name, _, _ in ranked[installation.count :]:
            left_out[name] = f"count {installation.count} is reached"
        return sorted(ranked[: installation.count], key=lambda entry: entry[0])


def _new_taint(installation: Installation, cluster: Cluster) -> str:
    taint = untolerated(cluster.taints, installation.tolerations, (NO_SELECT_IF_NEW,))
    return f"taint {taint.key} keeps new instances off" if taint else ""


def _facts(cluster: Cluster) -> Hashable:
    return (
        cluster.tier,
        cluster.kubernetes,
        cluster.region,
        frozenset(cluster.labels.items()),
        cluster.capabilities,
        cluster.apis,
        cluster.taints,
        cluster.nodes,
    )
