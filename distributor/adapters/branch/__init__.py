"""Branch targets: a Git branch with one cluster's rendered tree, which Argo CD or Flux follows.

What lives here: how objects and inventories lie in that tree, and the fast-forward pushes that change it.
What never does: decisions, talk to a cluster, the git program itself (a ``Remote`` and the
``GitObjects`` of a mirror are handed in). Called by: ``app``.
"""

from distributor.adapters.branch.connections import BranchConnections
from distributor.adapters.branch.head import Head
from distributor.adapters.branch.settings import BranchSettings
from distributor.adapters.branch.target import BranchTarget

__all__ = ["BranchConnections", "BranchSettings", "BranchTarget", "Head"]
