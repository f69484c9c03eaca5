"""SOPS secrets in a real API server: the values arrive, nothing is written twice, and what is deleted comes back."""

from __future__ import annotations

import base64

import pytest

from distributor.services.asking.views import InstanceStage
from tests.acceptance.test_secrets import FILES, VALUES, needles, write_vault
from tests.integration.mainjob.conftest import Pushed
from tests.integration.mainjob.test_edges import CENTRAL, fleet

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]

SECRETS = "/api/v1/namespaces/vault/secrets"
INVENTORIES = "/api/v1/namespaces/distributor-system/secrets"

__all__ = ["fleet"]


def hold_key(pushed: Pushed) -> None:
    key = pushed.place.root / "keys" / "age.txt"
    key.write_bytes((FILES / "test-only-key.txt").read_bytes())
    key.chmod(0o600)


async def held(pushed: Pushed) -> dict[str, dict]:
    found = await pushed.get(CENTRAL, SECRETS)
    return {item["metadata"]["name"].split("-")[0]: item for item in found["items"]}


def values(items: dict[str, dict]) -> dict[tuple[str, str], bytes]:
    return {
        (name, key): base64.b64decode(value)
        for name, item in items.items()
        for key, value in item["data"].items()
    }


def versions(items: dict[str, dict]) -> dict[str, str]:
    return {name: item["metadata"]["resourceVersion"] for name, item in items.items()}


async def test_values_arrive_and_stay(fleet):
    pushed = fleet()
    write_vault(pushed.place.catalog, "1.0.0", tiers=("central",))
    hold_key(pushed)
    await pushed.found()
    async with pushed.service() as service:
        seen = await pushed.promote(service, "sit", "vault", "1.0.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        first = await held(pushed)
        assert values(first) == VALUES
        await service.sync()
        assert versions(await held(pushed)) == versions(first)
    async with pushed.service() as service:
        await service.sync()
        assert versions(await held(pushed)) == versions(first), "a restart writes nothing"

        name = first["db"]["metadata"]["name"]
        await pushed.send(CENTRAL, "DELETE", f"{SECRETS}/{name}")
        await service.sync()
        healed = await held(pushed)
        assert values(healed) == VALUES
        assert versions(healed)["api"] == versions(first)["api"]

    inventories = await pushed.get(CENTRAL, INVENTORIES)
    said = "".join(
        base64.b64decode(value).decode("latin-1")
        for item in inventories["items"]
        for value in (item.get("data") or {}).values()
    )
    assert "vault" in said
    assert not any(needle.decode() in said for needle in needles())
