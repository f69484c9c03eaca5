"""A small API server in memory, for faults that a real one does not give on demand.

It keeps objects by path, gives them uids and resourceVersions, and knows server-side apply only as a
replacement by one manager. What real servers do with objects is tested against a real one.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]

KINDS = {
    "": [("Namespace", "namespaces", "Cluster"), ("ConfigMap", "configmaps", "Namespaced"),
         ("Secret", "secrets", "Namespaced")],
    "apps": [("Deployment", "deployments", "Namespaced")],
    "apiextensions.k8s.io": [("CustomResourceDefinition", "customresourcedefinitions", "Cluster")],
}  # fmt: skip


def discovery(kinds: dict[str, list[tuple[str, str, str]]], *, stale: bool = False) -> dict:
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "items": [
            {
                "metadata": {"name": group},
                "versions": [
                    {
                        "version": "v1",
                        "freshness": "Stale" if stale else "Current",
                        "resources": [
                            {
                                "resource": plural,
                                "scope": scope,
                                "verbs": ["get", "list", "delete"],
                                "responseKind": {"kind": kind},
                            }
                            for kind, plural, scope in found
                        ],
                    }
                ],
            }
            for group, found in kinds.items()
        ],
    }


def status(code: int, reason: str, message: str = "", **details: object) -> web.Response:
    body = {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": message or reason, "details": details,
    }  # fmt: skip
    return web.json_response(body, status=code)


def everywhere(path: str) -> str:
    """Where the objects of a kind are listed over all namespaces, by the path of one of them."""
    parts = path.split("/")[:-1]
    if "namespaces" in parts[:-1]:
        at = parts.index("namespaces")
        parts[at : at + 2] = []
    return "/".join(parts)


class FakeApi:
    """The server's state; ``fault`` sees each request first and may answer it."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.kinds = {group: list(found) for group, found in KINDS.items()}
        self.stale = False
        self.requests: list[tuple[str, str]] = []
        self.fault: Fault | None = None
        self.running = 0
        self.most_running = 0
        self.finalizing: set[str] = set()  # names whose deletion does not end
        self.tokens: set[str] | None = None
        self._numbers = itertools.count(1)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.fault and (answer := await self.fault(request)) is not None:
                return answer
            if self.tokens is not None and request.headers.get("Authorization") not in self.tokens:
                return status(401, "Unauthorized")
            return await self._answer(request)
        finally:
            self.running -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        match request.method, request.path:
            case "GET", "/api":
                kinds = {"": self.kinds[""]}
                return web.json_response(discovery(kinds))
            case "GET", "/apis":
                kinds = {group: found for group, found in self.kinds.items() if group}
                return web.json_response(discovery(kinds, stale=self.stale))
            case "GET", _:
                return self._get(request)
            case "PATCH", _:
                return await self._apply(request)
            case "POST", _:
                body = await request.json()
                return self._store(f"{request.path}/{body['metadata']['name']}", body, new=True)
            case "PUT", _:
                return self._store(request.path, await request.json(), new=False)
            case "DELETE", _:
                return self._delete(request, await request.json() if request.can_read_body else {})
            case _:
                return status(405, "MethodNotAllowed")

    def _get(self, request: web.Request) -> web.Response:
        if request.path in self.objects:
            return web.json_response(self.objects[request.path])
        plural = request.path.rpartition("/")[2]
        if plural not in {p for found in self.kinds.values() for _, p, _ in found}:
            return self._absent(request.path)
        label, _, wanted = request.query.get("labelSelector", "").partition("=")
        items = [
            o for path, o in sorted(self.objects.items())
            if request.path in {path.rpartition("/")[0], everywhere(path)}
            and (not label or label in (labels := o["metadata"].get("labels", {})))
            and (not wanted or labels.get(label) == wanted)
        ]  # fmt: skip
        start, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", 1000))
        more = str(start + limit) if len(items) > start + limit else ""
        return web.json_response(
            {"kind": "List", "metadata": {"continue": more}, "items": items[start : start + limit]}
        )

    def _absent(self, path: str) -> web.Response:
        """A path that is served names the object; any other is no page."""
        *_, plural, name = path.split("/")
        if plural not in {p for found in self.kinds.values() for _, p, _ in found}:
            return web.Response(status=404, text="404 page not found")
        return status(404, "NotFound", f'{plural} "{name}" not found', name=name, kind=plural)

    async def _apply(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/apply-patch+yaml"
        assert request.query["fieldManager"] == "distributor"
        assert request.query["force"] == "false"
        body = await request.json()
        there = dict(self.objects)
        answer = self._store(request.path, body, new=request.path not in self.objects)
        if request.query.get("dryRun") == "All":
            self.objects = there
        return answer

    def _store(self, path: str, body: dict[str, Any], *, new: bool) -> web.Response:
        missing = self._missing_namespace(path)
        if missing:
            return status(404, "NotFound", f'namespaces "{missing}" not found', name=missing, kind="namespaces")  # fmt: skip
        old = self.objects.get(path)
        if new and old is not None:
            return status(409, "AlreadyExists")
        if not new and old is None:
            return status(404, "NotFound")
        token = body["metadata"].get("resourceVersion")
        if old and token and token != old["metadata"]["resourceVersion"]:
            return status(409, "Conflict")
        number = str(next(self._numbers))
        uid = old["metadata"]["uid"] if old else f"uid-{number}"
        body["metadata"] |= {"uid": uid, "resourceVersion": number}
        self.objects[path] = body
        return web.json_response(body, status=201 if new else 200)

    def _missing_namespace(self, path: str) -> str:
        parts = path.split("/")
        if "namespaces" not in parts[:-2]:
            return ""
        name = parts[parts.index("namespaces") + 1]
        return "" if f"/api/v1/namespaces/{name}" in self.objects else name

    def _delete(self, request: web.Request, options: dict[str, Any]) -> web.Response:
        found = self.objects.get(request.path)
        if found is None:
            return self._absent(request.path)
        asked = options.get("preconditions", {})
        if any(value != found["metadata"][name] for name, value in asked.items()):
            return status(409, "Conflict")
        if found["metadata"]["name"] in self.finalizing:
            found["metadata"] |= {"deletionTimestamp": "now", "finalizers": ["example.com/hold"]}
            return web.json_response(found)
        del self.objects[request.path]
        return web.json_response({"kind": "Status", "status": "Success"})


@asynccontextmanager
async def serve(api: FakeApi) -> AsyncIterator[str]:
    """The server on a free loopback port; yields its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def kubeconfig(path: Path, url: str, **user: object) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "main", "user": "main"}}],
        "clusters": [{"name": "main", "cluster": {"server": url}}],
        "users": [{"name": "main", "user": user}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


@asynccontextmanager
async def raw_server(answer: bytes | None) -> AsyncIterator[str]:
    """A server that gives these bytes and hangs up; ``None``: it takes the request and is silent."""
    silence = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if answer is None:
                await silence.wait()
            else:
                writer.write(answer)
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        silence.set()
        server.close()
        await server.wait_closed()


def ok(body: object) -> bytes:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"\r\n" + data
