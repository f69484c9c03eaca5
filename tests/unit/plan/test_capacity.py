"""What objects ask of a cluster, and what its record says it has."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from distributor.model.capacity import Resources
from distributor.model.fleet import Cluster, Mode, NodeGroup
from distributor.model.manifest import Manifest, ManifestSet
from distributor.plan import declared, demand, supply

GI = 1024**3


def cluster(*nodes: NodeGroup) -> Cluster:
    return Cluster(name="c", environment="sit", tier="edge", mode=Mode.PUSH, nodes=nodes)


MASTER = NodeGroup(role="master", count=1, cpu="4", memory="8Gi")
WORKERS = NodeGroup(role="worker", count=3, cpu="2500m", memory="4Gi")
WINDOWS = NodeGroup(role="worker", count=2, os="windows", cpu="8", memory="16Gi")
UNKNOWN = NodeGroup(role="worker", count=1, memory="4Gi")


@pytest.mark.parametrize(
    ("nodes", "systems", "cpu", "gib"),
    [
        ((MASTER, WORKERS, WINDOWS), (), "7.5", 12),
        ((MASTER, WORKERS, WINDOWS), ("windows",), "16", 32),
        ((MASTER, WORKERS, WINDOWS), ("linux", "windows"), "23.5", 44),
        ((MASTER, WINDOWS), ("linux",), "4", 8),
        ((WORKERS, UNKNOWN), ("linux",), None, 16),
        ((), ("linux",), None, None),
        ((WINDOWS,), ("linux",), None, None),
    ],
)
def test_supply(
    nodes: tuple[NodeGroup, ...], systems: tuple[str, ...], cpu: str | None, gib: int | None
) -> None:
    found = supply(cluster(*nodes), systems)
    assert found.cpu == (None if cpu is None else Decimal(cpu))
    assert found.memory == (None if gib is None else gib * GI)


def pod(*cpus: str, init: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {
        "containers": [{"name": f"c{n}", "resources": {"requests": {"cpu": c}}} for n, c in enumerate(cpus)],
        "initContainers": list(init),
    }  # fmt: skip


def init(cpu: str, **more: str) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu}}, **more}


def made(api: str, kind: str, spec: dict[str, Any]) -> Manifest:
    return Manifest.of(
        {"apiVersion": api, "kind": kind, "metadata": {"name": "a", "namespace": "n"}, "spec": spec}
    )


def workload(kind: str, api: str = "apps/v1", /, *cpus: str, **more: Any) -> Manifest:
    return made(api, kind, {"template": {"spec": pod(*cpus)}, **more})


@pytest.mark.parametrize(
    ("manifest", "cpu"),
    [
        (workload("Deployment", "apps/v1", "500m", "1", replicas=3), "4.5"),
        (workload("Deployment", "apps/v1", "500m"), "0.5"),
        (workload("Deployment", "apps/v1", "500m", replicas=0), "0"),
        (workload("Deployment", "apps/v1", "500m", replicas="many"), "0.5"),
        (workload("StatefulSet", "apps/v1", "1", replicas=2), "2"),
        (workload("DaemonSet", "apps/v1", "100m"), "0.3"),
        (workload("Job", "batch/v1", "1", parallelism=4), "4"),
        (workload("CronJob", "batch/v1", "1"), "0"),
        (workload("Deployment", "example.org/v1", "1"), "0"),
        (made("v1", "Pod", pod("1", "2")), "3"),
        (made("v1", "Pod", pod("1", init=(init("4"), init("2")))), "4"),
        (made("v1", "Pod", pod("1", init=(init("500m", restartPolicy="Always"), init("1")))), "1.5"),
        (made("v1", "Pod", {"containers": [{"resources": {"limits": {"cpu": "2"}}}]}), "2"),
        (made("v1", "Pod", {"containers": [{"resources": {"requests": {"cpu": "x"}}}, 7]}), "0"),
        (made("v1", "Pod", {"containers": "none"}), "0"),
        (made("v1", "ConfigMap", {}), "0"),
    ],
)  # fmt: skip
def test_demand(manifest: Manifest, cpu: str) -> None:
    found = demand(ManifestSet.of([manifest]), cluster(WORKERS), ())
    assert found == Resources(cpu=Decimal(cpu), memory=Decimal(0))


def test_figures_add_up_and_declared_ones_only_raise() -> None:
    both = ManifestSet.of([workload("Deployment", "apps/v1", "1"), made("v1", "Pod", pod("2"))])
    found = demand(both, cluster(), ())
    assert found.cpu == 3
    raised = found.most(declared({"cpu": "4", "memory": "1Gi"}))
    assert (raised.cpu, raised.memory) == (4, GI)
    assert found.most(declared({"cpu": 1})).cpu == 3
