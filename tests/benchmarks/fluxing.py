"""The crowd by Flux's kustomize-controller: installed, changed and left alone, on a control plane of its own."""

from __future__ import annotations

import http.server
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import flux
from tests.benchmarks.crowd import NAMESPACE
from tests.benchmarks.flux import KINDS, KUSTOMIZATIONS, PLACE, SOURCE, SOURCES, Revision, Rival
from tests.benchmarks.process import memory, processor_seconds
from tests.controlplane import ControlPlane
from tests.controlplane.keeper import Keeper, KeeperError

Figures = dict[str, float]
NAME = "kustomize-controller"
ROUNDS = 3
LOOK = 0.05
START_SECONDS, BASE_SECONDS, SECONDS_AN_APP, MOST_SECONDS = 120.0, 60.0, 2.0, 600.0
"""How long each step may take: it does about nine apps a second on two cores."""
TAIL = 3_000
WRITTEN = (
    "api/v1/namespaces/{}/serviceaccounts",
    "api/v1/namespaces/{}/services",
    "apis/networking.k8s.io/v1/namespaces/{}/ingresses",
    "apis/apps/v1/namespaces/{}/deployments",
)
_CUSTOM = "/apis/{}/v1/namespaces/" + PLACE + "/{}"
_DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"


def measure(plane: ControlPlane, rival: Rival, folder: Path) -> Figures:
    """Every figure of it.

    Raises:
        flux.RivalError: it does not start, ends, or does not get done in time.

    """
    folder.mkdir(parents=True, exist_ok=True)
    with archives() as (address, served), started(rival, plane, folder) as controller:
        race = Race(plane=plane, rival=rival, controller=controller, address=address, served=served)
        race.prepare()
        controller.ready()
        found = race.install()
        found |= race.changed()
        found |= race.nothing()
        return found | {"all_peak_mib": memory(controller.pid).peak}


