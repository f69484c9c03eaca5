"""The command lines of the programs: values in, argument lists out; starts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.controlplane.certs import Certs

STAGES = Path(__file__).resolve().parent / "stages.yaml"
SERVICE_RANGE = "10.96.0.0/16"
ISSUER = "https://kubernetes.default.svc"


PROBE: Mapping[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "probe"},
    "spec": {
        "selector": {"matchLabels": {"app": "probe"}},
        "template": {
            "metadata": {"labels": {"app": "probe"}},
            "spec": {"containers": [{"name": "probe", "image": "registry.example/probe:1"}]},
        },
    },
}
"""A Deployment that becomes available where controllers, scheduler and simulated nodes all work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Loopback TCP ports of one control plane."""

    etcd: int
    etcd_peer: int
    apiserver: int

    @property
    def etcd_url(self) -> str:
        return f"http://127.0.0.1:{self.etcd}"

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.apiserver}"


def etcd(*, ports: Ports, data: Path) -> list[str]:
    """One member that forgets durability: a test's data need not survive a power cut."""
    peer = f"http://127.0.0.1:{ports.etcd_peer}"
    return [
        "--name=test",
        f"--data-dir={data}",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls={ports.etcd_url}",
        f"--advertise-client-urls={ports.etcd_url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=test={peer}",
    ]


def kube_apiserver(*, ports: Ports, certs: Certs, tokens: Path) -> list[str]:
    """Default admission and watch cache; RBAC, so that least privilege can be tested."""
    return [
        f"--etcd-servers={ports.etcd_url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        # No pod ever calls the `kubernetes` service, and a loopback endpoint is not valid in it.
        "--endpoint-reconciler-type=none",
        f"--secure-port={ports.apiserver}",
        f"--tls-cert-file={certs.server_cert}",
        f"--tls-private-key-file={certs.server_key}",
        f"--client-ca-file={certs.ca}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={certs.service_accounts_key}",
        f"--service-account-signing-key-file={certs.service_accounts_key}",
        "--watch-cache=true",
        "--profiling=false",
    ]


def kube_controller_manager(*, certs: Certs, kubeconfig: Path) -> list[str]:
    """Every default controller; alone, hence no election, and quick to answer."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={certs.service_accounts_key}",
        f"--root-ca-file={certs.ca}",
        # The default roles are bound to each controller's own account, not to the program's.
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def kube_scheduler(*, kubeconfig: Path) -> list[str]:
    """The default profile; alone, hence no election."""
    return [
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def kwok(*, kubeconfig: Path) -> list[str]:
    """Plays every node there is, and the pods on it, by `stages.yaml`."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--config={STAGES}",
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40",
    ]


def node(name: str, *, system: str) -> Mapping[str, object]:
    """Give the Node object of a simulated machine; `system` is linux or windows."""
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": system,
        "kubernetes.io/arch": "amd64",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"nodeInfo": {"operatingSystem": system, "architecture": "amd64"}},
    }
