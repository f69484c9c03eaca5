"""A pass that ends at any request, whether the server did it or not, loses track of no object."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from distributor.adapters.kube import KubeSettings, KubeTarget, Limits
from distributor.adapters.kube.parents import shard_names
from distributor.adapters.kube.target import KubeCluster
from distributor.errors import DistributorError
from distributor.model.manifest import Manifest
from tests.contract.targets.executor import Stopped, bring, names
from tests.contract.targets.fake_api import FakeApi, kubeconfig, serve, status
from tests.contract.targets.objects import CLUSTER, ENVIRONMENT, INSTANCE, config_map, namespace

OLD = (namespace(), config_map("a"), config_map("b"))
NEW = (namespace(), config_map("a", "2"), config_map("c"))
HELD = {"Namespace//dst-contract", "ConfigMap/dst-contract/a", "ConfigMap/dst-contract/c"}


SECRETS, PARENT = "/api/v1/namespaces/distributor-system/secrets", f"dst-{INSTANCE}"


def secrets(api: FakeApi) -> set[str]:
    return {p.rpartition("/")[2] for p in api.objects if p.startswith(SECRETS)}


def held(api: FakeApi) -> set[str]:
    """What the cluster holds of the instance."""
    found = [o for o in api.objects.values() if "part-of" in str(o["metadata"].get("labels"))]
    return {
        f"{o['kind']}/{o['metadata'].get('namespace', '')}/{o['metadata']['name']}" for o in found
    }


@pytest.mark.parametrize("first", [(), OLD], ids=["install", "upgrade"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("shard_bytes", [50, 10_000], ids=["shards", "whole"])
async def test_ended_at_any_request(
    first: tuple[Manifest, ...], shard_bytes: int, tmp_path: Path, *, done: bool
) -> None:
    for steps in range(1, 60):
        api = FakeApi()
        async with serve(api) as url:
            settings = KubeSettings(kubeconfig=kubeconfig(tmp_path / "config", url))
            cluster = KubeCluster.of(settings, Limits())
            target = KubeTarget(CLUSTER, cluster, shard_bytes=shard_bytes)
            if first:
                await bring(target, 1, first)
            left = steps

            async def fault(request: web.Request, api: FakeApi = api) -> web.Response | None:
                nonlocal left
                left -= 1
                if left > 0:
                    return None
                if left == 0 and done:
                    await api._answer(request)
                return status(500, "Killed")

            api.fault = fault
            finished = True
            try:
                await bring(target, 2, NEW)
            except (DistributorError, Stopped):
                finished = False
            api.fault = None
            assert held(api) <= names(await target.read_inventory(ENVIRONMENT, INSTANCE))
            await bring(target, 2, NEW)
            assert held(api) == HELD
            assert names(await target.read_inventory(ENVIRONMENT, INSTANCE)) == HELD
            assert secrets(api) == {PARENT, *shard_names(api.objects[f"{SECRETS}/{PARENT}"])}
            await cluster.transport.aclose()
        if finished:
            assert steps > 8
            return
    pytest.fail("it never finished")
