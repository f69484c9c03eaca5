"""One control plane: etcd, API server, controllers and simulated nodes on free loopback ports."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import shutil
import socket
import tempfile
import time
import urllib.error
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.controlplane import programs
from tests.controlplane.build import Assets, find_assets
from tests.controlplane.certs import MASTERS, make_certs, write_kubeconfig, write_secret
from tests.controlplane.client import Client
from tests.controlplane.keeper import Keeper, KeeperError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

START_SECONDS = 120.0
POLL_SECONDS = 0.05
ATTEMPTS = 3
LOG_TAIL_LINES = 25
CONFLICT = 409


class ControlPlaneError(Exception):
    """It did not start or did not answer in time; the message ends with its logs' last lines."""


def control_plane(
    *,
    nodes: int = 3,
    windows_nodes: int = 0,
    controllers: bool = True,
    folder: Path | None = None,
    assets: Assets | None = None,
) -> ControlPlane:
    """Make a control plane, to be started by `with` or `async with`, and torn down at its end.

    `nodes` Linux and `windows_nodes` Windows machines are simulated. Without `controllers` there
    are only etcd and the API server: objects are stored, nothing progresses, and it starts faster.
    """
    return ControlPlane(
        assets=assets or find_assets(),
        nodes=nodes,
        windows_nodes=windows_nodes,
        controllers=controllers,
        folder=folder,
    )


