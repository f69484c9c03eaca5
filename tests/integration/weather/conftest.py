"""An API server seen through bad weather: a loopback proxy that refuses, cuts, hangs and slows down."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from distributor.adapters.kube import KubeConnections, Limits
from distributor.model.changes import TargetReport
from distributor.services.world import World
from distributor.testing.clock import FakeClock
from tests.contract.targets.fake_api import kubeconfig
from tests.controlplane import ControlPlane
from tests.integration.membership.conftest import Instance
from tests.integration.ownership.conftest import AnyLedger

LONG = 120.0
"""Seconds that anything asked for here may take on a busy machine."""
Before = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
After = Callable[[web.Request, int], Awaitable[None]]
_HOP = {"connection", "transfer-encoding", "content-encoding", "content-length", "host"}


@dataclass(frozen=True, kw_only=True)
class Passed:
    """One request that came to the proxy: when, what it asked, and what was answered (0: nothing)."""

    at: float
    method: str
    path: str
    code: int
    forwarded: bool


@dataclass
class Weather:
    """What stands between the service and one API server. Fair until ``before`` or ``after`` is set."""

    url: str
    session: aiohttp.ClientSession
    before: Before | None = None
    after: After | None = None
    token: str = ""
    """Put in the place of whatever credentials come: the proxy then says itself who may pass."""
    user: str = ""
    """Whom the server takes everybody for, with no more than that user's rights."""
    passed: list[Passed] = field(default_factory=list)
    proxy: str = ""
    under_way: dict[int, web.Request] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer in the server's stead, or hand on, and say afterwards what came of it."""
        at = asyncio.get_running_loop().time()
        code, forwarded = 0, False
        self.under_way[id(request)] = request
        try:
            refused = await self.before(request) if self.before else None
            if refused is not None:
                code = refused.status
                return refused
            forwarded = True
            answer = await self._handed_on(request)
            code = answer.status
        except aiohttp.ClientError:  # nobody is there, or hung up: so do we
            cut(request)
            return web.Response(status=502)
        else:
            return answer
        finally:
            one = Passed(
                at=at, method=request.method, path=request.path_qs, code=code, forwarded=forwarded
            )
            self.passed.append(one)
            del self.under_way[id(request)]

    async def _handed_on(self, request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.user:
            headers["Impersonate-User"] = self.user
        body = await request.read() or None
        url = self.url + request.raw_path
        asked = self.session.request(request.method, url, data=body, headers=headers)
        async with asked as found:
            answer = web.StreamResponse(status=found.status)
            answer.headers.update({k: v for k, v in found.headers.items() if k.lower() not in _HOP})
            if self.after:
                await self.after(request, found.status)
            await answer.prepare(request)
            async for piece in found.content.iter_any():
                await answer.write(piece)
            await answer.write_eof()
            return answer

    def hang_up(self) -> None:
        """Break all answers off that are under way, watches first of all."""
        for request in tuple(self.under_way.values()):
            cut(request)

    def count(self, method: str, code: int = 0) -> int:
        """Requests of a method, all or those with this answer."""
        return sum(p.method == method and code in {0, p.code} for p in self.passed)


@asynccontextmanager
async def weather(plane: ControlPlane) -> AsyncIterator[Weather]:
    """A proxy before a control plane; ``proxy`` is its URL."""
    context = ssl.create_default_context(cafile=str(plane.ca))
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        sky = Weather(url=plane.url, session=session)
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", sky.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            sky.proxy = f"http://{host}:{port}"
            yield sky
        finally:
            await runner.cleanup()


def throttled(seconds: int | None = 1) -> web.Response:
    """A refusal as priority and fairness gives it: no ``Status``, only words."""
    answer = web.Response(status=429, text="Too many requests, please try again later.\n")
    if seconds is not None:
        answer.headers["Retry-After"] = str(seconds)
    return answer


def refused(code: int, reason: str) -> web.Response:
    """A refusal of the API itself."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    text = json.dumps({**body, "reason": reason, "message": f"the weather says {reason}"})
    return web.Response(status=code, text=text, content_type="application/json")


def cut(request: web.Request) -> None:
    """Break the connection off, whatever was said on it so far."""
    if request.transport is not None:
        request.transport.abort()


def world_of(connections: KubeConnections, now: datetime | None = None) -> World:
    """A world of nothing but connections and a clock that stands."""
    parts: dict[str, Any] = dict.fromkeys(f.name for f in fields(World))
    parts["objects"] = AnyLedger()
    parts["connections"] = connections
    parts["clock"] = FakeClock(now or datetime.now(UTC))
    return World(**parts)


@dataclass
class Outside:
    """One API server behind its weather, and instances on it."""

    plane: ControlPlane
    sky: Weather
    config: Path
    connections: KubeConnections
    world: World

    def instance(self, name: str = "") -> Instance:
        """An instance with a namespace of its own."""
        made = name or self.plane.new_namespace("weather")
        return Instance(plane=self.plane, world=self.world, namespace=made)


@pytest.fixture
async def outside(
    request: pytest.FixtureRequest, control_planes, tmp_path: Path
) -> AsyncIterator[Outside]:
    """A server without controllers behind a proxy, all with the limits given as the fixture's parameter."""
    (plane,) = control_planes(1, controllers=False)
    async with weather(plane) as sky:
        config = kubeconfig(tmp_path / "kubeconfig", sky.proxy, token=plane.admin_token)
        limits = getattr(request, "param", None) or Limits()
        connections = KubeConnections({"c1": {"kubeconfig": str(config)}}, limits=limits)
        yield Outside(
            plane=plane,
            sky=sky,
            config=config,
            connections=connections,
            world=world_of(connections),
        )
        await connections.aclose()


async def landed(look: Callable[[], Awaitable[TargetReport]], good: Callable[[TargetReport], bool]):
    """Look again as the rollouts do, until a report is good; all reports."""
    reports = [await look()]
    async with asyncio.timeout(LONG):
        while not good(reports[-1]):
            await asyncio.sleep(0.3)
            reports.append(await look())
    return reports
