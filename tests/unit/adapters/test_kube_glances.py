"""Glances: all of an instance or nothing of it, for few requests; whatever is odd is left to be read alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson
import pytest

from distributor.adapters.kube import glancing, parents
from distributor.adapters.kube.bodies import APPLIED
from distributor.adapters.kube.discovery import Discovery, Resource, Served
from distributor.adapters.kube.glancing import Glancer
from distributor.adapters.kube.messages import Answer, Request
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.transport import Transport
from distributor.errors.cluster import ServerFault
from distributor.model.changes import Inventory, InventoryEntry
from distributor.model.refs import Digest, GroupKind, ObjectRef
from distributor.render.applyset import PART_OF, applyset_id

SECRETS = "/api/v1/namespaces/distributor-system/secrets"
MAPS, SERVICES = "/api/v1/configmaps", "/api/v1/services"
VERSION = "7"
DIGEST = Digest("sha256:" + "1" * 64)
PLURALS = {"ConfigMap": "configmaps", "Service": "services"}
SERVED = Served(
    kinds={
        GroupKind("", kind): (
            Resource(group="", version="v1", plural=plural, namespaced=True, listable=True),
        )
        for kind, plural in PLURALS.items()
    }
)


class Server:
    """Lists what it holds by the labels asked for, some a page; refuses paths as told."""

    def __init__(self) -> None:
        self.held: dict[str, list[dict[str, Any]]] = {SECRETS: [], MAPS: [], SERVICES: []}
        self.refused: dict[str, int] = {}
        self.asked: list[Request] = []

    async def served(self) -> Served:
        return SERVED

    async def send(self, request: Request) -> Answer:
        self.asked.append(request)
        if request.path in self.refused:
            status = self.refused[request.path]
            body = {"kind": "Status", "message": f'User "x" cannot list ({status})'}
            return Answer(status=status, body=orjson.dumps(body))
        label, _, values = request.query["labelSelector"].partition(" in ")
        wanted = values.strip("()").split(",")
        held = [o for o in self.held[request.path] if o["metadata"]["labels"].get(label) in wanted]
        start, limit = int(request.query.get("continue", "0")), int(request.query["limit"])
        end = start + limit
        following = {"continue": str(end)} if end < len(held) else {}
        page = {"items": held[start:end], "metadata": following}
        return Answer(status=200, body=orjson.dumps(page))

    def install(self, instance: str, *, cluster: str = "one", **parts: Any) -> Inventory:
        refs = [ObjectRef("", kind, "shop", instance) for kind in PLURALS]
        entries = {ref: InventoryEntry(ref=ref, api_version="v1", digest=DIGEST) for ref in refs}
        inventory = Inventory(
            environment="sit", instance=instance, cluster=cluster, sequence=3, entries=entries
        )
        parent, _ = parents.encode(inventory, **parts)
        parent["metadata"]["resourceVersion"] = VERSION
        self.held[SECRETS].append(parent)
        for ref in refs:
            self.held[f"/api/v1/{PLURALS[ref.kind]}"].append(_object(ref, applyset_id(instance)))
        return inventory

    def paths(self) -> list[str]:
        return [request.path for request in self.asked]


def _object(ref: ObjectRef, owner: str) -> dict[str, Any]:
    metadata: Mapping[str, Any] = {
        "name": ref.name,
        "namespace": ref.namespace,
        "uid": f"uid of {ref}",
        "labels": {PART_OF: owner},
        "annotations": {APPLIED: DIGEST},
    }
    return {"metadata": dict(metadata)}


@pytest.fixture
def server() -> Server:
    return Server()


def glancer(server: Server, **limits: int) -> Glancer:
    return Glancer(cast("Transport", server), cast("Discovery", server), Limits(**limits))


async def test_one_list_of_inventories_and_one_a_kind_show_many_instances_whole(server):
    names = [f"app-{number}" for number in range(20)]
    made = {name: server.install(name) for name in names}
    found = await glancer(server).glance("one", names)
    assert found.keys() == set(names)
    for name, glance in found.items():
        assert glance.inventory.entries == made[name].entries
        assert glance.inventory.token == VERSION
        assert glance.live.keys() == made[name].entries.keys()
        for ref, live in glance.live.items():
            assert (live.owner, live.applied) == (applyset_id(name), DIGEST)
            assert live.data["kind"] == ref.kind
            assert live.data["apiVersion"] == "v1"
    assert sorted(server.paths()) == sorted([SECRETS, MAPS, SERVICES])


async def test_pages_are_followed_and_more_instances_than_an_address_holds_are_asked_in_turns(
    server,
):
    names = [f"app-{number:03}" for number in range(glancing.AT_ONCE + 5)]
    for name in names:
        server.install(name)
    found = await glancer(server, page=10).glance("one", names)
    assert found.keys() == set(names)
    assert server.paths().count(SECRETS) == 7 + 1  # pages of 64, and one of 5
    assert max(len(r.query["labelSelector"]) for r in server.asked) < 4096


async def test_an_instance_is_left_out_unless_everything_of_it_is_seen(server):
    for name in ("whole", "lacks", "taken"):
        server.install(name)
    server.held[MAPS] = [o for o in server.held[MAPS] if o["metadata"]["name"] != "lacks"]
    for item in server.held[SERVICES]:
        if item["metadata"]["name"] == "taken":
            item["metadata"]["labels"][PART_OF] = applyset_id("whole")
    found = await glancer(server).glance("one", ["whole", "lacks", "taken", "never-there"])
    assert found.keys() == {"whole"}


async def test_inventories_that_are_odd_are_left_to_be_read_alone(server):
    server.install("fine")
    server.install("sharded", shard_bytes=16)
    server.install("elsewhere", cluster="two")
    server.install("broken")
    server.held[SECRETS][-1]["data"]["entries.json.zz"] = "AAAA"
    names = ["fine", "sharded", "elsewhere", "broken"]
    assert (await glancer(server).glance("one", names)).keys() == {"fine"}


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("path", [SECRETS, MAPS])
async def test_where_lists_are_refused_nothing_is_seen_and_nothing_is_wrong(server, path, status):
    server.install("app")
    server.refused[path] = status
    assert await glancer(server).glance("one", ["app"]) == {}


async def test_a_server_in_trouble_is_told(server):
    server.install("app")
    server.refused[MAPS] = 500
    with pytest.raises(ServerFault):
        await glancer(server).glance("one", ["app"])


async def test_so_many_objects_are_kept_at_once_and_what_has_more_is_left_out(server, monkeypatch):
    monkeypatch.setattr(glancing, "_MOST", 4)
    for name in ("a", "b", "c"):
        server.install(name)
    assert (await glancer(server).glance("one", ["a", "b", "c"])).keys() == {"a", "b", "c"}
    assert server.paths().count(MAPS) == 2  # of two instances, and of one
    monkeypatch.setattr(glancing, "_MOST", 1)
    assert await glancer(server).glance("one", ["a", "b", "c"]) == {}
