"""Directory targets: folders that k3s, k0s or something else picks up.

What lives here: the files of one instance in a manifests folder, its inventory, the lock over both, and
the YAML that they hold. What never does: decisions, and any talk to a cluster. Called by: ``app``.
"""

from distributor.adapters.directory.connections import DirectoryConnections
from distributor.adapters.directory.disk import Disk
from distributor.adapters.directory.target import DirectoryTarget

__all__ = ["DirectoryConnections", "DirectoryTarget", "Disk"]
