"""Without its inventory an instance is not called removed while anything of it is there."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.error
from typing import Any

import pytest

from distributor.model.changes import Actuation
from distributor.model.tags import Verb
from tests.integration.membership.conftest import INVENTORIES, LONG, Instance, codes, settings
from tests.integration.ownership.conftest import APPLY, deployment, named

pytestmark = pytest.mark.controlplane
GROUP = "lost.example.com"
NAME = f"widgets.{GROUP}"
DEFINITION = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{NAME}"


async def test_a_removal_names_what_is_still_there(instance: Instance):
    await instance.sync(settings("a"), deployment())
    await instance.root("DELETE", f"{INVENTORIES}/dst-{instance.namespace}")
    report = await instance.remove()
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST412"])
    told = report.findings[0].message
    assert f"ConfigMap/{instance.namespace}/a" in told
    assert f"apps/Deployment/{instance.namespace}/web" in told
    assert "2 of its objects" in told, "what controllers made of them is not counted"

    await instance.send("DELETE", "v1 configmaps/a", None)
    await instance.send("DELETE", "apps/v1 deployments/web", None)
    report = await instance.remove()
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])


async def test_the_next_pass_makes_it_anew(instance: Instance):
    await instance.sync(settings("a"), settings("b"), deployment())
    await instance.root("DELETE", f"{INVENTORIES}/dst-{instance.namespace}")
    report = await instance.sync(settings("a"), deployment())
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
    assert f"ConfigMap/{instance.namespace}/b" in str(report.findings[0].where)
    kept = await instance.inventory()
    assert {ref.name for ref in kept.entries} == {"a", "b", "web"}
    report = await instance.sync(settings("a"), deployment(), agreed=[Verb.CONSENT])
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert await instance.get("v1 configmaps/b") == {}


def widgets(storage: str, **more: object) -> dict[str, Any]:
    """A kind in two versions; with a conversion that nobody answers where ``more`` says so."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [
        {"name": name, "served": True, "storage": name == storage, "schema": schema}
        for name in ("v1alpha1", "v1")
    ]
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}
    spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": versions, **more}
    return {**named("apiextensions.k8s.io/v1", "CustomResourceDefinition", NAME), "spec": spec}


async def unlistable(instance: Instance) -> None:
    """One stored object that has to be converted, and a webhook for it that is down."""
    await instance.root(
        "PATCH", f"{DEFINITION}?fieldManager=admin", widgets("v1alpha1"), kind=APPLY
    )
    widget = named(f"{GROUP}/v1alpha1", "Widget", "one")
    async with asyncio.timeout(LONG):
        while not await instance.get(f"{GROUP}/v1alpha1 widgets/one"):
            with contextlib.suppress(urllib.error.HTTPError):
                await instance.send("POST", f"{GROUP}/v1alpha1 widgets", widget)
            await asyncio.sleep(0.2)
        service = {"name": "nobody", "namespace": "default", "port": 443}
        webhook = {"conversionReviewVersions": ["v1"], "clientConfig": {"service": service}}
        broken = widgets("v1", conversion={"strategy": "Webhook", "webhook": webhook})
        await instance.root("PATCH", f"{DEFINITION}?fieldManager=admin", broken, kind=APPLY)
        with contextlib.suppress(urllib.error.HTTPError):
            while True:
                await instance.root("GET", f"/apis/{GROUP}/v1/widgets")
                await asyncio.sleep(0.2)


async def test_a_kind_that_cannot_be_listed_hides_nothing_for_ever(instance: Instance):
    await instance.sync(settings("a"), settings("b"))
    await unlistable(instance)
    await instance.root("DELETE", f"{INVENTORIES}/dst-{instance.namespace}")
    report = await instance.sync(settings("a", next="1"))
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409", "DST426"])
    assert f"{GROUP}/Widget" in next(f.message for f in report.findings if f.code == "DST426")
    assert (await instance.get("v1 configmaps/a"))["data"] == {"next": "1"}
    kept = await instance.inventory()
    assert kept.recovering

    mended = widgets("v1", conversion={"strategy": "None"})
    await instance.root("PATCH", f"{DEFINITION}?fieldManager=admin", mended, kind=APPLY)
    async with asyncio.timeout(LONG):
        while kept.recovering:
            report = await instance.resync(settings("a", next="1"))
            kept = await instance.inventory()
    assert codes(await instance.resync(settings("a", next="1"))) == ["DST409"]
    assert {ref.name for ref in kept.entries} == {"a", "b"}
