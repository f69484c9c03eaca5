"""The test control plane itself: it must behave like a cluster, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes
import pytest

from tests.controlplane import ControlPlane, ControlPlaneError, control_plane

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.controlplane import Assets
    from tests.integration.conftest import HandOut

pytestmark = pytest.mark.controlplane
ROOT = Path(__file__).resolve().parents[3]
RBAC = "rbac.authorization.k8s.io"
GOOD = "registry.example/web:1.0"


def until(what: str, check: Callable[[], object], *, seconds: float = 60) -> object:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := check():
            return result
        time.sleep(0.1)
    pytest.fail(f"waited {seconds} s in vain until {what}")


def pod_spec(image: str, **more: object) -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": image}], **more}


def workload(kind: str, name: str, image: str, **more: object) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(image)},
            **more,
        },
    }


def job(name: str, image: str, **more: object) -> dict[str, Any]:
    template = {"spec": pod_spec(image, restartPolicy="Never")}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": template, **more},
    }


def pod(name: str, image: str, **meta: object) -> dict[str, Any]:
    metadata = {"name": name, **meta}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(image)}


PLURALS = {
    "Deployment": "apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "apis/apps/v1/namespaces/{}/daemonsets",
    "Job": "apis/batch/v1/namespaces/{}/jobs",
    "Pod": "api/v1/namespaces/{}/pods",
}


class Space:
    """A namespace of the test's own in a plane."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.name = plane.new_namespace()

    def path(self, kind: str, name: str = "") -> str:
        return "/" + PLURALS[kind].format(self.name) + (f"/{name}" if name else "")

    def create(self, body: dict[str, Any]) -> None:
        # The controllers need a moment to make a new namespace's service account.
        account = f"/api/v1/namespaces/{self.name}/serviceaccounts/default"
        until("there is a service account", lambda: self.plane.client.answers(account))
        self.plane.client.send("POST", self.path(body["kind"]), body)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return self.plane.client.get(self.path(kind, name))

    def status(self, kind: str, name: str) -> dict[str, Any]:
        return self.get(kind, name).get("status", {})

    def pods(self) -> list[dict[str, Any]]:
        return self.plane.client.get(self.path("Pod"))["items"]

    def waiting_reasons(self) -> set[str]:
        return {
            status["state"]["waiting"]["reason"]
            for pod in self.pods()
            for status in pod["status"].get("containerStatuses", ())
            if "waiting" in status["state"]
        }


def condition(status: dict[str, Any], kind: str) -> str | None:
    return next((c["status"] for c in status.get("conditions", ()) if c["type"] == kind), None)


@pytest.fixture
def space(control_planes: HandOut) -> Space:
    return Space(control_planes()[0])


def test_two_servers_at_once_are_two_clusters(control_planes: HandOut):
    first, second = control_planes(2)

    name = first.new_namespace("only-here")

    assert first.url != second.url
    assert first.client.answers(f"/api/v1/namespaces/{name}")
    assert not second.client.answers(f"/api/v1/namespaces/{name}")
    for plane in (first, second):
        systems = [
            node["metadata"]["labels"]["kubernetes.io/os"]
            for node in plane.client.get("/api/v1/nodes")["items"]
        ]
        assert sorted(systems) == ["linux", "linux", "linux", "windows"]


@pytest.mark.parametrize(
    ("body", "done"),
    [
        pytest.param(
            workload("Deployment", "web", GOOD, replicas=2),
            {"availableReplicas": 2, "updatedReplicas": 2},
            id="deployment",
        ),
        pytest.param(
            workload("StatefulSet", "db", GOOD, replicas=2, serviceName="db"),
            {"availableReplicas": 2},
            id="statefulset",
        ),
        pytest.param(
            workload("DaemonSet", "agent", GOOD),
            {"numberAvailable": 4, "desiredNumberScheduled": 4},
            id="daemonset",
        ),
        pytest.param(job("once", GOOD, completions=2), {"succeeded": 2}, id="job"),
        pytest.param(
            job("never", "registry.example/fail:1", backoffLimit=0), {"failed": 1}, id="failed-job"
        ),
    ],
)
def test_a_workload_reaches_its_end(space: Space, body: dict[str, Any], done: dict[str, int]):
    space.create(body)
    kind, name = body["kind"], body["metadata"]["name"]

    until(f"{kind} has {done}", lambda: done.items() <= space.status(kind, name).items())


