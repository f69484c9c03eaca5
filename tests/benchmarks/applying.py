"""Server-side apply of many objects: through the adapter, and by a bare aiohttp loop over the same bytes."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from distributor.adapters.kube import KubeConnections
from distributor.adapters.kube.bodies import FIELD_MANAGER, apply_body
from distributor.adapters.kube.messages import APPLY, METADATA_ONLY
from distributor.adapters.kube.settings import Limits
from distributor.model.changes import Inventory
from distributor.model.fleet import Cluster, Mode
from distributor.model.manifest import Manifest

if TYPE_CHECKING:
    from tests.controlplane import ControlPlane

CLUSTER = Cluster(
    name="bench", environment="sit", tier="central", mode=Mode.PUSH, connection="bench"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One request as bytes."""

    url: URL
    body: bytes


def objects(namespace: str, count: int) -> list[Manifest]:
    """ConfigMaps and Deployments of no replicas, by turns: nothing else happens in the cluster."""
    return [
        _config_map(namespace, number) if number % 2 else _deployment(namespace, number)
        for number in range(count)
    ]


def _config_map(namespace: str, number: int) -> Manifest:
    data = {f"key-{i}": f"value {number} of {i}, as long as such values are" for i in range(8)}
    return Manifest.of(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"config-{number:04}", "namespace": namespace},
            "data": data,
        }
    )


def _deployment(namespace: str, number: int) -> Manifest:
    name, labels = f"app-{number:04}", {"app": f"app-{number:04}"}
    container = {
        "name": "main",
        "image": "registry.example/app:1.0.0",
        "env": [{"name": f"SETTING_{i}", "value": f"{number}-{i}"} for i in range(6)],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
    }
    return Manifest.of(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }
    )


def wires(url: str, manifests: Sequence[Manifest]) -> list[Wire]:
    """The requests that the adapter would send for them, made ahead."""
    paths = {"ConfigMap": "api/v1", "Deployment": "apis/apps/v1"}
    query = f"fieldManager={FIELD_MANAGER}&force=false"
    return [
        Wire(
            url=URL(
                f"{url}/{paths[m.ref.kind]}/namespaces/{m.ref.namespace}"
                f"/{m.ref.kind.lower()}s/{m.ref.name}?{query}",
                encoded=True,
            ),
            body=apply_body(m),
        )
        for m in manifests
    ]


async def through_adapter(connections: KubeConnections, manifests: Sequence[Manifest]) -> float:
    """Seconds that the adapter takes, outcomes and all."""
    target = await connections.open(CLUSTER)
    await target.apply(_inventory(), manifests[:1])  # connects, and learns what is served
    began = time.perf_counter()
    outcomes = await target.apply(_inventory(), manifests)
    seconds = time.perf_counter() - began
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed or len(outcomes) != len(manifests):
        msg = f"{len(failed)} of {len(manifests)} failed: {failed[:1]}"
        raise RuntimeError(msg)
    return seconds


def _inventory() -> Inventory:
    return Inventory(environment="sit", instance="bench", cluster="bench")


async def bare(plane: ControlPlane, requests: Sequence[Wire]) -> float:
    """Seconds that nothing but aiohttp takes, with as many requests at once as the adapter has."""
    tls = ssl.create_default_context(cafile=str(plane.ca))
    headers = {
        "Authorization": f"Bearer {plane.admin_token}",
        "Content-Type": APPLY,
        "Accept": METADATA_ONLY,
    }
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        await _loop(session, iter(requests[:1]))
        began = time.perf_counter()
        todo = iter(requests)
        await asyncio.gather(*(_loop(session, todo) for _ in range(Limits().concurrency)))
        return time.perf_counter() - began


async def _loop(session: aiohttp.ClientSession, requests: Iterator[Wire]) -> None:
    for wire in requests:
        async with session.patch(wire.url, data=wire.body) as answer:
            await answer.read()
            answer.raise_for_status()
