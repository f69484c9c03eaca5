"""Many instances on one API server: a bounded number of requests at once, and a turn for each instance."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from distributor.adapters.kube import KubeConnections
from distributor.errors.service import BadSetting
from tests.contract.targets.fake_api import FakeApi, kubeconfig, serve
from tests.contract.targets.objects import config_map, inventory, namespace
from tests.contract.targets.test_kube_faults import PUSHED

LARGE = 10_000
Opened = tuple[FakeApi, KubeConnections]


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., object]:
    @asynccontextmanager
    async def make(**entry: object) -> AsyncIterator[Opened]:
        api = FakeApi()
        async with serve(api) as url:
            path = kubeconfig(tmp_path / "config", url)
            connections = KubeConnections({"c1": {"kubeconfig": str(path), **entry}})
            try:
                yield api, connections
            finally:
                await connections.aclose()

    return make


@pytest.mark.parametrize("count", [1, 3, 20])
async def test_so_many_requests_at_once_as_the_connection_says(count: int, opened) -> None:
    async def slow(_request: web.Request) -> None:
        await asyncio.sleep(0.01)

    async with opened(concurrency=str(count)) as (api, connections):
        target = await connections.open(PUSHED)
        api.fault = slow
        maps = [config_map(f"m{n}") for n in range(60)]
        await target.apply(inventory(namespace(), *maps), maps)
        assert api.most_running == count


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "501", "9" * 5000, "", "²"])
def test_a_concurrency_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match=r"connections\.c1\.concurrency"):
        KubeConnections({"c1": {"kubeconfig": "x", "concurrency": text}})


async def test_an_instance_of_ten_thousand_objects_does_not_hold_up_a_small_one(opened) -> None:
    async with opened(concurrency="4") as (api, connections):
        large, small = [await connections.open(PUSHED) for _ in range(2)]
        await small.apply(inventory(namespace()), [namespace()])
        maps = [config_map(f"large-{n}") for n in range(LARGE)]
        begun = asyncio.create_task(large.apply(inventory(namespace(), *maps), maps))
        while len(api.requests) < 100:
            await asyncio.sleep(0.01)
        before = len(api.requests)
        few = [config_map(f"small-{n}") for n in range(5)]
        outcomes = await small.apply(inventory(namespace(), *few), few)
        between = len(api.requests) - before
        assert [o.error for o in outcomes] == [None] * 5
        assert not begun.done()
        # Five of its own, and for each the turns of the other, some of them sent before.
        assert between < 60, f"{between} requests until the small one was done"
        begun.cancel()
        await asyncio.gather(begun, return_exceptions=True)
