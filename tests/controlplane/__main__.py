"""`make controlplane`: one control plane in the foreground, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from tests.controlplane.build import BuildError, find_assets
from tests.controlplane.server import ControlPlaneError, control_plane

CANNOT_START = 1


def main(argv: list[str] | None = None) -> int:
    """Start, say how to use it, wait for Ctrl-C (or SIGTERM), stop; 1 when it cannot start."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        assets = find_assets()
        if options.build_only:
            print(assets.origin)
            return 0
        started = time.monotonic()
        with control_plane(
            nodes=options.nodes,
            windows_nodes=options.windows_nodes,
            controllers=not options.no_controllers,
            assets=assets,
        ) as plane:
            print(_how_to(plane.url, str(plane.kubeconfig), time.monotonic() - started), flush=True)
            signal.pause()
    except (BuildError, ControlPlaneError) as error:
        print(f"controlplane: {error}", file=sys.stderr)
        return CANNOT_START
    except KeyboardInterrupt:
        print("\nStopped; nothing is left behind.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="controlplane", description=__doc__)
    parser.add_argument("--nodes", type=int, default=3, help="simulated Linux nodes")
    parser.add_argument("--windows-nodes", type=int, default=1, help="simulated Windows nodes")
    parser.add_argument("--no-controllers", action="store_true", help="etcd and API server only")
    parser.add_argument("--build-only", action="store_true", help="build, print the folder, end")
    return parser


def _how_to(url: str, kubeconfig: str, seconds: float) -> str:
    return f"""A Kubernetes control plane is ready at {url} ({seconds:.1f} s).

    export KUBECONFIG={kubeconfig}
    kubectl get nodes
    kubectl create deployment web --image=nginx:1.29 --replicas=2
    kubectl rollout status deployment web

Nodes and pods are simulated: no container runs. An image named */fail* crashes, a tag `broken`
is never pulled. Everything is deleted when this ends: Ctrl-C."""


if __name__ == "__main__":
    sys.exit(main())
