"""Where a cluster's branch is: in the catalog repository, unless a connection says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from distributor.catalog.ref_rules import check_ref
from distributor.errors import Where
from distributor.errors.service import BadSetting
from distributor.model.fleet import Cluster
from distributor.model.refs import is_label

FIELDS = frozenset({"repository", "branch", "path"})
DEFAULT_BRANCH = "rendered/{environment}/{cluster}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchSettings:
    """One entry of the setting ``connections`` for branch clusters.

    ``repository`` is anything Git takes; empty means the catalog repository. In ``branch`` and ``path``,
    ``{environment}`` and ``{cluster}`` stand for the cluster's own, so that clusters may share an entry.
    ``path`` is the folder in the tree; empty means its root.
    """

    repository: str = ""
    branch: str = DEFAULT_BRANCH
    path: str = ""

    @classmethod
    def parse(cls, name: str, entry: Mapping[str, object]) -> BranchSettings:
        """Read ``{repository, branch, path}``; raises ``BadSetting``."""
        where = Where(field=f"connections.{name}")
        unknown = sorted(set(entry) - FIELDS)
        if unknown:
            raise BadSetting(f"(there is no field {', '.join(unknown)})", where=where)
        texts = {key: value for key, value in entry.items() if isinstance(value, str)}
        if len(texts) != len(entry):
            raise BadSetting("(repository, branch and path are texts)", where=where)
        return cls(
            repository=texts.get("repository", ""),
            branch=texts.get("branch") or DEFAULT_BRANCH,
            path=texts.get("path", "").strip("/"),
        )

    def of(self, cluster: Cluster) -> BranchSettings:
        """The same with the cluster's names put in; raises ``BadSetting`` where Git cannot carry them."""
        branch, path = _filled(self.branch, cluster), _filled(self.path, cluster)
        where = Where(field=f"connections.{cluster.connection}")
        reason = check_ref(branch)
        if reason or branch.startswith("-"):
            raise BadSetting(
                f"({branch!r} is no branch: {reason or 'it begins with a dash'})", where=where
            )
        if path and not all(map(is_label, path.split("/"))):
            raise BadSetting(f"({path!r} is not of the form name/name)", where=where)
        return BranchSettings(repository=self.repository, branch=branch, path=path)


def _filled(text: str, cluster: Cluster) -> str:
    return text.replace("{environment}", cluster.environment).replace("{cluster}", cluster.name)