def test_a_volume_claim_is_bound_and_its_pod_runs(space: Space):
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "fast",
        },
    }

    space.create(
        workload("StatefulSet", "db", GOOD, serviceName="db", volumeClaimTemplates=[claim])
    )

    until("the pod runs", lambda: space.status("StatefulSet", "db").get("availableReplicas") == 1)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("registry.example/web:broken", "ImagePullBackOff"),
        ("registry.example/fail-now:1.0", "CrashLoopBackOff"),
    ],
)
def test_a_bad_image_never_becomes_ready(space: Space, image: str, reason: str):
    space.create(workload("Deployment", "web", image, progressDeadlineSeconds=2))

    until("it is reported", lambda: space.waiting_reasons() == {reason})
    until(
        "the deadline passes",
        lambda: condition(space.status("Deployment", "web"), "Progressing") == "False",
    )
    assert condition(space.status("Deployment", "web"), "Available") == "False"
    assert all(condition(pod["status"], "Ready") == "False" for pod in space.pods())


def test_a_rollout_to_a_bad_image_keeps_the_old_pods(space: Space):
    space.create(workload("Deployment", "web", GOOD, replicas=2))
    until("it is up", lambda: space.status("Deployment", "web").get("availableReplicas") == 2)

    patch = [
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "x:broken"}
    ]
    kind = "application/json-patch+json"
    space.plane.client.send("PATCH", space.path("Deployment", "web"), patch, kind=kind)

    until("the new pod waits", lambda: space.waiting_reasons() == {"ImagePullBackOff"})
    assert space.status("Deployment", "web")["availableReplicas"] == 2


def test_deletion_honours_finalizers(space: Space):
    space.create(pod("kept", GOOD, finalizers=["example.org/hold"]))
    until("it runs", lambda: condition(space.status("Pod", "kept"), "Ready") == "True")

    space.plane.client.send("DELETE", space.path("Pod", "kept"))

    until("its containers end", lambda: space.status("Pod", "kept")["phase"] == "Failed")
    patch = {"metadata": {"finalizers": None}}
    kind = "application/merge-patch+json"
    space.plane.client.send("PATCH", space.path("Pod", "kept"), patch, kind=kind)
    until("it is gone", lambda: not space.plane.client.answers(space.path("Pod", "kept")))


def test_a_pod_that_ignores_sigterm_uses_up_its_grace(space: Space):
    space.create(pod("slow", GOOD, annotations={"controlplane.test/ignores-sigterm": "true"}))
    space.create(pod("quick", GOOD))
    for name in ("slow", "quick"):
        until("it runs", lambda n=name: condition(space.status("Pod", n), "Ready") == "True")
    started = time.monotonic()

    for name in ("slow", "quick"):
        space.plane.client.send("DELETE", space.path("Pod", name) + "?gracePeriodSeconds=4")

    until("quick is gone", lambda: not space.plane.client.answers(space.path("Pod", "quick")))
    assert space.plane.client.answers(space.path("Pod", "slow"))
    until("slow is gone", lambda: not space.plane.client.answers(space.path("Pod", "slow")))
    # deletionTimestamp has whole seconds, so up to one of them may be missing.
    assert time.monotonic() - started > 2.5


def test_a_user_has_only_the_rights_they_were_given(space: Space):
    path = space.plane.kubeconfig_for("alice", ("dev",))
    core = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(path)))
    role = {
        "metadata": {"name": "devs-see"},
        "subjects": [{"kind": "Group", "name": "dev"}],
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
    }
    with pytest.raises(kubernetes.client.ApiException) as before:
        core.list_namespaced_pod(space.name)

    bindings = f"/apis/{RBAC}/v1/namespaces/{space.name}/rolebindings"
    space.plane.client.send("POST", bindings, role)

    assert before.value.status == 403
    until("alice may look", lambda: may_list_pods(core, space.name))
    with pytest.raises(kubernetes.client.ApiException) as after:
        core.delete_namespaced_pod("any", space.name)
    assert after.value.status == 403


