"""The floor: nothing but aiohttp writes the bytes once more that the service wrote, somewhere else."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from yarl import URL

from distributor.adapters.kube.bodies import APPLIED, FIELD_MANAGER
from distributor.adapters.kube.messages import APPLY, JSON, METADATA_ONLY
from distributor.adapters.kube.settings import Limits
from distributor.render.applyset import PARENT_NAMESPACE, parent_name
from tests.benchmarks.crowd import NAMESPACE, Crowd

if TYPE_CHECKING:
    from tests.controlplane import ControlPlane

_ELSEWHERE = "floor"
assert len(_ELSEWHERE) == len(NAMESPACE), "the bytes must be as many"
_PLURALS = {
    "ServiceAccount": ("api/v1", "serviceaccounts"),
    "Service": ("api/v1", "services"),
    "Ingress": ("apis/networking.k8s.io/v1", "ingresses"),
    "Deployment": ("apis/apps/v1", "deployments"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Seconds and processor seconds of so many writes."""

    seconds: float
    cpu: float
    writes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One request as bytes."""

    method: str
    url: URL
    body: bytes


async def floor(plane: ControlPlane, crowd: Crowd) -> Floor:
    """Write the crowd's objects and parents in a namespace of their own, as they were written before."""
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _ELSEWHERE}}
    await asyncio.to_thread(plane.client.send, "POST", "/api/v1/namespaces", made)
    writes = await asyncio.to_thread(_writes, plane)
    if len(writes) != crowd.objects + crowd.apps:
        msg = f"{len(writes)} writes for {crowd.apps} apps"
        raise RuntimeError(msg)
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(plane.ca)))
    headers = {"Authorization": f"Bearer {plane.admin_token}", "Accept": METADATA_ONLY}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        todo = iter(writes)
        began, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(_loop(session, todo) for _ in range(Limits().concurrency)))
        return Floor(
            seconds=time.perf_counter() - began,
            cpu=time.process_time() - used,
            writes=len(writes),
        )


async def _loop(session: aiohttp.ClientSession, writes: Iterator[Write]) -> None:
    for write in writes:
        kind = {"Content-Type": APPLY if write.method == "PATCH" else JSON}
        async with session.request(
            write.method, write.url, data=write.body, headers=kind
        ) as answer:
            await answer.read()
            answer.raise_for_status()


def _writes(plane: ControlPlane) -> Sequence[Write]:
    """An app's parent, then its objects, app after app, as the service does it."""
    by_app: dict[str, list[Write]] = {}
    secrets = plane.client.get(f"/api/v1/namespaces/{PARENT_NAMESPACE}/secrets")["items"]
    for secret in secrets:
        name = secret["metadata"]["name"]
        by_app[name.removeprefix(parent_name(""))] = [_parent(plane.url, secret)]
    for kind, (api, plural) in _PLURALS.items():
        listed = plane.client.get(f"/{api}/namespaces/{NAMESPACE}/{plural}")["items"]
        for item in listed:
            if item["metadata"]["name"] in by_app:
                name = item["metadata"]["name"]
                url = f"{plane.url}/{api}/namespaces/{_ELSEWHERE}/{plural}/{name}"
                url += f"?fieldManager={FIELD_MANAGER}&force=false"
                body = _applied(item, api.removeprefix("apis/").removeprefix("api/"), kind)
                by_app[name].append(Write(method="PATCH", url=URL(url, encoded=True), body=body))
    return [write for name in sorted(by_app) for write in by_app[name]]


def _parent(url: str, secret: Mapping[str, Any]) -> Write:
    metadata = {
        k: v for k, v in secret["metadata"].items() if k in {"name", "labels", "annotations"}
    }
    body = {**secret, "apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    where = URL(f"{url}/api/v1/namespaces/{_ELSEWHERE}/secrets", encoded=True)
    return Write(method="POST", url=where, body=_unseen(body))


def _applied(item: Mapping[str, Any], api_version: str, kind: str) -> bytes:
    """What was applied: the fields that the field manager owns, with their values."""
    owned = next(
        entry["fieldsV1"]
        for entry in item["metadata"]["managedFields"]
        if (entry["manager"], entry["operation"]) == (FIELD_MANAGER, "Apply")
    )
    body = _owned(item, owned)
    if APPLIED not in body["metadata"]["annotations"]:
        msg = f"{kind} {item['metadata']['name']} was not applied by the service"
        raise RuntimeError(msg)
    body["metadata"] |= {"name": item["metadata"]["name"], "namespace": _ELSEWHERE}
    return _unseen({"apiVersion": api_version, "kind": kind, **body})


def _owned(value: Any, fields: Mapping[str, Any]) -> Any:
    """The part of a live value that a set of fields covers (structured-merge-diff's ``FieldsV1``)."""
    inner = {name: sub for name, sub in fields.items() if name != "."}
    if not inner:
        return value
    if isinstance(value, list):
        keys = [orjson.loads(name[2:]) for name in inner if name.startswith("k:")]
        subs = [sub for name, sub in inner.items() if name.startswith("k:")]
        return [
            _owned(next(v for v in value if key.items() <= v.items()), sub)
            for key, sub in zip(keys, subs, strict=True)
        ]
    return {name[2:]: _owned(value[name[2:]], sub) for name, sub in inner.items()}


def _unseen(body: Mapping[str, Any]) -> bytes:
    """As many bytes, with labels that no watch and no list of the service looks for."""
    return orjson.dumps(body).replace(b"applyset.kubernetes.io", b"benchset.kubernetes.io")
