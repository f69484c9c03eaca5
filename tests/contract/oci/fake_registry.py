"""A small OCI registry in memory, for faults that a real one does not give on demand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(data: bytes, media_type: str, **more: object) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


def manifest(*layers: dict[str, Any], **more: object) -> bytes:
    config = descriptor(b"{}", "application/vnd.cncf.helm.config.v1+json")
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    return json.dumps(document | more).encode()


def index(*manifests: dict[str, Any]) -> bytes:
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    return json.dumps(document).encode()


@dataclass
class FakeRegistry:
    """What it holds by (repository, tag or digest), whom it lets in, and every request it saw."""

    manifests: dict[tuple[str, str], bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    fault: Fault | None = None
    challenge: str = ""
    accepted: set[str] = field(default_factory=set)
    requests: list[web.Request] = field(default_factory=list)
    token: Callable[[web.Request], Awaitable[web.Response]] | None = None

    def add(self, repository: str, tag: str, layer: bytes, media_type: str = CHART) -> str:
        """Hold an artifact of one layer; its digest."""
        self.blobs[digest(layer)] = layer
        return self.put(repository, tag, manifest(descriptor(layer, media_type)))

    def put(self, repository: str, tag: str, data: bytes) -> str:
        self.manifests[repository, digest(data)] = data
        self.manifests[repository, tag] = data
        return digest(data)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.fault and (answer := await self.fault(request)) is not None:
            return answer
        if request.path == "/token" and self.token:
            return await self.token(request)
        if self.challenge and request.headers.get("Authorization") not in self.accepted:
            return web.Response(status=401, headers={"WWW-Authenticate": self.challenge})
        repository, _, rest = request.path.removeprefix("/v2/").rpartition("/")
        repository, _, kind = repository.rpartition("/")
        if kind == "manifests" and (repository, rest) in self.manifests:
            data = self.manifests[repository, rest]
            headers = {"Docker-Content-Digest": digest(data)}
            return web.Response(body=data, content_type=MANIFEST, headers=headers)
        if kind == "blobs" and rest in self.blobs:
            return web.Response(body=self.blobs[rest], content_type="application/octet-stream")
        return web.json_response({"errors": [{"code": "NAME_UNKNOWN"}]}, status=404)

    def seen(self, part: str) -> list[web.Request]:
        return [request for request in self.requests if part in request.path]


@asynccontextmanager
async def serve(registry: FakeRegistry, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """The registry on a free loopback port; yields ``host:port``."""
    app = web.Application(client_max_size=1 << 20)
    app.router.add_route("*", "/{path:.*}", registry.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, 0)
        await site.start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
