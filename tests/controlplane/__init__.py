"""A real Kubernetes control plane for the tests: etcd, API server, controllers, simulated nodes.

Lives here: the Go module that builds the programs, and the Python that finds or builds them
(`build`), makes their certificates and command lines (`certs`, `programs`), keeps them (`guard`,
`server`) and starts one at a terminal (`__main__`). What simulated pods do is in `stages.yaml`.
Never here: anything of Distributor itself; this package must work for any Kubernetes client.
Called by `tests/integration/conftest.py` and `make controlplane`.
"""

from __future__ import annotations

from tests.controlplane.build import Assets, BuildError, find_assets
from tests.controlplane.server import ControlPlane, ControlPlaneError, control_plane

__all__ = [
    "Assets",
    "BuildError",
    "ControlPlane",
    "ControlPlaneError",
    "control_plane",
    "find_assets",
]