class ControlPlane:
    """A control plane and everything a client needs to use it; see `control_plane`.

    `kubeconfig` is an administrator's (in system:masters), as is the bearer `admin_token`. `url`
    and all credentials stay the same when the API server is stopped and started again.
    """

    def __init__(
        self,
        *,
        assets: Assets,
        nodes: int,
        windows_nodes: int,
        controllers: bool,
        folder: Path | None,
    ) -> None:
        if controllers and assets.missing_controllers:
            raise ControlPlaneError(assets.missing_controllers)
        self.assets = assets
        self.node_systems = ("linux",) * nodes + ("windows",) * windows_nodes
        self.has_controllers = controllers
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="controlplane-"))
        self.logs = self.folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.certs = make_certs(self.folder / "certs")
        self.admin_token = secrets.token_hex(16)
        self._tokens = self.folder / "tokens.csv"
        write_secret(self._tokens, f'{self.admin_token},admin,admin,"{MASTERS}"\n'.encode())
        self._counter = itertools.count(1)
        self._keeper: Keeper | None = None
        self._interrupted = False
        self._ports = _free_ports()

    # --- what tests use -------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self._ports.url

    @property
    def ca(self) -> Path:
        return self.certs.ca

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def client(self) -> Client:
        """A client with all rights, for set-up and assertions."""
        return Client(url=self.url, ca=self.ca, token=self.admin_token)

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Write a kubeconfig for a user who has only the rights that RBAC gives them."""
        cert, key = self.certs.user(user, groups)
        path = cert.with_suffix(".kubeconfig")
        return write_kubeconfig(path, url=self.url, ca=self.ca, cert=cert, key=key)

    def new_namespace(self, stem: str = "test") -> str:
        """Create a namespace that no other test has, and give its name."""
        name = f"{stem}-{next(self._counter)}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.client.send("POST", "/api/v1/namespaces", body)
        return name

    def pids(self) -> dict[str, int]:
        """Give the process ids that run now, by program, the guard's own among them."""
        return {} if self._keeper is None else {"guard": self._keeper.pid, **self._keeper.running()}

    def stop_apiserver(self) -> None:
        """End the API server at once, as a crash would; what etcd holds stays."""
        self._interrupted = True
        self._running().stop("kube-apiserver", grace=0)

    def start_apiserver(self) -> None:
        """Start the API server on its old port and wait until it is ready; a no-op if it runs."""
        if "kube-apiserver" not in self._running().running():
            flags = programs.kube_apiserver(
                ports=self._ports, certs=self.certs, tokens=self._tokens
            )
            self._launch("kube-apiserver", flags)
        self._wait("the API server to be ready", lambda: self.client.answers("/readyz"))

    def settle(self) -> None:
        """Start an API server that was stopped, and wait until the controllers have found it again.

        They look for it less and less often the longer it is away, up to half a minute apart.
        """
        self.start_apiserver()
        if self._interrupted and self.has_controllers:
            path = f"/apis/apps/v1/namespaces/{self.new_namespace('probe')}/deployments"
            self.client.send("POST", path, programs.PROBE)
            name = f"{path}/{programs.PROBE['metadata']['name']}"
            self._wait("the controllers to be back", lambda: self._available(name))
        self._interrupted = False

    # --- life -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything and wait until it is usable; on failure nothing is left behind."""
        try:
            self._start_servers()
            if self.has_controllers:
                self._start_controllers()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill all programs and remove the folder, if it was made here. Twice does no harm."""
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await asyncio.to_thread(self.stop)

    # --- inside ---------------------------------------------------------------------------

    def _start_servers(self) -> None:
        """Start etcd and the API server; another process may take a free port before we do."""
        for attempt in range(1, ATTEMPTS + 1):
            self._keeper = Keeper()
            data = self.folder / f"etcd-{attempt}"
            self._launch("etcd", programs.etcd(ports=self._ports, data=data))
            try:
                self.start_apiserver()
            except ControlPlaneError:
                if attempt == ATTEMPTS or "address already in use" not in self.log_tail():
                    raise
                self._keeper.close()
                self._ports = _free_ports()
            else:
                break
        cert, key = self.certs.user("admin", (MASTERS,))
        write_kubeconfig(self.kubeconfig, url=self.url, ca=self.ca, cert=cert, key=key)

    def _start_controllers(self) -> None:
        manager = self.kubeconfig_for("system:kube-controller-manager")
        flags = programs.kube_controller_manager(certs=self.certs, kubeconfig=manager)
        self._launch("kube-controller-manager", flags)
        scheduler = self.kubeconfig_for("system:kube-scheduler")
        self._launch("kube-scheduler", programs.kube_scheduler(kubeconfig=scheduler))
        self._launch("kwok", programs.kwok(kubeconfig=self.kubeconfig))
        for number, system in enumerate(self.node_systems, start=1):
            self._add_node(f"node-{number}", system)
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._wait("the default service account", lambda: self.client.answers(account))
        self._wait("the nodes to be ready", self._nodes_ready)

    def _add_node(self, name: str, system: str) -> None:
        try:
            self.client.send("POST", "/api/v1/nodes", programs.node(name, system=system))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != CONFLICT:
                raise

    def _available(self, deployment: str) -> bool:
        return self.client.get(deployment)["status"].get("availableReplicas") == 1

    def _nodes_ready(self) -> bool:
        nodes = self.client.get("/api/v1/nodes")["items"]
        return len(nodes) == len(self.node_systems) and all(map(_takes_pods, nodes))

    def _launch(self, name: str, flags: Sequence[str]) -> None:
        argv = [str(self.assets.programs[name]), *flags]
        # A bare environment: no proxy, cloud or Kubernetes setting of the person's gets in. HOME
        # is ours, as kwok reads a configuration from there.
        env = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "GOGC": "75"}
        try:
            self._running().start(name, argv, env=env, log=self.logs / f"{name}.log")
        except KeeperError as error:
            raise ControlPlaneError(str(error)) from error

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        expected = set(self._running().running())
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if gone := expected - set(self._running().running()):
                msg = f"{', '.join(sorted(gone))} ended while waiting for {what}\n{self.log_tail()}"
                raise ControlPlaneError(msg)
            if time.monotonic() > deadline:
                msg = f"waited {START_SECONDS:.0f} s in vain for {what}\n{self.log_tail()}"
                raise ControlPlaneError(msg)
            time.sleep(POLL_SECONDS)

    def _running(self) -> Keeper:
        if self._keeper is None:
            msg = "the control plane is not started"
            raise ControlPlaneError(msg)
        return self._keeper

    def log_tail(self) -> str:
        """Give the last lines of every program's log, headed by its name."""
        parts = []
        for path in sorted(self.logs.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            parts += [f"--- {path.name}", *lines]
        return "\n".join(parts)


def _takes_pods(node: dict[str, Any]) -> bool:
    """Tell whether a node is Ready and no taint keeps pods away."""
    conditions = node["status"].get("conditions", ())
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and not node["spec"].get("taints")


def _free_ports() -> programs.Ports:
    """Ask the kernel for loopback ports that are free now, all held until all are known."""
    sockets = [socket.socket() for _ in range(3)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        etcd, etcd_peer, apiserver = (one.getsockname()[1] for one in sockets)
    finally:
        for one in sockets:
            one.close()
    return programs.Ports(etcd=etcd, etcd_peer=etcd_peer, apiserver=apiserver)
