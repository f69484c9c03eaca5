"""Opens branch targets: a cluster's connection may name a repository, a branch and a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from distributor.adapters.branch.head import Head
from distributor.adapters.branch.settings import FIELDS, BranchSettings
from distributor.adapters.branch.target import BranchTarget
from distributor.errors import Where
from distributor.errors.cluster import AccountNotUsed, UnknownConnection, Unsupported
from distributor.errors.service import BadSetting
from distributor.model.fleet import Cluster, Mode

Heads = Callable[[str, str], Head]
"""Makes the head of a branch: (repository, branch) -> ``Head``."""


class BranchConnections:
    """Implements ``Connections`` for mode ``branch``; clusters that share a branch share its head.

    ``repository`` is the catalog repository, where branches lie unless a connection says otherwise;
    ``reserved`` are the branches there that are never written to.
    """

    def __init__(
        self,
        entries: Mapping[str, Mapping[str, object]],
        *,
        repository: str,
        reserved: tuple[str, ...],
        heads: Heads,
    ) -> None:
        self._settings = {
            name: BranchSettings.parse(name, entry) for name, entry in entries.items()
        }
        self._repository = repository
        self._reserved = reserved
        self._make = heads
        self._heads: dict[tuple[str, str], Head] = {}

    async def open(self, cluster: Cluster, account: str = "") -> BranchTarget:
        """A target; nothing is asked of the remote yet."""
        if cluster.mode is not Mode.BRANCH:
            raise Unsupported(f"{cluster.name} has mode {cluster.mode}, not branch.")
        if account:
            raise AccountNotUsed(f"({cluster.name}: {account})")
        place = self._named(cluster).of(cluster)
        repository = place.repository or self._repository
        if repository == self._repository and place.branch in self._reserved:
            raise BadSetting(
                f"({place.branch} is a branch that decides; name another one)",
                where=Where(field=f"connections.{cluster.connection}"),
            )
        key = (repository, place.branch)
        if key not in self._heads:
            self._heads[key] = self._make(*key)
        return BranchTarget(cluster, self._heads[key], folder=place.path)

    async def aclose(self) -> None:
        """Let go of the heads; nothing is kept open."""
        self._heads.clear()

    def _named(self, cluster: Cluster) -> BranchSettings:
        found = self._settings.get(cluster.connection)
        if found is not None:
            return found
        if cluster.connection in {"", f"{cluster.environment}/{cluster.name}"}:
            return BranchSettings()
        raise UnknownConnection(
            f"{cluster.name}: {cluster.connection!r}.",
            remedy="Add it under [connections] in distributor.toml with a repository, a branch or a path; "
            f"without a connection the branch is {BranchSettings().of(cluster).branch}.",
        )


def is_branch(entry: Mapping[str, object]) -> bool:
    """Whether an entry of the setting ``connections`` is one for branch clusters."""
    return not FIELDS.isdisjoint(entry)
