"""The way to an API server: a door that counts what passes, and at times lets nothing through."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from enum import StrEnum

import aiohttp
import yaml
from aiohttp import web

from tests.controlplane import ControlPlane

OF_ONE_HOP = frozenset(
    {"connection", "host", "transfer-encoding", "content-length", "authorization", "keep-alive"}
)
LARGEST = 1 << 28


class Weather(StrEnum):
    """What becomes of requests."""

    CLEAR = "clear"
    HANGS = "hangs"
    THROTTLES = "throttles"


class Door:
    """An HTTPS server on loopback before one control plane; ``counts`` says what came to it."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.counts: Counter[str] = Counter()
        self.weather = Weather.CLEAR
        self._clear = asyncio.Event()
        self._clear.set()

    async def open(self) -> None:
        """Answer, and write the kubeconfig that leads here."""
        trusted = ssl.create_default_context(cafile=str(self.plane.ca))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=LARGEST)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=1
        )
        await self._runner.setup()
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(self.plane.certs.server_cert, self.plane.certs.server_key)
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=own)
        await site.start()
        port = self._runner.addresses[0][1]
        self.kubeconfig = self.plane.folder / "kubeconfig-of-the-door"
        document = yaml.safe_load(self.plane.kubeconfig.read_text("utf-8"))
        document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
        self.kubeconfig.write_text(yaml.safe_dump(document), "utf-8")

    async def aclose(self) -> None:
        """End it, whoever still waits."""
        self.change(Weather.CLEAR)
        await self._runner.cleanup()
        await self._session.close()

    def change(self, weather: Weather) -> None:
        """From now on; what hung goes on when it clears."""
        self.weather = weather
        self._clear.clear() if weather is Weather.HANGS else self._clear.set()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.counts[_kind(request)] += 1
        if self.weather is Weather.THROTTLES:
            status = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 429}
            status["reason"] = "TooManyRequests"
            return web.json_response(status, status=429, headers={"Retry-After": "1"})
        body = await request.read()
        await self._clear.wait()
        headers = {k: v for k, v in request.headers.items() if k.lower() not in OF_ONE_HOP}
        headers["Authorization"] = f"Bearer {self.plane.admin_token}"
        try:
            return await self._relay(request, body, headers)
        except (aiohttp.ClientError, OSError):
            # The server is down or went down: whoever asked sees what it would see without a door.
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError from None

    async def _relay(
        self, request: web.Request, body: bytes, headers: dict[str, str]
    ) -> web.StreamResponse:
        url = self.plane.url + request.raw_path
        async with self._session.request(
            request.method, url, data=body or None, headers=headers, allow_redirects=False
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in OF_ONE_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await self._clear.wait()
                await response.write(chunk)
            await response.write_eof()
            return response


def _kind(request: web.Request) -> str:
    if request.method != "GET":
        return "write"
    return "watch" if "watch" in request.query else "read"
