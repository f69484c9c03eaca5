"""An inventory of 50,000 objects: an object of Kubernetes holds 1 MiB, so it is spread over several."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import pytest

from distributor.model.changes import Inventory, InventoryEntry
from distributor.model.refs import Digest, ObjectRef
from tests.integration.membership.conftest import INVENTORIES, Instance
from tests.integration.ownership.conftest import CLUSTER

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(120)]
MANY = 50_000


def entries(count: int, turn: str) -> dict[ObjectRef, InventoryEntry]:
    found = {}
    for number in range(count):
        ref = ObjectRef("", "ConfigMap", f"namespace-{number % 97}", f"settings-{number}")
        mark = hashlib.sha256(f"{turn}{number}".encode()).hexdigest()
        uid = f"{mark[:8]}-{mark[8:12]}-{mark[12:16]}-{mark[16:20]}-{mark[20:32]}"
        found[ref] = InventoryEntry(
            ref=ref, api_version="v1", digest=Digest(f"sha256:{mark}"), uid=uid
        )
    return found


async def shards(instance: Instance) -> list[dict]:
    label = f"distributor.dev/inventory-of={instance.namespace}"
    found = await instance.root("GET", f"{INVENTORIES}?labelSelector={label}")
    return found["items"]


async def test_every_reference_is_kept_exactly(instance: Instance):
    connection = await instance.world.connections.open(CLUSTER)
    first = Inventory(
        environment="sit", instance=instance.namespace, cluster="c1", sequence=1,
        ledger_commit="a" * 40, revision="one", entries=entries(MANY, "one"),
    )  # fmt: skip
    written = await connection.write_inventory(first)
    assert await instance.inventory() == written
    before = await shards(instance)
    assert len(before) >= 4
    sizes = [sum(map(len, shard["data"].values())) for shard in (*before, await instance.parent())]
    assert max(sizes) < 1_000_000

    second = replace(written, sequence=2, entries=entries(MANY - 1, "two"))
    kept = await connection.write_inventory(second)
    found, again = await asyncio.gather(instance.inventory(), shards(instance))
    assert found == kept
    names = {shard["metadata"]["name"] for shard in again}
    assert not names & {shard["metadata"]["name"] for shard in before}, "nothing dead is left"
    small = await connection.write_inventory(replace(kept, sequence=3, entries=entries(3, "three")))
    assert await instance.inventory() == small
    assert await shards(instance) == []
