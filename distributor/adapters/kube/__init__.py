"""Push targets: clusters reached through a kubeconfig.

What lives here: the connection (auth by the official client, requests as bytes), discovery, server-side
apply, deletion, and the inventory as an ApplySet parent (KEP-3659). What never does: decisions about what
to apply or to prune. Called by: ``app``.
"""

from distributor.adapters.kube.connections import KubeConnections
from distributor.adapters.kube.settings import KubeSettings, Limits
from distributor.adapters.kube.target import KubeTarget

__all__ = ["KubeConnections", "KubeSettings", "KubeTarget", "Limits"]
