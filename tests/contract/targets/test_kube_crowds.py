"""Push targets side by side: what is not there yet is learnt for all of them from lists of names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from distributor.adapters.kube import KubeSettings, KubeTarget, Limits
from distributor.adapters.kube.presence import Listing
from distributor.adapters.kube.target import KubeCluster
from distributor.errors.cluster import Fenced
from distributor.render.applyset import PARENT_NAMESPACE, parent_name
from tests.contract.targets.fake_api import FakeApi, kubeconfig, serve
from tests.contract.targets.objects import (
    CLUSTER,
    ENVIRONMENT,
    NAMESPACE,
    config_map,
    entry,
    inventory,
    namespace,
)

MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
SECRETS = f"/api/v1/namespaces/{PARENT_NAMESPACE}/secrets"
LIMITS = Limits(throttled=0.3, confirm=0.05, establish=0.1, lately=3600.0)
AGE, NAME = {"name": "Age", "format": ""}, {"name": "Name", "format": "name"}


class Crowd:
    """Many connections to one server in memory, which shows tables where they are asked for."""

    def __init__(self, api: FakeApi, cluster: KubeCluster) -> None:
        self.api, self.cluster = api, cluster
        self.columns = [AGE, NAME]
        self.asked: list[dict[str, str]] = []

    def connection(self) -> KubeTarget:
        return KubeTarget(CLUSTER, self.cluster)

    async def look(self, number: int) -> list[str]:
        wanted = [entry(config_map(f"m{number}"))]
        return [ref.name for ref in await self.connection().read_live(wanted, new=True)]

    def put(self, path: str, **more: Any) -> None:
        metadata = {"namespace": NAMESPACE, "name": path.rpartition("/")[2], "uid": "u"}
        self.api.objects[path] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        self.api.objects[path] |= more

    def count(self, path: str) -> int:
        return [asked for _, asked in self.api.requests].count(path)

    async def tables(self, request: web.Request) -> web.Response | None:
        if "as=Table" not in request.headers.get("Accept", ""):
            return None
        self.asked.append(dict(request.query))
        paths = sorted(p for p in self.api.objects if p.rpartition("/")[0] == request.path)
        start, limit = int(request.query.get("continue", 0)), int(request.query["limit"])
        rows = [
            {"cells": [path.rpartition("/")[2] if c is NAME else "5d" for c in self.columns]}
            for path in paths[start : start + limit]
        ]
        more = str(start + limit) if len(paths) > start + limit else ""
        return web.json_response(
            {
                "kind": "Table",
                "metadata": {"continue": more},
                "columnDefinitions": self.columns,
                "rows": rows,
            }
        )


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Crowd]:
    api = FakeApi()
    async with serve(api) as url:
        path = kubeconfig(tmp_path / "config", url, token=CLUSTER)
        cluster = KubeCluster.of(KubeSettings(kubeconfig=path), LIMITS)
        found = Crowd(api, cluster)
        first = await found.connection().write_inventory(inventory(namespace(), instance="first"))
        await found.connection().apply(first, [namespace()])
        api.fault = found.tables
        api.requests.clear()
        yield found
        await cluster.aclose()


async def test_few_questions_are_worth_a_table_of_names(crowd):
    crowd.put(f"{MAPS}/m40")
    found = [name for number in range(60) for name in await crowd.look(number)]
    assert found == ["m40"]
    assert crowd.asked == [{"limit": "2000", "includeObject": "None"}]
    assert len(crowd.api.requests) - crowd.count("/api") - crowd.count("/apis") < 12


async def test_a_table_that_takes_more_pages_than_it_is_worth_is_given_up_for_a_while(crowd):
    for number in range(2_500):
        crowd.put(f"{MAPS}/o{number}")
    for number in range(8):
        assert await crowd.look(number) == []
    assert [query.get("continue") for query in crowd.asked] == [None], "one page was worth it"
    for number in range(8, 15):
        await crowd.look(number)
    assert len(crowd.asked) == 1


@pytest.mark.parametrize(("there", "least"), [(0, 2), (400, 3), (1_000, 6)])
async def test_a_list_that_is_known_to_be_short_is_worth_it_for_fewer(crowd, there, least):
    for number in range(there):
        crowd.put(f"{MAPS}/o{number}")
    for number in range(8):
        await crowd.look(number)
    assert len(crowd.asked) == 1
    asked = crowd.cluster.lately._lists[MAPS]
    asked.times.clear()
    asked.since = float("-inf")  # it is old by now
    for number in range(least):
        assert len(crowd.asked) == 1
        await crowd.look(number)
    assert len(crowd.asked) == 2


@pytest.mark.parametrize("columns", [[AGE], [NAME, NAME], []])
async def test_where_a_table_does_not_tell_names_each_object_is_asked_for(crowd, columns):
    crowd.columns = columns
    crowd.put(f"{MAPS}/m12")
    found = [name for number in range(15) for name in await crowd.look(number)]
    assert found == ["m12"]
    assert len(crowd.asked) == 1, "and no table is read again for as few"
    assert all(crowd.count(f"{MAPS}/m{number}") == 1 for number in range(15))


@pytest.mark.parametrize(
    ("group", "named"),
    [("", True), ("apps", True), ("networking.k8s.io", True), ("example.dev", False)],
)
def test_names_are_read_only_of_kinds_whose_tables_are_known(group, named):
    assert Listing(path="/apis", group=group, namespace="").named is named


async def test_inventories_that_nobody_made_yet_are_learnt_from_one_table(crowd):
    for number in range(30):
        assert await crowd.connection().read_inventory(ENVIRONMENT, f"i{number}") is None
    single = [path for _, path in crowd.api.requests if path.startswith(f"{SECRETS}/")]
    assert crowd.count(SECRETS) == 1
    assert len(single) == 7


async def test_an_inventory_that_was_made_here_is_read_whatever_a_table_showed(crowd):
    for number in range(8):
        await crowd.connection().read_inventory(ENVIRONMENT, f"i{number}")
    await crowd.connection().write_inventory(inventory(namespace(), instance="i3"))
    found = await crowd.connection().read_inventory(ENVIRONMENT, "i3")
    assert found is not None
    assert found.instance == "i3"
    assert await crowd.connection().read_inventory(ENVIRONMENT, "i4") is None
    assert crowd.count(SECRETS) == 2, "one table, and one inventory that was made"


async def test_an_inventory_that_another_process_made_since_is_never_written_over(crowd):
    for number in range(8):
        await crowd.connection().read_inventory(ENVIRONMENT, f"i{number}")
    path = f"{SECRETS}/{parent_name('i3')}"
    crowd.put(path, data={"another": "one"})
    mine = crowd.connection()
    assert await mine.read_inventory(ENVIRONMENT, "i3") is None
    with pytest.raises(Fenced):
        await mine.write_inventory(replace(inventory(namespace()), instance="i3"))
    assert crowd.api.objects[path]["data"] == {"another": "one"}
