"""A custom resource whose package goes to a newer apiVersion, whoever wrote on it in the old one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from distributor.model.changes import Actuation
from tests.integration.ownership.conftest import APPLY, Site, managers, named

pytestmark = pytest.mark.controlplane
STRING = {"type": "string"}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def version(name: str, *, storage: bool = False, **properties: Any) -> dict[str, Any]:
    spec = {"type": "object", "properties": properties}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return {"name": name, "served": True, "storage": storage, "schema": schema}


def definition(group: str, *versions: dict[str, Any]) -> dict[str, Any]:
    names = {"kind": "Gadget", "plural": "gadgets"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": list(versions)}
    return named(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"gadgets.{group}", spec=spec
    )


@pytest.fixture
async def group(site: Site):
    name = f"{site.namespace}.example"
    body = definition(name, version("v1beta1", storage=True, a=STRING, old=STRING))
    await asyncio.to_thread(site.plane.client.send, "POST", DEFINITIONS, body)
    yield name
    await asyncio.to_thread(site.plane.client.send, "DELETE", f"{DEFINITIONS}/gadgets.{name}")


async def served(site: Site, path: str) -> None:
    async with asyncio.timeout(30):
        while "items" not in await site.get(path):
            await asyncio.sleep(0.1)


async def test_it_is_applied_in_the_new_version(site: Site, group: str):
    def gadget(api: str, **spec: str) -> dict[str, Any]:
        return named(f"{group}/{api}", "Gadget", "g", spec=spec)

    await served(site, f"{group}/v1beta1 gadgets")
    report = await site.sync(gadget("v1beta1", a="1", old="2"))
    assert report.actuation is Actuation.APPLIED, report.findings
    path = f"{group}/v1beta1 gadgets/g"
    await site.send("PATCH", f"{path}?fieldManager=op", gadget("v1beta1", old="2"), kind=APPLY)
    body = definition(
        group,
        version("v1beta1", a=STRING, old=STRING),
        version("v1", storage=True, a=STRING, new=STRING),
    )
    at = f"{DEFINITIONS}/gadgets.{group}"
    await asyncio.to_thread(
        site.plane.client.send, "PATCH", at, body, kind="application/merge-patch+json"
    )
    await served(site, f"{group}/v1 gadgets")

    report = await site.sync(gadget("v1", a="1", new="3"))
    assert report.actuation is Actuation.APPLIED, report.findings
    live = await site.get(f"{group}/v1 gadgets/g")
    assert live["spec"] == {"a": "1", "new": "3"}
    assert managers(live)["op"] == "Apply", "the other's claim is still there"
    assert {m["apiVersion"] for m in live["metadata"]["managedFields"]} == {f"{group}/v1"}


async def test_a_built_in_kind_needs_no_help(site: Site):
    def scaler(api: str, **spec: Any) -> dict[str, Any]:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        spec = {"scaleTargetRef": target, "maxReplicas": 3, **spec}
        return named(f"autoscaling/{api}", "HorizontalPodAutoscaler", "h", spec=spec)

    target = {"type": "Utilization", "averageUtilization": 60}
    metrics = [{"type": "Resource", "resource": {"name": "memory", "target": target}}]
    await site.sync(scaler("v1", targetCPUUtilizationPercentage=50))
    report = await site.sync(scaler("v2", metrics=metrics))
    assert report.actuation is Actuation.APPLIED, report.findings
    live = await site.get("autoscaling/v2 horizontalpodautoscalers/h")
    assert live["spec"]["metrics"] == metrics
