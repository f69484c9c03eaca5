"""The fleet of the soak: two API servers behind doors, and small apps with versions that differ in everything."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from distributor import log
from distributor.app import open_service
from distributor.cli.playground import PEOPLE, Playground, create_playground
from distributor.model.tags import Verb
from distributor.services.asking.founding import found_ledger
from distributor.services.promotion.requesting import Ask, Asked, make_request
from distributor.services.service import Service
from distributor.settings import load
from tests import realapps
from tests.controlplane import ControlPlane
from tests.integration.mainjob.conftest import edit
from tests.integration.mainjob.smallapps import settings, web, write_app, write_installation
from tests.integration.soak.weather import Door

CLUSTERS = ("sit-central-1", "sit-slim-1")
VERSIONS = ("1.0.0", "1.1.0", "1.2.0")
PARTS = {"1.0.0": range(6), "1.1.0": range(2, 8), "1.2.0": range(0, 10, 2)}
"""Numbers of the settings that each version has: some stay, some come, some go, never many at once."""
WHO = "sre"
RESYNC = 5
"""Seconds between looks at every target."""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """A playground, the doors to its clusters by their names, and its instances."""

    place: Playground
    doors: Mapping[str, Door]
    instances: tuple[str, ...]

    def plane(self, cluster: str) -> ControlPlane:
        return self.doors[cluster].plane

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[Service]:
        """What a person's commands use: it asks and looks, and decides nothing."""
        found = load({}, {}, self.place.root).settings
        async with open_service(found, writing=False) as service:
            yield service

    async def ask(self, service: Service, verb: Verb, instance: str, version: str = "") -> Asked:
        """Push a signed request."""
        snapshot = await service.look()
        ask = Ask(verb=verb, environment="sit", instance=instance, version=version, reason="soak")
        key = self.place.key(WHO)
        return await make_request(service.world, snapshot, ask, tagger=PEOPLE[WHO], signer=key)

    def colour(self, instance: str, colour: str) -> None:
        """Commit another value of an instance to main."""
        write_installation(self.place.catalog, instance, instance, values={"colour": colour})
        self.place.commit(f"Colour {instance} {colour}", datetime.now(UTC))


@asynccontextmanager
async def fleet_of(root: Path, planes: Mapping[str, ControlPlane], *instances: str):
    """Make the catalog, found the ledger, open the doors."""
    log.configure("error", "json")
    doors = {name: Door(plane) for name, plane in planes.items()}
    place = create_playground(root, datetime.now(UTC))
    _write_catalog(place.catalog, instances)
    place.commit("The fleet of the soak", datetime.now(UTC))
    opened: list[Door] = []
    try:
        for door in doors.values():
            await door.open()
            opened.append(door)
        _configure(place, doors)
        async with open_service(load({}, {}, place.root).settings, writing=True) as service:
            await found_ledger(service.world)
        yield Fleet(place=place, doors=doors, instances=instances)
    finally:
        for door in opened:
            await door.aclose()


def _write_catalog(work_tree: Path, instances: tuple[str, ...]) -> None:
    shutil.rmtree(work_tree / "catalog")
    for file in work_tree.glob("environments/*/apps/*.yaml"):
        file.unlink()
    for file in work_tree.glob("environments/sit/clusters/*.yaml"):
        if file.stem not in CLUSTERS:
            file.unlink()
    for cluster in CLUSTERS:
        realapps.push(work_tree, cluster)
    rollout = {"maxFailures": 0, "minReady": "0s", "deadline": "1m"}
    edit(work_tree / "environments/sit/environment.yaml", rollout=rollout, install="explicit")
    for instance in instances:
        for number, version in enumerate(VERSIONS):
            write_app(work_tree, instance, version, *_objects(version, number))
            bind = [{"name": "colour", "type": "string", "default": "green"}]
            path = work_tree / "catalog" / instance / version / "package.yaml"
            edit(path, values={"bind": bind})
        write_installation(work_tree, instance, instance, values={"colour": "red"})


def _objects(version: str, number: int) -> tuple[dict[str, Any], ...]:
    image = f"registry.example/web:{number}"
    parts = [settings(f"part-{n}", version=version, number=str(n)) for n in PARTS[version]]
    colours = settings("colours", colour="${colour}")
    return (*web(image, replicas=1 + number % 2, text=version), colours, *parts)


def _configure(place: Playground, doors: Mapping[str, Door]) -> None:
    text = place.config.read_text("utf-8")
    text = text.replace("poll = 2\n", "poll = 1\n").replace("resync = 30\n", f"resync = {RESYNC}\n")
    for name, door in doors.items():
        text += f'\n[connections.{name}]\nkubeconfig = "{door.kubeconfig}"\n'
    place.config.write_text(text, "utf-8")