def may_list_pods(core: kubernetes.client.CoreV1Api, namespace: str) -> bool:
    try:
        return core.list_namespaced_pod(namespace).items == []
    except kubernetes.client.ApiException:
        return False


def test_the_api_server_can_go_and_come_back(control_planes: HandOut):
    (plane,) = control_planes(fresh=True)
    space = Space(plane)
    space.create(workload("Deployment", "before", GOOD))

    plane.stop_apiserver()
    with pytest.raises(OSError, match="refused"):
        plane.client.get("/readyz")
    plane.start_apiserver()
    space.create(workload("Deployment", "after", GOOD))

    for name in ("before", "after"):
        until(
            "it is up",
            lambda n=name: space.status("Deployment", n).get("availableReplicas") == 1,
        )


def test_it_settles_once_after_the_api_server_was_away(
    monkeypatch: pytest.MonkeyPatch, control_planes: HandOut
):
    (plane,) = control_planes(fresh=True)
    seen: list[str] = []
    available = ControlPlane._available

    def noted(self: ControlPlane, deployment: str) -> bool:
        seen.append(deployment)
        return available(self, deployment)

    monkeypatch.setattr(ControlPlane, "_available", noted)
    plane.settle()
    assert not seen, "it was never away"
    plane.stop_apiserver()
    plane.settle()
    assert available(plane, seen[-1])
    before = len(seen)
    plane.settle()
    assert len(seen) == before


def test_a_port_that_was_taken_meanwhile_is_given_up(
    monkeypatch: pytest.MonkeyPatch, control_planes: HandOut
):
    (other,) = control_planes(controllers=False)
    plane = control_plane(controllers=False)
    monkeypatch.setattr(plane, "_ports", other._ports)

    with plane:
        assert plane.url != other.url
        assert plane.client.answers("/readyz")


async def test_async_with_starts_and_leaves_no_process():
    async with control_plane(nodes=1) as plane:
        pids = plane.pids()
        assert set(pids) == {
            "guard",
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kwok",
        }
        folder = plane.folder
        assert all(alive(pid) for pid in pids.values())

    assert not any(alive(pid) for pid in pids.values())
    assert not folder.exists()


def test_nothing_survives_a_killed_test_process(tmp_path: Path):
    code = (
        "import pathlib, signal, sys\n"
        "from tests.controlplane import control_plane\n"
        f"plane = control_plane(controllers=False, folder=pathlib.Path({str(tmp_path)!r}))\n"
        "plane.start()\n"
        "print(*plane.pids().values(), flush=True)\n"
        "signal.pause()\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 3
        process.kill()

    until("all are gone", lambda: not any(alive(pid) for pid in pids), seconds=15)


def test_a_killed_guard_takes_its_programs_along():
    with control_plane(controllers=False) as plane:
        pids = plane.pids()
        os.kill(pids["guard"], signal.SIGKILL)
        until(
            "all are gone",
            lambda: not any(alive(pid) for name, pid in pids.items() if name != "guard"),
            seconds=15,
        )


def test_kubebuilder_assets_are_used_and_their_failure_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("etcd", "kube-apiserver"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {name} of the person >&2\nexit 3\n")
        program.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    with pytest.raises(ControlPlaneError, match="has no kube-controller-manager"):
        control_plane()
    plane = control_plane(controllers=False)
    with pytest.raises(ControlPlaneError, match="etcd of the person"):
        plane.start()
    assert plane.pids() == {}
    assert not plane.folder.exists()


def test_the_built_folder_serves_as_kubebuilder_assets(
    control_plane_assets: Assets, monkeypatch: pytest.MonkeyPatch
):
    folder = control_plane_assets.programs["etcd"].parent
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder))
    with control_plane(controllers=False) as plane:
        assert plane.assets.origin == f"KUBEBUILDER_ASSETS={folder}"
        with pytest.raises(urllib.error.HTTPError) as caught:
            plane.client.get("/api/v1/namespaces/absent")
        assert caught.value.code == 404
        caught.value.close()


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and waits for its parent does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