@contextmanager
def archives() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Serve what is in the dictionary on loopback, by its path."""
    served: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = served.get(self.path.lstrip("/"))
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_arguments: object) -> None:
            """Say nothing: every app fetches it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(LOOK,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", served
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """The running controller; it cannot outlive the benchmark."""

    keeper: Keeper
    pid: int
    log: Path
    health: int

    def ready(self) -> None:
        """Wait until it says that it is ready."""
        self.until("the controller to be ready", self._answers, START_SECONDS)

    def until(self, what: str, true: Callable[[], bool], seconds: float) -> None:
        """Look until it is true, so long at most and while the controller runs."""
        deadline = time.monotonic() + seconds
        while not true():
            if NAME not in self.keeper.running():
                msg = f"the controller ended while waiting for {what}\n{self._said()}"
                raise flux.RivalError(msg)
            if time.monotonic() > deadline:
                msg = f"waited {seconds:.0f} s in vain for {what}\n{self._said()}"
                raise flux.RivalError(msg)
            time.sleep(LOOK)

    def _answers(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self.health}/readyz", timeout=5) as answer:
                return bool(answer.status == http.HTTPStatus.OK)
        except OSError:
            return False

    def _said(self) -> str:
        return self.log.read_text("utf-8", errors="replace")[-TAIL:]


@contextmanager
def started(rival: Rival, plane: ControlPlane, folder: Path) -> Iterator[Controller]:
    """The controller as it is released, but for the addresses that it listens on; ended at the end."""
    flux_kinds(plane)
    health, log = _free_port(), folder / "controller.log"
    argv = [str(rival.program), "--metrics-addr=0", f"--health-addr=127.0.0.1:{health}"]
    argv += ["--watch-all-namespaces=true", "--enable-leader-election=false"]
    env = {"KUBECONFIG": str(plane.kubeconfig), "RUNTIME_NAMESPACE": PLACE, "PATH": "/usr/bin:/bin"}
    env |= {"HOME": str(folder), "TMPDIR": str(folder)}
    with closing(Keeper()) as keeper:
        try:
            pid = keeper.start(NAME, argv, env=env, log=log)
        except KeeperError as error:
            msg = f"{flux.PROGRAM}: {error}"
            raise flux.RivalError(msg) from error
        try:
            yield Controller(keeper=keeper, pid=pid, log=log, health=health)
        finally:
            keeper.stop(NAME, grace=10.0)


def flux_kinds(plane: ControlPlane) -> None:
    """Define its kinds, and wait until the API server serves them."""
    for name in (NAMESPACE, PLACE):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        plane.client.send("POST", "/api/v1/namespaces", body)
    for kind in KINDS:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        plane.client.send("POST", path, flux.definition(*kind))
    deadline = time.monotonic() + START_SECONDS
    missing = {_CUSTOM.format(group, plural) for group, _, plural in KINDS}
    while missing:
        missing = {path for path in missing if not plane.client.answers(path)}
        if missing and time.monotonic() > deadline:
            msg = f"the API server does not serve {', '.join(sorted(missing))}"
            raise flux.RivalError(msg)
        time.sleep(LOOK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """The steps that are timed."""

    plane: ControlPlane
    rival: Rival
    controller: Controller
    address: str
    served: dict[str, bytes]

    def prepare(self) -> None:
        """Everything but a revision: what is timed begins with its publication."""
        send, kustomizations = self.plane.client.send, _CUSTOM.format(KUSTOMIZATIONS, KINDS[-1][2])
        send("POST", _CUSTOM.format(SOURCES, KINDS[0][2]), flux.source(self.address))
        for name in self.rival.crowd.names:
            send("POST", kustomizations, flux.kustomization(name))

    def install(self) -> Figures:
        """The first revision, until every app has applied it."""
        crowd = self.rival.crowd
        used = processor_seconds(self.controller.pid)
        began = self._publish(first := flux.revision(crowd, {}, "first"))
        self._followed(first)
        seconds = time.perf_counter() - began
        used = processor_seconds(self.controller.pid) - used
        live = len(self._versions())
        if live != crowd.objects:
            msg = f"{live} objects are live of {crowd.objects}"
            raise flux.RivalError(msg)
        return {
            "apps": crowd.apps,
            "objects": crowd.objects,
            "install.seconds": seconds,
            "install.objects_a_second": crowd.objects / seconds,
            "install.cpu_ms_app": used / crowd.apps * 1000,
        }

    def changed(self) -> Figures:
        """Several times a revision that changes one app: until it is live, and until all are done with it."""
        crowd, levels = self.rival.crowd, dict[str, str]()
        lives: list[float] = []
        alls: list[float] = []
        written = 0
        for app in crowd.names[::-1][:ROUNDS]:
            levels[app] = "debug"
            before = self._versions()
            began = self._publish(new := flux.revision(crowd, levels, "first"))
            self._until(f"{app} to be live", lambda app=app: self._level(app) == "debug")
            lives.append(time.perf_counter() - began)
            self._followed(new)
            alls.append(time.perf_counter() - began)
            written = max(written, len(self._versions().items() - before.items()))
        return _spread("changed", lives) | {
            "changed.all_p50_ms": sorted(alls)[len(alls) // 2] * 1000,
            "changed.objects_written": written,
        }

    def nothing(self) -> Figures:
        """Several times a revision that changes no app: until all are done with it."""
        crowd, before = self.rival.crowd, self._versions()
        levels = dict.fromkeys(crowd.names[::-1][:ROUNDS], "debug")
        rounds: list[float] = []
        used = processor_seconds(self.controller.pid)
        for number in range(ROUNDS):
            began = self._publish(new := flux.revision(crowd, levels, f"remark {number}"))
            self._followed(new)
            rounds.append(time.perf_counter() - began)
        used = processor_seconds(self.controller.pid) - used
        return _spread("nothing", rounds) | {
            "nothing.cpu_ms_app": used / crowd.apps / ROUNDS * 1000,
            "nothing.objects_written": len(self._versions().items() - before.items()),
        }

    def _publish(self, new: Revision) -> float:
        self.served[new.path] = new.data
        path = _CUSTOM.format(SOURCES, KINDS[0][2]) + f"/{SOURCE}/status"
        body = {"status": new.status(self.address)}
        began = time.perf_counter()
        self.plane.client.send("PATCH", path, body, kind="application/merge-patch+json")
        return began

    def _followed(self, new: Revision) -> None:
        try:
            self._until(f"every app to follow {new.revision}", lambda: not self._behind(new))
        except flux.RivalError as error:
            late = self._behind(new)
            msg = f"{error}\n{len(late)} apps are behind, among them: {'; '.join(late[:3])}"
            raise flux.RivalError(msg) from error

    def _until(self, what: str, true: Callable[[], bool]) -> None:
        seconds = min(BASE_SECONDS + SECONDS_AN_APP * self.rival.crowd.apps, MOST_SECONDS)
        self.controller.until(what, true, seconds)

    def _behind(self, new: Revision) -> list[str]:
        listed = self.plane.client.get(_CUSTOM.format(KUSTOMIZATIONS, KINDS[-1][2]))
        return flux.behind(listed["items"], new.revision)

    def _level(self, app: str) -> str:
        try:
            live: Mapping[str, Any] = self.plane.client.get(f"{_DEPLOYMENT}/{app}")
        except urllib.error.HTTPError as error:
            error.close()
            return ""
        return str(live["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"])

    def _versions(self) -> dict[str, str]:
        """Of each object what tells whether it was applied anew."""
        found: dict[str, str] = {}
        for path in WRITTEN:
            for item in self.plane.client.get("/" + path.format(NAMESPACE))["items"]:
                metadata = item["metadata"]
                if f"{KUSTOMIZATIONS}/name" in metadata.get("labels", {}):
                    found[metadata["uid"]] = _applied(metadata)
        return found


def _applied(metadata: Mapping[str, Any]) -> str:
    """Changes with each write of the controller's, and not with what others say of an object's status."""
    fields = metadata.get("managedFields", ())
    times = [one.get("time", "") for one in fields if one["manager"] == NAME]
    return f"{metadata.get('generation', 0)} {' '.join(sorted(times))}"


def _spread(name: str, rounds: list[float]) -> Figures:
    ordered = sorted(rounds)
    return {
        f"{name}.p50_ms": ordered[len(ordered) // 2] * 1000,
        f"{name}.max_ms": ordered[-1] * 1000,
    }


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
