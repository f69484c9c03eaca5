"""Opens directory targets: a cluster's connection is a folder below one root."""

from __future__ import annotations

from pathlib import Path

from distributor.adapters.directory.disk import Disk
from distributor.adapters.directory.target import DirectoryTarget
from distributor.errors.cluster import AccountNotUsed, UnknownConnection, Unsupported
from distributor.model.fleet import Cluster, Mode
from distributor.model.refs import is_label


class DirectoryConnections:
    """Implements ``Connections`` for mode ``directory``: ``<root>/<connection>`` is the manifests folder.

    The folder is never made here: one that is missing is a disk that is not mounted.
    """

    def __init__(self, root: Path, *, disk: Disk | None = None) -> None:
        self._root = root
        self._disk = disk or Disk()

    async def open(self, cluster: Cluster, account: str = "") -> DirectoryTarget:
        """The folder of a cluster; raises ``UnknownConnection`` where the reference is no path of names."""
        if cluster.mode is not Mode.DIRECTORY:
            raise Unsupported(f"{cluster.name} has mode {cluster.mode}, not directory.")
        if account:
            raise AccountNotUsed(f"({cluster.name}: {account})")
        parts = cluster.connection.split("/")
        if not all(map(is_label, parts)):
            raise UnknownConnection(
                f"{cluster.name}: {cluster.connection!r} is not of the form name/name.",
                remedy="Write delivery.connection as lower-case names with slashes between.",
            )
        return DirectoryTarget(cluster, self._root.joinpath(*parts), disk=self._disk)

    async def aclose(self) -> None:
        """Nothing is kept open."""
