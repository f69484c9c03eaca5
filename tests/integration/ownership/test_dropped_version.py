"""A version that a cluster serves no more hides no object: it is seen, and pruned, in one that is served."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from distributor.model.changes import Actuation
from tests.integration.ownership.conftest import APPLY, Site, named

pytestmark = pytest.mark.controlplane
LONG = 60.0
GROUP = "dropped.example.com"
NAME = f"widgets.{GROUP}"
DEFINITION = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{NAME}?fieldManager=admin"
SETTINGS = named("v1", "ConfigMap", "c", data={"a": "1"})


def widget(version: str) -> dict[str, Any]:
    return named(f"{GROUP}/{version}", "Widget", "w", spec={"a": "1"})


async def serve(site: Site, *versions: str) -> None:
    """Define the kind in these versions, stored as v1; wait until exactly they are served."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    served = [
        {"name": name, "served": True, "storage": name == "v1", "schema": schema}
        for name in versions
    ]
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}
    spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": served}
    body = {**named("apiextensions.k8s.io/v1", "CustomResourceDefinition", NAME), "spec": spec}
    await asyncio.to_thread(site.plane.client.send, "PATCH", DEFINITION, body, kind=APPLY)
    async with asyncio.timeout(LONG):
        for version in ("v1alpha1", "v1"):
            while bool(await site.get(f"{GROUP}/{version} widgets")) is not (version in versions):
                await asyncio.sleep(0.1)
        while await told(site) != set(versions):
            await asyncio.sleep(0.1)


async def told(site: Site) -> set[str]:
    """The versions that discovery gives, which lags behind what is served."""
    groups = (await asyncio.to_thread(site.plane.client.get, "/apis"))["groups"]
    return {v["version"] for g in groups if g["name"] == GROUP for v in g["versions"]}


async def settled(site: Site, *objects: dict[str, Any]) -> tuple[Actuation, list[str]]:
    """How the revision stands once the API server says the same everywhere."""
    async with asyncio.timeout(LONG):
        report = await site.sync(*objects)
        while any(finding.code == "DST411" for finding in report.findings):
            await asyncio.sleep(0.2)
            report = await site.resync(*objects)
    return report.actuation, sorted(finding.code for finding in report.findings)


async def test_what_is_no_longer_wanted_is_really_gone(site: Site):
    await serve(site, "v1alpha1", "v1")
    assert await settled(site, widget("v1alpha1"), SETTINGS) == (Actuation.APPLIED, [])
    await serve(site, "v1")
    assert await settled(site, SETTINGS) == (Actuation.APPLIED, [])
    assert await site.get(f"{GROUP}/v1 widgets/w") == {}


async def test_the_next_version_takes_the_same_object_on(site: Site):
    await serve(site, "v1alpha1", "v1")
    await settled(site, widget("v1alpha1"), SETTINGS)
    uid = (await site.get(f"{GROUP}/v1 widgets/w"))["metadata"]["uid"]
    await serve(site, "v1")
    plan = await site.plan(widget("v1alpha1"), SETTINGS)
    assert not [c for c in plan.changes if "deleted" in c.reason], "it is there, in another version"
    assert await settled(site, widget("v1"), SETTINGS) == (Actuation.APPLIED, [])
    assert (await site.get(f"{GROUP}/v1 widgets/w"))["metadata"]["uid"] == uid
