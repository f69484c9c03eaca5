"""Health on a real API server: by the rules of the package, and of the revision that was applied."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from distributor.adapters.cel import CelExpressions
from distributor.model.health import HealthRule, HealthStatus
from distributor.model.refs import GroupKind
from distributor.services.targets.reconciling import reconcile_target
from tests.integration.ownership.conftest import Site, named

pytestmark = pytest.mark.controlplane
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LOOSE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@pytest.fixture
async def group(site: Site):
    name = f"{site.namespace}.example"
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": LOOSE, "status": LOOSE}}}
    version = {
        "name": "v1", "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}
    }  # fmt: skip
    spec = {
        "group": name, "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"},
        "versions": [version],
    }  # fmt: skip
    body = named("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{name}", spec=spec)
    await asyncio.to_thread(site.plane.client.send, "POST", DEFINITIONS, body)
    async with asyncio.timeout(30):
        while "items" not in await site.get(f"{name}/v1 things"):
            await asyncio.sleep(0.1)
    yield name
    await asyncio.to_thread(site.plane.client.send, "DELETE", f"{DEFINITIONS}/things.{name}")


async def test_rules_of_the_package_decide_and_only_on_this_generation(site: Site, group: str):
    site.world = replace(site.world, expressions=CelExpressions())
    rules = (
        HealthRule(status=HealthStatus.FAILED, when="object.status.phase == 'Broken'", message="it broke"),
        HealthRule(status=HealthStatus.CURRENT, when="object.status.phase == 'Done'"),
    )  # fmt: skip

    async def seen(size: int, status: dict[str, Any] | None = None) -> tuple[str, str]:
        if status is not None:
            await site.send(
                "PATCH", f"{group}/v1 things/t/status", {"status": status}, kind="application/merge-patch+json"
            )  # fmt: skip
        work = site.work(named(f"{group}/v1", "Thing", "t", spec={"size": size}))
        book = {GroupKind(group, "Thing"): rules}
        report = await reconcile_target(site.world, replace(work, health=book))
        (health,) = report.health
        assert health.revision == next(iter(work.desired)).digest
        assert health.observed_at == report.observed_at
        return health.status.value, health.message

    site.sequence = 1
    assert (await seen(1))[0] == "InProgress"
    assert await seen(1, {"phase": "Broken", "observedGeneration": 1}) == ("Failed", "it broke")
    assert (await seen(1, {"phase": "Done", "observedGeneration": 1}))[0] == "Current"
    site.sequence = 2
    status, message = await seen(2)
    assert status == "InProgress", "what it says is of the first generation"
    assert "latest observed generation is 1" in message
    assert (await seen(2, {"observedGeneration": 2}))[0] == "Current"
