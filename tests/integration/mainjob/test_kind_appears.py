"""A kind that a cluster does not serve: who waits for it is asked again when it comes, not when time is up."""

from __future__ import annotations

import asyncio
import urllib.error
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from distributor.model.tags import Verb
from distributor.services.asking.views import InstanceStage
from distributor.services.service import Service
from tests.integration.mainjob.conftest import Pushed, edit, until, view
from tests.integration.mainjob.smallapps import one_cluster, settings, write_app

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]
CENTRAL = "sit-central-1"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Widgets:
    """A kind of a group of its own, an app that has one object of it, and a fleet that is told of both."""

    def __init__(self, pushed: Pushed, app: str) -> None:
        self.pushed, self.app, self.group = pushed, app, f"{app}.example"
        work_tree = pushed.place.catalog
        metadata = {"name": "one", "annotations": {"distributor.dev/status": "none"}}
        widget = {"apiVersion": f"{self.group}/v1", "kind": "Widget", "metadata": metadata}
        write_app(work_tree, app, "1.0.0", settings("plain", text="hello"), widget)
        kind = {"group": self.group, "version": "v1", "kind": "Widget"}
        edit(work_tree / "catalog" / app / "1.0.0/package.yaml", fits={"requiresApis": [kind]})
        cluster = work_tree / f"environments/sit/clusters/{CENTRAL}.yaml"
        known = yaml.safe_load(cluster.read_text("utf-8"))["spec"].get("apis", [])
        edit(cluster, apis=[*known, kind])

    async def define(self) -> None:
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        spec: dict[str, Any] = {
            "group": self.group, "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True, "storage": True,
                          "schema": {"openAPIV3Schema": schema}}],
        }  # fmt: skip
        body = {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"widgets.{self.group}"}, "spec": spec,
        }  # fmt: skip
        await self.pushed.send(CENTRAL, "POST", DEFINITIONS, body)

    async def forget(self) -> None:
        await self.pushed.send(CENTRAL, "DELETE", f"{DEFINITIONS}/widgets.{self.group}")

    async def there(self) -> bool:
        path = f"/apis/{self.group}/v1/namespaces/{self.app}/widgets"
        try:
            return bool((await self.pushed.get(CENTRAL, path)).get("items"))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 429:  # the storage of the kind is being set up
                raise
            return False

    async def seen(self, service: Service) -> tuple[str, bool]:
        """When the target was looked at last, and whether it lacked the kind."""
        rows = await service.world.store.targets("sit", self.app)
        return ("", False) if not rows else (rows[0].observed_at, "DST411" in rows[0].detail)


@pytest.fixture
def fleet(tmp_path: Path, control_planes) -> Pushed:
    return one_cluster(tmp_path / "play", control_planes, CENTRAL)


@asynccontextmanager
async def serving(pushed: Pushed) -> AsyncIterator[Service]:
    """A service that looks at everything only once an hour."""
    async with pushed.service() as service:
        running = asyncio.create_task(service.run(poll=1, resync=3600))
        try:
            yield service
        finally:
            await service.stop()
            await running


async def test_after_its_rollout(fleet):
    """The definition goes, with all objects of it, and comes back: the object does too, without another resync."""
    widgets = Widgets(fleet, "kind-back")
    await fleet.found()
    await widgets.define()
    async with fleet.service() as service:
        seen = await fleet.promote(service, "sit", widgets.app, "1.0.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
    async with serving(fleet) as service:
        await until("it has begun", lambda: _begun(service))
        await widgets.forget()
        await until("it is told", lambda: _looked(widgets, service))
        await widgets.define()
        await until("it is back", widgets.there)
        await until("it is in step", lambda: _whole(widgets, service))


async def test_in_its_rollout(fleet):
    """It is asked early in vain, and goes on being asked; once the kind is there the rollout ends well."""
    edit(fleet.place.catalog / "environments/sit/environment.yaml", rollout={"deadline": "30m"})
    widgets = Widgets(fleet, "kind-late")
    await fleet.found()
    async with serving(fleet) as service:
        await fleet.ask(service, Verb.PROMOTE, "sit", widgets.app, "1.0.0")
        service.hint()
        times: set[str] = set()

        async def asked_often() -> bool:
            when, lacks = await widgets.seen(service)
            times.update({when} if lacks else ())
            return len(times) > 4

        await until("it is asked again and again", asked_often)
        path = f"/api/v1/namespaces/{widgets.app}/configmaps/plain"
        assert (await fleet.get(CENTRAL, path))["data"] == {"text": "hello"}, "independents go on"
        await widgets.define()
        await until("it is there", widgets.there)
        await until("the rollout ends", lambda: _verified(widgets, service))


async def _begun(service: Service) -> bool:
    return service.snapshot is not None


async def _looked(widgets: Widgets, service: Service) -> bool:
    await service.rollouts.resync()
    return await _lacks(widgets, service)


async def _lacks(widgets: Widgets, service: Service) -> bool:
    return (await widgets.seen(service))[1]


async def _whole(widgets: Widgets, service: Service) -> bool:
    return not await _lacks(widgets, service)


async def _verified(widgets: Widgets, service: Service) -> bool:
    return (await view(service, "sit", widgets.app)).stage is InstanceStage.VERIFIED
