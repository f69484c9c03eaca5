"""Opening clusters: each delivery mode has its own opener."""

from __future__ import annotations

from collections.abc import Mapping

from distributor.errors.cluster import Unsupported
from distributor.model.fleet import Cluster, Mode
from distributor.ports import Connections, TargetConnection


class OpenByMode:
    """Implements ``Connections`` by handing a cluster to the opener of its mode."""

    def __init__(self, openers: Mapping[Mode, Connections]) -> None:
        self._openers = dict(openers)

    async def open(self, cluster: Cluster, account: str = "") -> TargetConnection:
        """A connection; raises ``Unsupported`` where the mode has no opener, or what the opener raises."""
        opener = self._openers.get(cluster.mode)
        if opener is None:
            known = ", ".join(sorted(self._openers)) or "none"
            raise Unsupported(f"{cluster.name} has mode {cluster.mode}; there are: {known}.")
        return await opener.open(cluster, account)

    async def aclose(self) -> None:
        """Close every opener, also when one of them fails; the first failure is raised."""
        failures: list[Exception] = []
        for opener in self._openers.values():
            try:
                await opener.aclose()
            except Exception as error:  # noqa: BLE001 - the others must still be closed
                failures.append(error)
        if failures:
            raise failures[0]
