"""Push targets against servers that misbehave: every fault is a coded error, retryable where it may pass."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from distributor.adapters.kube import KubeConnections, KubeSettings, KubeTarget, Limits
from distributor.adapters.kube.login import environment_proxy
from distributor.adapters.kube.presence import Lately
from distributor.adapters.kube.target import KubeCluster
from distributor.errors import DistributorError
from distributor.errors.cluster import (
    BrokenAnswer,
    ClusterUnreachable,
    CredentialsRefused,
    Fenced,
    ForeignObject,
    InventoryBroken,
    LoginFailed,
    MissingKind,
    ServerFault,
    Throttled,
    UnknownConnection,
    Unsupported,
)
from distributor.errors.service import BadSetting
from distributor.model.changes import Action, Inventory, InventoryEntry
from distributor.model.fleet import Cluster, Mode
from distributor.model.refs import Digest, ObjectRef
from distributor.render.applyset import PART_OF
from tests.contract.targets.fake_api import FakeApi, kubeconfig, ok, raw_server, serve, status
from tests.contract.targets.objects import (
    CLUSTER,
    ENVIRONMENT,
    INSTANCE,
    NAMESPACE,
    config_map,
    entry,
    inventory,
    namespace,
)

QUICK = Limits(throttled=0.3, confirm=0.05, establish=0.1)
LONG = 3600.0
HASTY = replace(QUICK, connect=0.5, total=0.5)
FIRST, SECOND, SECRET = "first", "second", "hunter2"
PUSHED = Cluster(
    name=CLUSTER, environment=ENVIRONMENT, tier="edge", mode=Mode.PUSH, connection="c1"
)
MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"


def read(path: Path) -> str:
    return path.read_text()


def write(path: Path, text: str) -> None:
    path.write_text(text)


class Stand:
    """A target on the server in memory."""

    def __init__(self, api: FakeApi, cluster: KubeCluster, path: Path, url: str) -> None:
        self.api, self.cluster, self.path, self.url = api, cluster, path, url
        self.target = KubeTarget(CLUSTER, cluster)

    async def installed(self, *names: str) -> Inventory:
        maps = [config_map(name) for name in names]
        kept = await self.target.write_inventory(inventory(namespace(), *maps))
        await self.target.apply(kept, [namespace()])
        await self.target.apply(kept, maps)
        self.api.requests.clear()
        return kept


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    api = FakeApi()
    async with serve(api) as url:
        path = kubeconfig(tmp_path / "config", url, token=FIRST)
        cluster = KubeCluster.of(KubeSettings(kubeconfig=path), QUICK)
        yield Stand(api, cluster, path, url)
        await cluster.transport.aclose()


async def against(url: str, folder: Path) -> DistributorError:
    """What reading an inventory from that server raises."""
    path = kubeconfig(folder / "config", url)
    cluster = KubeCluster.of(KubeSettings(kubeconfig=path), HASTY)
    try:
        with pytest.raises(DistributorError) as caught:
            await KubeTarget(CLUSTER, cluster).read_inventory(ENVIRONMENT, INSTANCE)
        return caught.value
    finally:
        await cluster.transport.aclose()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
RAW = {
    "nothing": (b"", BrokenAnswer),
    "half an answer": (HEAD + b'Content-Length: 900\r\n\r\n{"kind": "Se', BrokenAnswer),
    "half a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{", BrokenAnswer),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", BrokenAnswer),
    "not JSON": (HEAD + b"Content-Length: 6\r\n\r\n<html>", BrokenAnswer),
    "a JSON list": (ok([1]), BrokenAnswer),
    "truncated JSON": (HEAD + b'Content-Length: 5\r\n\r\n{"a":', BrokenAnswer),
    "too much": (HEAD + b"Content-Length: 999999999999\r\n\r\n", BrokenAnswer),
    "silence": (None, ClusterUnreachable),
    "a proxy's 502": (b"HTTP/1.1 502 Bad\r\nContent-Length: 3\r\n\r\nbad", ServerFault),
    "a proxy's 404": (b"HTTP/1.1 400 Bad\r\nContent-Length: 3\r\n\r\nbad", BrokenAnswer),
    "a redirect": (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        BrokenAnswer,
    ),
}


@pytest.mark.parametrize("name", RAW)
async def test_a_broken_server_is_a_retryable_error(name: str, tmp_path: Path) -> None:
    answer, expected = RAW[name]
    async with raw_server(answer) as url:
        error = await against(url, tmp_path)
    assert type(error) is expected
    assert error.retryable


async def test_a_refused_connection_is_unreachable(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = await against(f"http://127.0.0.1:{taken.getsockname()[1]}", tmp_path)
    assert isinstance(error, ClusterUnreachable)


async def test_a_name_that_does_not_resolve_is_unreachable(tmp_path: Path) -> None:
    assert isinstance(await against("http://no.such.host.invalid", tmp_path), ClusterUnreachable)


async def test_tls_with_a_server_that_has_none_is_unreachable(tmp_path: Path) -> None:
    async with raw_server(b"HTTP/1.1 400 Bad\r\n\r\n") as url:
        error = await against(url.replace("http", "https"), tmp_path)
    assert error.retryable


async def test_throttling_is_waited_for(stand: Stand) -> None:
    kept = await stand.installed("a")
    left = 2

    async def fault(request: web.Request) -> web.Response | None:
        nonlocal left
        left -= 1
        answer = status(429, "TooManyRequests")
        answer.headers["Retry-After"] = "0"
        return answer if left >= 0 and request.method == "PATCH" else None

    stand.api.fault = fault
    cluster = KubeCluster.of(KubeSettings(kubeconfig=stand.path), Limits(throttled=5))
    (outcome,) = await KubeTarget(CLUSTER, cluster).apply(kept, [config_map("a", "2")])
    assert outcome.error is None
    await cluster.transport.aclose()


@pytest.mark.parametrize(("code", "expected"), [(429, "DST403"), (500, "DST404"), (503, "DST404")])
async def test_a_fault_stays_with_its_object(stand: Stand, code: int, expected: str) -> None:
    kept = await stand.installed("a", "b")

    async def fault(request: web.Request) -> web.Response | None:
        answer = status(code, "Fault")
        answer.headers["Retry-After"] = "60"
        return answer if request.path == f"{MAPS}/a" else None

    stand.api.fault = fault
    new = [config_map("a", "2"), config_map("b", "2")]
    bad, good = await stand.target.apply(kept, new)
    assert bad.error
    assert (bad.error.code, bad.retryable, bad.action) == (expected, True, Action.SKIPPED)
    assert good.error is None
    bad, good = await stand.target.delete(kept, [entry(m) for m in new])
    assert bad.error
    assert (bad.error.code, bad.retryable) == (expected, True)
    assert (good.action, good.error) == (Action.PRUNED, None)
    stand.api.fault = None
    assert set(await stand.target.read_live([entry(m) for m in new])) == {new[0].ref}


async def test_a_404_of_what_an_object_needs_is_no_kind_that_went(stand: Stand) -> None:
    kept = await stand.installed("a")

    async def fault(request: web.Request) -> web.Response | None:
        text = 'roles.rbac.authorization.k8s.io "reader" not found'
        answer = status(404, "NotFound", text, kind="roles", name="reader")
        return answer if request.method == "PATCH" else None

    stand.api.fault = fault
    (bad,) = await stand.target.apply(kept, [config_map("a", "2")])
    assert bad.error
    assert (bad.error.code, bad.retryable) == ("DST402", False)
    assert 'reader" not found' in bad.error.message


@pytest.mark.parametrize(("drops", "code"), [(1, ""), (2, "DST405")])
async def test_a_connection_that_died_is_tried_once_more(
    stand: Stand, drops: int, code: str
) -> None:
    kept = await stand.installed("a")
    left = drops

    async def fault(request: web.Request) -> None:
        nonlocal left
        if request.method == "PATCH" and left:
            left -= 1
            assert request.transport
            request.transport.abort()

    stand.api.fault = fault
    (outcome,) = await stand.target.apply(kept, [config_map("a", "2")])
    assert (outcome.error.code if outcome.error else "") == code
    assert outcome.retryable == bool(code)


async def test_what_cannot_be_read_is_told_beside_what_can(stand: Stand) -> None:
    await stand.installed("a", "b")

    async def fault(request: web.Request) -> web.Response | None:
        return status(500, "Fault") if request.path == f"{MAPS}/a" else None

    stand.api.fault = fault
    first, second = config_map("a"), config_map("b")
    live = await stand.target.read_live([entry(first), entry(second)])
    assert live.keys() == {first.ref, second.ref}
    error = live[first.ref].error
    assert error is not None
    assert (error.code, error.where.file) == (ServerFault.code, str(first.ref))
    assert live[second.ref].error is None


async def test_a_list_that_cannot_be_had_hides_nothing_that_can_be_read(stand: Stand) -> None:
    many = [config_map(f"m{n}") for n in range(40)]
    await stand.installed(*(m.ref.name for m in many))

    async def fault(request: web.Request) -> web.Response | None:
        return status(500, "Fault") if request.path in {MAPS, f"{MAPS}/m7"} else None

    stand.api.fault = fault
    live = await stand.target.read_live([entry(m) for m in many])
    assert live.keys() == {m.ref for m in many}
    assert [ref.name for ref, found in live.items() if found.error] == ["m7"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: status(401, "Unauthorized"), CredentialsRefused),
        (lambda: web.Response(status=429, text="busy"), Throttled),
    ],
)
async def test_what_is_of_the_whole_cluster_is_no_object_s_error(
    stand: Stand, answer: Callable[[], web.Response], error: type[DistributorError]
) -> None:
    await stand.installed("a")

    async def fault(request: web.Request) -> web.Response | None:
        return answer() if request.path == f"{MAPS}/a" else None

    stand.api.fault = fault
    with pytest.raises(error):
        await stand.target.read_live([entry(config_map("a"))])


async def test_a_kind_that_asks_to_wait_keeps_no_other_waiting(stand: Stand) -> None:
    await stand.installed("a", "b")

    async def fault(request: web.Request) -> web.Response | None:
        return status(429, "TooManyRequests") if request.path == f"{MAPS}/a" else None

    stand.api.fault = fault
    live = await stand.target.read_live([entry(config_map("a")), entry(config_map("b"))])
    assert [f.error and f.error.code for f in live.values()] == [Throttled.code, None]


async def test_a_kind_behind_a_server_that_does_not_answer_is_not_absent(stand: Stand) -> None:
    served = {
        "kind": "APIGroupDiscoveryList",
        "items": [
            {"metadata": {"name": group}, "versions": [{"version": "v1", "freshness": fresh}]}
            for group, fresh in (("down.example", "Stale"), ("up.example", "Current"))
        ],
    }

    async def fault(request: web.Request) -> web.Response | None:
        return web.json_response(served) if request.path == "/apis" else None

    stand.api.fault = fault
    down, up = (
        ObjectRef(group, "Thing", NAMESPACE, "one") for group in ("down.example", "up.example")
    )
    live = await stand.target.read_live(
        [InventoryEntry(ref=r, api_version=f"{r.group}/v1", digest=Digest("")) for r in (down, up)]
    )
    assert live.keys() == {down}
    error = live[down].error
    assert error is not None
    assert error.code == MissingKind.code


async def test_a_hanging_server_stops_the_whole_group_at_once(stand: Stand) -> None:
    many = [f"m{n}" for n in range(40)]
    kept = await stand.installed(*many)

    async def fault(request: web.Request) -> None:
        if request.method == "PATCH":
            await asyncio.sleep(3)

    stand.api.fault = fault
    cluster = KubeCluster.of(KubeSettings(kubeconfig=stand.path), HASTY)
    with pytest.raises(ClusterUnreachable):
        await KubeTarget(CLUSTER, cluster).apply(kept, [config_map(name, "2") for name in many])
    sent = [method for method, _ in stand.api.requests].count("PATCH")
    assert sent <= HASTY.concurrency  # the others were never tried
    await cluster.transport.aclose()


async def test_no_more_requests_run_at_once_than_allowed(stand: Stand) -> None:
    many = [f"m{n}" for n in range(40)]
    kept = await stand.installed(*many)

    async def fault(_: web.Request) -> None:
        await asyncio.sleep(0.005)

    stand.api.fault, stand.api.most_running = fault, 0
    await stand.target.apply(kept, [config_map(name, "2") for name in many])
    assert stand.api.most_running == QUICK.concurrency


async def test_many_objects_are_read_by_pages(stand: Stand) -> None:
    many = [f"m{n}" for n in range(20)]
    await stand.installed(*many)
    target = KubeTarget(CLUSTER, replace(stand.cluster, limits=replace(QUICK, page=7)))
    live = await target.read_live([entry(config_map(name)) for name in many])
    assert len(live) == 20
    assert [path for _, path in stand.api.requests] == [MAPS] * 3


async def test_many_that_are_not_there_are_learnt_from_one_list(stand: Stand) -> None:
    """Of 60 objects none carries our label; 2 of them are there: a list with it, one without, and those 2."""
    await stand.installed("x")
    bare = {"apiVersion": "v1", "kind": "ConfigMap"}
    for name in ("m7", "m8", "other"):
        metadata = {"namespace": NAMESPACE, "name": name, "resourceVersion": "1", "uid": name}
        stand.api.objects[f"{MAPS}/{name}"] = {**bare, "metadata": metadata}
    stand.api.requests.clear()
    live = await stand.target.read_live([entry(config_map(f"m{n}")) for n in range(60)])
    assert sorted(ref.name for ref in live) == ["m7", "m8"]
    asked = [path for _, path in stand.api.requests]
    assert sorted(asked) == [MAPS, MAPS, f"{MAPS}/m7", f"{MAPS}/m8"]


async def test_many_installs_side_by_side_learn_from_one_list_what_is_not_there(
    stand: Stand,
) -> None:
    """Each asks for one object of its own, and the list is read once it comes cheaper than that."""
    await stand.installed("x")
    bare = {"apiVersion": "v1", "kind": "ConfigMap"}
    metadata = {"namespace": NAMESPACE, "name": "m40", "resourceVersion": "1", "uid": "m40"}
    stand.api.objects[f"{MAPS}/m40"] = {**bare, "metadata": metadata}
    stand.api.requests.clear()
    limits = replace(QUICK, lately=LONG)
    cluster = replace(stand.cluster, limits=limits, lately=Lately(limits))
    found = {}
    for number in range(60):
        target = KubeTarget(CLUSTER, cluster)
        found |= await target.read_live([entry(config_map(f"m{number}"))], new=True)
    assert [ref.name for ref in found] == ["m40"]
    asked = [path for _, path in stand.api.requests]
    assert asked.count(MAPS) == 1
    assert asked[-2:] == [MAPS, f"{MAPS}/m40"], (
        "what the list shows is read whole, and nothing else"
    )


async def test_what_is_no_first_install_asks_for_each_whatever_lists_showed(stand: Stand) -> None:
    await stand.installed("x")
    limits = replace(QUICK, lately=LONG)
    cluster = replace(stand.cluster, limits=limits, lately=Lately(limits))
    for number in range(30):
        await KubeTarget(CLUSTER, cluster).read_live([entry(config_map(f"m{number}"))], new=True)
    metadata = {"namespace": NAMESPACE, "name": "m7", "resourceVersion": "1", "uid": "m7"}
    bare = {"apiVersion": "v1", "kind": "ConfigMap"}
    stand.api.objects[f"{MAPS}/m7"] = {**bare, "metadata": metadata}
    wanted = [entry(config_map("m7"))]
    assert await KubeTarget(CLUSTER, cluster).read_live(wanted, new=True) == {}
    assert len(await KubeTarget(CLUSTER, cluster).read_live(wanted)) == 1
    as_tenant = KubeTarget(CLUSTER, cluster, account="team/deployer")
    assert len(await as_tenant.read_live(wanted, new=True)) == 1, "nobody else's list counts"


async def test_what_one_install_made_another_sees_whatever_lists_showed(stand: Stand) -> None:
    """Else the later one would take it over without a word."""
    kept = await stand.installed("x")
    limits = replace(QUICK, lately=LONG)
    cluster = replace(stand.cluster, limits=limits, lately=Lately(limits))
    for number in range(30):
        await KubeTarget(CLUSTER, cluster).read_live([entry(config_map(f"m{number}"))], new=True)
    tenant = KubeTarget(CLUSTER, cluster, account="team/deployer")
    for maker, name in ((KubeTarget(CLUSTER, cluster), "m3"), (tenant, "m4")):
        await maker.apply(kept, [config_map(name)])
    wanted = [entry(config_map(name)) for name in ("m3", "m4", "m5")]
    found = await KubeTarget(CLUSTER, cluster).read_live(wanted, new=True)
    assert sorted(ref.name for ref in found) == ["m3", "m4"]


async def test_a_list_is_read_again_when_it_is_old_and_never_where_it_is_refused(
    stand: Stand,
) -> None:
    await stand.installed("x")
    limits = replace(QUICK, lately=0.0)
    cluster = replace(stand.cluster, limits=limits, lately=Lately(limits))
    stand.api.requests.clear()
    for number in range(40):
        await KubeTarget(CLUSTER, cluster).read_live([entry(config_map(f"m{number}"))], new=True)
    assert [path for _, path in stand.api.requests].count(MAPS) == 0, "no list is young enough"

    async def refused(request: web.Request) -> web.Response | None:
        return status(403, "Forbidden") if request.path == MAPS else None

    stand.api.fault = refused
    limits = replace(QUICK, lately=LONG)
    cluster = replace(stand.cluster, limits=limits, lately=Lately(limits))
    stand.api.requests.clear()
    wanted = [entry(config_map("x"))]
    for _ in range(60):
        assert len(await KubeTarget(CLUSTER, cluster).read_live(wanted, new=True)) == 1
    assert [path for _, path in stand.api.requests].count(MAPS) == 1


async def test_few_in_a_crowd_are_asked_for_one_by_one(stand: Stand) -> None:
    """A namespace may hold far more than what is looked for: then no list of it is read to its end."""
    await stand.installed("x")
    for number in range(30):
        metadata = {"namespace": NAMESPACE, "name": f"o{number}", "resourceVersion": "1"}
        stand.api.objects[f"{MAPS}/o{number}"] = {"metadata": metadata}
    stand.api.requests.clear()
    target = KubeTarget(CLUSTER, replace(stand.cluster, limits=replace(QUICK, page=2)))
    assert await target.read_live([entry(config_map(f"m{n}")) for n in range(50)]) == {}
    asked = [path for _, path in stand.api.requests]
    assert asked.count(MAPS) == 3
    assert len(asked) == 53


async def test_discovery_is_asked_once(stand: Stand) -> None:
    kept = await stand.installed("a")
    await stand.target.apply(kept, [config_map("a", "2")])
    await stand.target.read_live([entry(config_map("a"))])
    assert not [path for _, path in stand.api.requests if path in {"/api", "/apis"}]


async def test_an_old_server_is_told_apart(stand: Stand) -> None:
    async def fault(request: web.Request) -> web.Response | None:
        return web.json_response({"kind": "APIVersions"}) if request.path == "/api" else None

    stand.api.fault = fault
    with pytest.raises(BrokenAnswer, match=r"1\.27"):
        await stand.target.apply(inventory(), [config_map("a")])


async def test_a_kind_that_cannot_be_looked_up_is_not_pruned(stand: Stand) -> None:
    kept = await stand.installed("a")
    stand.api.kinds[""] = [k for k in stand.api.kinds[""] if k[0] != "ConfigMap"]
    stand.api.stale = True
    cluster = KubeCluster.of(KubeSettings(kubeconfig=stand.path), QUICK)
    (outcome,) = await KubeTarget(CLUSTER, cluster).delete(kept, [entry(config_map("a"))])
    assert outcome.error
    assert (outcome.error.code, outcome.retryable) == ("DST411", True)
    await cluster.transport.aclose()


async def test_a_terminating_namespace_is_waited_for(stand: Stand) -> None:
    kept = await stand.installed("a")

    async def fault(request: web.Request) -> web.Response | None:
        cause = {"reason": "NamespaceTerminating", "message": "it is being terminated"}
        return status(403, "Forbidden", causes=[cause]) if request.method == "PATCH" else None

    stand.api.fault = fault
    (outcome,) = await stand.target.apply(kept, [config_map("a", "2")])
    assert outcome.error
    assert (outcome.error.code, outcome.retryable) == ("DST419", True)


async def test_an_object_made_anew_while_we_delete_is_left(stand: Stand) -> None:
    kept = await stand.installed("a")

    async def fault(request: web.Request) -> None:
        if request.method == "DELETE":
            stand.api.objects[request.path]["metadata"]["uid"] = "somebody-elses"

    stand.api.fault = fault
    (outcome,) = await stand.target.delete(kept, [entry(config_map("a"))])
    assert outcome.error
    assert outcome.retryable
    assert f"{MAPS}/a" in stand.api.objects


@pytest.mark.parametrize(("owner", "left"), [("applyset-else-v1", True), ("", False)])
async def test_an_object_written_while_we_delete_is_looked_at_again(
    stand: Stand, owner: str, *, left: bool
) -> None:
    """Another takes it in between, or only its status is written."""
    kept = await stand.installed("a")
    written: list[str] = []

    async def fault(request: web.Request) -> None:
        if request.method == "DELETE" and not written:
            metadata = stand.api.objects[request.path]["metadata"]
            metadata["resourceVersion"] += "0"
            metadata["labels"] |= {PART_OF: owner} if owner else {}
            written.append(owner)

    stand.api.fault = fault
    (outcome,) = await stand.target.delete(kept, [entry(config_map("a"))])
    assert (outcome.error.code if outcome.error else "") == ("DST418" if left else "")
    assert (f"{MAPS}/a" in stand.api.objects) is left


async def test_a_pending_deletion_is_not_sent_twice(stand: Stand) -> None:
    kept = await stand.installed("a")
    stand.api.finalizing.add("a")
    for _ in range(2):
        (outcome,) = await stand.target.delete(kept, [entry(config_map("a"))])
        assert outcome.error
        assert outcome.error.code == "DST419"
        assert "example.com/hold" in outcome.error.message
    assert [method for method, _ in stand.api.requests].count("DELETE") == 1


# -- inventories ----------------------------------------------------------------------------------

SECRETS = "/api/v1/namespaces/distributor-system/secrets"
PARENT = f"{SECRETS}/dst-{INSTANCE}"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "change",
    [
        {"inventory.json": None},
        {"inventory.json": "%%%"},
        {"inventory.json": b64(b"[]")},
        {"inventory.json": b64(b"{")},
        {"entries.json.zz": None},
        {"entries.json.zz": b64(b"x")},
        {"shards.json": b64(b"{}")},
        {"shards.json": b64(b'["dst-shop-gone"]')},
    ],
)
async def test_a_broken_inventory_is_an_error(stand: Stand, change: dict) -> None:
    await stand.installed("a")
    parent = stand.api.objects[PARENT]
    parent["data"] = {k: v for k, v in (parent["data"] | change).items() if v is not None}
    parent["metadata"]["resourceVersion"] = "changed"
    with pytest.raises(InventoryBroken):
        await stand.target.read_inventory(ENVIRONMENT, INSTANCE)


async def test_a_secret_of_another_tooling_is_no_inventory(stand: Stand) -> None:
    await stand.installed("a")
    stand.api.objects[PARENT]["metadata"] |= {
        "annotations": {"applyset.kubernetes.io/tooling": "kubectl/v1.33"},
        "resourceVersion": "changed",
    }
    with pytest.raises(InventoryBroken, match="distributor/v1"):
        await stand.target.read_inventory(ENVIRONMENT, INSTANCE)


async def test_another_clusters_inventory_is_refused(stand: Stand) -> None:
    await stand.installed("a")
    with pytest.raises(ForeignObject, match=f"{ENVIRONMENT}/{INSTANCE}/{CLUSTER}"):
        await KubeTarget("c2", stand.cluster).read_inventory(ENVIRONMENT, INSTANCE)


async def test_a_write_whose_answer_is_lost_fences_its_repetition(stand: Stand) -> None:
    kept = await stand.installed("a")

    async def fault(request: web.Request) -> web.Response | None:
        if request.method != "PUT":
            return None
        stand.api._store(request.path, await request.json(), new=False)
        return web.Response(body=b"{", status=200)

    stand.api.fault = fault
    with pytest.raises(BrokenAnswer):
        await stand.target.write_inventory(kept)
    stand.api.fault = None
    with pytest.raises(Fenced):
        await stand.target.write_inventory(kept)
    read = await stand.target.read_inventory(ENVIRONMENT, INSTANCE)
    assert read
    assert await stand.target.write_inventory(read)


async def test_killed_between_shards_and_parent(stand: Stand) -> None:
    small = KubeTarget(CLUSTER, stand.cluster, shard_bytes=300)
    first = await small.write_inventory(inventory(*(config_map(f"m{n}") for n in range(50))))

    async def fault(request: web.Request) -> web.Response | None:
        return status(500, "Killed") if request.method == "PUT" else None

    stand.api.fault = fault
    more = inventory(*(config_map(f"n{n}") for n in range(60)), token=first.token)
    with pytest.raises(ServerFault):
        await small.write_inventory(more)
    stand.api.fault = None
    assert await small.read_inventory(ENVIRONMENT, INSTANCE) == first
    last = await small.write_inventory(inventory(config_map("z"), token=first.token))
    assert await small.read_inventory(ENVIRONMENT, INSTANCE) == last
    assert [p for p in stand.api.objects if p.startswith(SECRETS)] == [PARENT]


async def test_an_inventory_that_nobody_wrote_is_not_read_again(stand: Stand) -> None:
    """What is asked before each phase costs one small read, however many objects and shards there are."""
    small = KubeTarget(CLUSTER, stand.cluster, shard_bytes=300)
    kept = await small.write_inventory(inventory(*(config_map(f"m{n}") for n in range(50))))
    asked = len(stand.api.requests)
    for _ in range(3):
        assert await small.read_inventory(ENVIRONMENT, INSTANCE) == kept
    assert stand.api.requests[asked:] == [("GET", PARENT)] * 3
    newer = await KubeTarget(CLUSTER, stand.cluster).write_inventory(replace(kept, sequence=9))
    assert await small.read_inventory(ENVIRONMENT, INSTANCE) == newer
    with pytest.raises(Fenced):
        await small.write_inventory(replace(kept, sequence=10))
    del stand.api.objects[PARENT]
    assert await small.read_inventory(ENVIRONMENT, INSTANCE) is None


async def test_a_writer_that_was_overtaken_writes_nothing(stand: Stand) -> None:
    """It goes by what it holds, and the server refuses: the token is another one now."""
    slow, quick = (KubeTarget(CLUSTER, stand.cluster) for _ in range(2))
    kept = await slow.write_inventory(inventory(config_map("a")))
    newer = await quick.write_inventory(replace(kept, sequence=9))
    with pytest.raises(Fenced):
        await slow.write_inventory(replace(kept, sequence=8))
    assert await slow.read_inventory(ENVIRONMENT, INSTANCE) == newer


# -- credentials and settings ---------------------------------------------------------------------


async def test_expired_credentials_are_read_again(stand: Stand) -> None:
    await stand.installed("a")
    stand.api.tokens = {f"Bearer {SECOND}"}
    with pytest.raises(CredentialsRefused):
        await stand.target.read_inventory(ENVIRONMENT, INSTANCE)
    kubeconfig(stand.path, stand.url, token=SECOND)
    assert await stand.target.read_inventory(ENVIRONMENT, INSTANCE)


async def test_an_exec_plugin_is_asked(stand: Stand, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "from-plugin"},
    }
    plugin.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(answer))})\n")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    how = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}
    kubeconfig(stand.path, stand.url, exec={**how, "interactiveMode": "Never"})
    stand.api.tokens = {"Bearer from-plugin"}
    assert await stand.target.read_inventory(ENVIRONMENT, INSTANCE) is None


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{", "a: b", "clusters: 3\nusers: [{name: x, user: {token: hunter2}}]"]
)
async def test_a_broken_kubeconfig_is_named_without_its_content(
    text: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    connections = KubeConnections({"c1": {"kubeconfig": str(path)}})
    target = await connections.open(PUSHED)
    with pytest.raises(UnknownConnection, match="config") as caught:
        await target.read_inventory(ENVIRONMENT, INSTANCE)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    await connections.aclose()


@pytest.mark.parametrize(
    "change",
    [
        {"server": None},
        {"server": "example"},
        {"server": "ftp://example"},
        {"server": "http://[::bad"},
        {"server": "https://example", "certificate-authority": "absent.crt"},
        {"server": "https://example", "certificate-authority-data": "aHVudGVyMg=="},
        {"server": "https://example", "certificate-authority-data": "%%%"},
    ],
)
async def test_a_kubeconfig_that_leads_nowhere_is_refused(change: dict, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    config = yaml.safe_load(read(path))
    config["clusters"][0]["cluster"] = {k: v for k, v in change.items() if v is not None}
    write(path, yaml.safe_dump(config))
    connections = KubeConnections({"c1": {"kubeconfig": str(path)}})
    target = await connections.open(PUSHED)
    with pytest.raises(UnknownConnection, match="no usable kubeconfig") as caught:
        await target.read_inventory(ENVIRONMENT, INSTANCE)
    assert "hunter2" not in str(caught.value)
    await connections.aclose()


async def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1", token=SECRET)
    connections = KubeConnections({"c1": {"kubeconfig": str(path), "context": "other"}})
    target = await connections.open(PUSHED)
    with pytest.raises(UnknownConnection, match="'other'") as caught:
        await target.read_inventory(ENVIRONMENT, INSTANCE)
    assert "hunter2" not in str(caught.value)
    await connections.aclose()


@pytest.mark.parametrize(
    "entry_",
    [{}, {"kubeconfig": ""}, {"kubeconfig": 1}, {"kubeconfig": "x", "context": 1},
     {"kubeconfig": "x", "contxt": "y"}, {"kubeconfig": "x", "namespaces": "a,B"},
     {"kubeconfig": "x", "namespaces": ""}, {"kubeconfig": "x", "namespaces": "a,../b"},
     {"in_cluster": "yes"}, {"in_cluster": "true", "context": "x"},
     {"in_cluster": "true", "kubeconfig": "x"}, {"in_cluster": "false"}],
)  # fmt: skip
def test_a_bad_setting_is_refused_at_once(entry_: dict) -> None:
    with pytest.raises(BadSetting, match=r"connections\.c1"):
        KubeConnections({"c1": entry_})


async def test_an_unknown_connection_and_another_mode_are_refused() -> None:
    connections = KubeConnections({})
    with pytest.raises(UnknownConnection, match="c1"):
        await connections.open(PUSHED)
    with pytest.raises(Unsupported):
        await connections.open(
            Cluster(name="x", environment="sit", tier="edge", mode=Mode.DIRECTORY)
        )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("https://api.example:6443", "http://proxy.example:3128"),
        ("http://api.example", ""),
        ("https://inner.example", ""),
        ("https://127.0.0.1:6443", ""),
        ("https://127.9.9.9", ""),
        ("https://[::1]:6443", ""),
        ("https://localhost:6443", ""),
    ],
)
def test_the_environments_proxy(host: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inner.example")
    assert environment_proxy(host) == expected


async def test_a_login_that_fails_between_objects_ends_the_apply(stand: Stand) -> None:
    """Not one try for each object: a plugin that hangs would hang so often."""
    kept = await stand.installed("a")
    how = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./is-not-there"}
    kubeconfig(stand.path, stand.url, exec=how)
    stand.api.tokens = {"Bearer another"}
    with pytest.raises(LoginFailed, match="is-not-there"):
        await stand.target.apply(kept, [config_map(f"m{n}") for n in range(50)])
    assert len(stand.api.requests) < 20
