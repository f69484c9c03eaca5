"""Opens push targets: a cluster's connection names an entry of the setting ``connections``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from distributor.adapters.kube.glancing import Glancer
from distributor.adapters.kube.settings import KubeSettings, Limits
from distributor.adapters.kube.target import KubeCluster, KubeTarget
from distributor.errors.cluster import UnknownConnection, Unsupported
from distributor.model.changes import Glance
from distributor.model.fleet import Cluster, Mode
from distributor.model.refs import GroupKind


class KubeConnections:
    """Implements ``Connections`` for mode ``push``; clusters that share an entry share its connection."""

    def __init__(
        self, entries: Mapping[str, Mapping[str, object]], *, limits: Limits | None = None
    ) -> None:
        self._settings = {name: KubeSettings.parse(name, entry) for name, entry in entries.items()}
        self._limits = limits or Limits()
        self._clusters: dict[str, KubeCluster] = {}

    async def open(self, cluster: Cluster, account: str = "") -> KubeTarget:
        """A target; nothing is asked of the cluster yet."""
        if cluster.mode is not Mode.PUSH:
            raise Unsupported(f"{cluster.name} has mode {cluster.mode}, not push.")
        if cluster.connection not in self._settings:
            raise UnknownConnection(f"{cluster.name}: {cluster.connection!r}.")
        return KubeTarget(cluster.name, self._cluster(cluster), account=account)

    async def mark(self, cluster: Cluster, instance: str, kinds: Collection[GroupKind]) -> str:
        """Implements ``ports.Watch`` for mode ``push``; other modes and unknown connections have no marks."""
        if cluster.mode is not Mode.PUSH or cluster.connection not in self._settings:
            return ""
        return await self._cluster(cluster).watches.mark(instance, kinds)

    async def glance(self, cluster: Cluster, instances: Collection[str]) -> Mapping[str, Glance]:
        """What many instances have on a cluster of mode ``push``; of others, and where refused, nothing is seen."""
        if cluster.mode is not Mode.PUSH or cluster.connection not in self._settings:
            return {}
        there = self._cluster(cluster)
        return await Glancer(there.transport, there.discovery, there.limits).glance(
            cluster.name, instances
        )

    def _cluster(self, cluster: Cluster) -> KubeCluster:
        if cluster.connection not in self._clusters:
            settings = self._settings[cluster.connection]
            many = settings.concurrency or self._limits.concurrency
            limits = replace(self._limits, concurrency=many, namespaces=settings.namespaces)
            self._clusters[cluster.connection] = KubeCluster.of(settings, limits)
        return self._clusters[cluster.connection]

    async def aclose(self) -> None:
        """Close every connection."""
        clusters, self._clusters = self._clusters, {}
        for cluster in clusters.values():
            await cluster.aclose()
