"""A small real world: the sample on directory targets, with accepted, refused and running requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import httpx
import pygit2
import pytest
from fastapi import FastAPI

from distributor.adapters.clock import SystemClock
from distributor.api.application import create_app
from distributor.app import open_service
from distributor.cli.playground import PEOPLE, Playground, create_playground
from distributor.model.tags import Verb
from distributor.services.asking.founding import found_ledger
from distributor.services.promotion.requesting import Ask, make_request
from distributor.services.service import Service
from distributor.settings import Settings, load

BASE = "http://127.0.0.1:8080"


def client_of(app: FastAPI, *, peer: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, client=(peer, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=BASE)


@cache
def _one_app() -> FastAPI:
    return create_app(None, Settings())


def app_over(service: Service, settings: Settings) -> FastAPI:
    """The one application of all tests, over this service: making one takes longer than most tests."""
    app = _one_app()
    app.state.service, app.state.settings = service, settings
    app.state.closing = asyncio.Event()
    return app


async def ask(service: Service, environment: str, instance: str, version: str) -> str:
    """Push an unsigned promotion tag; its name."""
    snapshot = await service.look()
    asked = Ask(
        verb=Verb.PROMOTE, environment=environment, instance=instance, version=version, reason="try"
    )
    who = PEOPLE["release-manager"]
    return (await make_request(service.world, snapshot, asked, tagger=who, signer=None)).ref


async def _play(settings: Settings) -> None:
    async with open_service(settings, writing=True) as service:
        await found_ledger(service.world)
        await ask(service, "sit", "quota-profiles", "1.0.0")
        await ask(service, "sit", "iis-site", "1.0.0")
        await ask(service, "uat", "quota-profiles", "1.0.0")  # refused: uat wants a signature
        await service.sync()


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Playground:
    """A playground in which two packages run in sit, and one was refused in uat."""
    found = create_playground(tmp_path_factory.mktemp("api") / "place", SystemClock().now())
    asyncio.run(_play(load({}, {}, found.root).settings))
    return found


@pytest.fixture
def settings(place: Playground) -> Settings:
    return load({"port": 0, "poll": 3600, "resync": 3600}, {}, place.root).settings


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """A service that has looked and changes nothing."""
    async with open_service(settings, writing=False) as found:
        await found.look()
        yield found


@pytest.fixture
async def api(service: Service, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app_over(service, settings)) as client:
        yield client


@asynccontextmanager
async def blank(folder: Path, **flags: str) -> AsyncIterator[tuple[Service, FastAPI]]:
    """A service over an empty repository that has not looked yet, and its application."""
    pygit2.init_repository(str(folder / "remote.git"), bare=True)
    given = {"repository": str(folder / "remote.git"), "state_dir": str(folder / "state"), **flags}
    settings = load(given, {}, folder).settings
    async with open_service(settings, writing=False) as service:
        yield service, app_over(service, settings)
