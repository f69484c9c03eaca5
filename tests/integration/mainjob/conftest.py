"""Playgrounds whose clusters are real API servers, and the few moves that tests make in them."""

from __future__ import annotations

import asyncio
import urllib.error
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from distributor.app import open_service
from distributor.cli.playground import PEOPLE, Playground, create_playground
from distributor.model.tags import Verb
from distributor.services.asking.founding import found_ledger
from distributor.services.asking.views import InstanceView, instance_views
from distributor.services.promotion.requesting import Ask, Asked, make_request
from distributor.services.service import Service
from distributor.settings import load
from tests.controlplane import ControlPlane

LONG = 120.0
"""Seconds that anything asked for here may take on a busy machine."""


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """A playground some of whose clusters are control planes, by the cluster's name."""

    place: Playground
    planes: Mapping[str, ControlPlane]

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Service]:
        connections = {n: {"kubeconfig": str(p.kubeconfig)} for n, p in self.planes.items()}
        settings = replace(load({}, {}, self.place.root).settings, connections=connections)
        async with open_service(settings, writing=True) as service:
            yield service

    async def found(self) -> None:
        """Commit the work tree as the accepted beginning; folders of clusters that are folders are made."""
        for folder in self.place.cluster_folders():
            folder.mkdir(parents=True, exist_ok=True)
        self.place.commit("The fleet of this test", datetime.now(UTC))
        async with self.service() as service:
            await found_ledger(service.world)

    async def ask(
        self, service: Service, verb: Verb, environment: str, instance: str, version: str = ""
    ) -> Asked:
        """Push a request's tag; unsigned in sit, signed elsewhere."""
        snapshot = await service.look()
        ask = Ask(verb=verb, environment=environment, instance=instance, version=version)
        key = self.place.key("release-manager") if environment != "sit" else None
        tagger = PEOPLE["release-manager"]
        return await make_request(service.world, snapshot, ask, tagger=tagger, signer=key)

    async def promote(
        self, service: Service, environment: str, instance: str, version: str
    ) -> InstanceView:
        """Promote and carry out, as far as it goes by itself; how the instance stands then."""
        await self.ask(service, Verb.PROMOTE, environment, instance, version)
        await asyncio.wait_for(service.sync(), LONG)
        return await view(service, environment, instance)

    async def get(self, cluster: str, path: str) -> dict[str, Any]:
        """Read from a cluster; an empty answer where there is no such thing."""
        try:
            return await asyncio.to_thread(self.planes[cluster].client.get, path)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 404:
                raise
            return {}

    async def send(self, cluster: str, method: str, path: str, body: object = None, **how: str):
        """Change something in a cluster by hand."""
        return await asyncio.to_thread(self.planes[cluster].client.send, method, path, body, **how)


async def view(service: Service, environment: str, instance: str) -> InstanceView:
    """How an instance stands."""
    await service.look()
    return (await instance_views(service, environment, instance))[0]


async def until(what: str, holds, seconds: float = LONG) -> Any:
    """Ask an async question until its answer is true; the answer."""
    async with asyncio.timeout(seconds):
        while not (answer := await holds()):
            await asyncio.sleep(0.1)
    assert answer, what
    return answer


def new_pushed(root: Path, planes: Mapping[str, ControlPlane]) -> Pushed:
    """A playground whose clusters of these names are pushed to; nothing is founded yet."""
    place = create_playground(root, datetime.now(UTC))
    return Pushed(place=place, planes=dict(planes))


def edit(path: Path, **changes: Any) -> None:
    """Change fields of a descriptor's spec; a mapping is merged into what is there."""
    document = yaml.safe_load(path.read_text("utf-8"))
    for name, value in changes.items():
        before = document["spec"].get(name)
        merged = {**before, **value} if isinstance(before, dict) else value
        document["spec"][name] = merged
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
