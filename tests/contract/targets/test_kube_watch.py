"""Watches against a server that misbehaves: nothing is missed, and what may be missed is not vouched for."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from distributor.adapters.kube import KubeConnections, Limits
from distributor.model.fleet import Cluster, Mode
from distributor.model.refs import GroupKind
from distributor.render.applyset import PART_OF, applyset_id
from tests.contract.targets.fake_api import FakeApi, kubeconfig, serve, status
from tests.contract.targets.objects import CLUSTER, ENVIRONMENT, INSTANCE, NAMESPACE

PUSHED = Cluster(
    name=CLUSTER, environment=ENVIRONMENT, tier="edge", mode=Mode.PUSH, connection="c1"
)
KINDS = frozenset({GroupKind("", "ConfigMap")})
MAPS = "/api/v1/configmaps"
LIMITS = Limits(first_look=2.0, silence=20.0, refused=0.2, broken=0.02, page=2)


class Script(FakeApi):
    """A server whose ConfigMaps are watched: ``events`` go to whoever watches, as they are put."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: list[dict] = []
        self.version = 10
        self.asked: list[dict[str, str]] = []  # the queries of watches
        self.lists = 0
        self.refuse: Callable[[web.Request], web.StreamResponse | None] = lambda _request: None
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.fault = self._scripted

    async def _scripted(self, request: web.Request) -> web.StreamResponse | None:
        watched = request.query.get("watch") == "true"
        if not watched and not request.query.get("labelSelector"):
            return None
        if request.path == MAPS:
            self.asked += [dict(request.query)] if watched else []
            self.lists += 0 if watched else 1
            if (refused := self.refuse(request)) is not None:
                return refused
        return await self._watch(request) if watched else self._list(request)

    def _list(self, request: web.Request) -> web.Response:
        assert "as=PartialObjectMetadataList" in request.headers["Accept"]
        items = self.listed if request.path == MAPS else []
        start, limit = int(request.query.get("continue", 0)), int(request.query["limit"])
        more = str(start + limit) if len(items) > start + limit else ""
        found = {"resourceVersion": str(self.version), "continue": more}
        return web.json_response({"metadata": found, "items": items[start : start + limit]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        if request.path != MAPS:
            with contextlib.suppress(ConnectionError):
                while True:
                    await asyncio.sleep(0.1)
                    await response.write(bookmark(1))
        while (line := await self.lines.get()) is not None:
            with contextlib.suppress(ConnectionError):  # whoever watched has left
                await response.write(line)
        return response


def metadata(name: str, version: int, **more: object) -> dict:
    labels = {PART_OF: applyset_id(INSTANCE)}
    return {"namespace": NAMESPACE, "name": name, "uid": name, "resourceVersion": str(version), "labels": labels, **more}  # fmt: skip


def event(kind: str, name: str, version: int, **more: object) -> bytes:
    found = {"metadata": metadata(name, version, **more)}
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    found = {"metadata": {"resourceVersion": str(version)}}
    return json.dumps({"type": "BOOKMARK", "object": found}).encode() + b"\n"


def error(code: int) -> bytes:
    found = {"kind": "Status", "code": code, "reason": "Expired"}
    return json.dumps({"type": "ERROR", "object": found}).encode() + b"\n"


@pytest.fixture
async def api() -> Script:
    return Script()


@pytest.fixture
async def connections(api: Script, tmp_path: Path, request) -> AsyncIterator[KubeConnections]:
    async with serve(api) as url:
        limits = replace(LIMITS, **getattr(request, "param", {}))
        found = KubeConnections(
            {"c1": {"kubeconfig": str(kubeconfig(tmp_path / "config", url))}}, limits=limits
        )
        yield found
        await found.aclose()


async def mark(connections: KubeConnections) -> str:
    return await connections.mark(PUSHED, INSTANCE, KINDS)


async def until(connections: KubeConnections, holds: Callable[[str], bool]) -> str:
    async with asyncio.timeout(60):
        while not holds(found := await mark(connections)):
            await asyncio.sleep(0.01)
    return found


async def test_events_change_the_mark_and_nothing_is_asked_again(api, connections):
    api.listed = [{"metadata": metadata(name, 1)} for name in ("a", "b", "c")]
    first = await mark(connections)
    assert first
    assert api.lists == 2, "two pages"
    for _ in range(50):
        assert await mark(connections) == first
    api.lines.put_nowait(bookmark(20))
    api.lines.put_nowait(event("MODIFIED", "b", 21))
    second = await until(connections, lambda found: found not in {"", first})
    api.lines.put_nowait(event("DELETED", "b", 22))
    third = await until(connections, lambda found: found not in {"", second})
    api.lines.put_nowait(event("ADDED", "b", 1))
    await until(connections, lambda found: found == first)
    assert third != first
    assert (api.lists, len(api.asked)) == (2, 1)
    query = api.asked[0]
    assert query["labelSelector"] == PART_OF
    assert (query["allowWatchBookmarks"], query["resourceVersion"]) == ("true", "10")


async def test_a_watch_that_ends_goes_on_from_the_last_bookmark(api, connections):
    api.listed = [{"metadata": metadata("a", 1)}]
    first = await mark(connections)
    api.lines.put_nowait(bookmark(77))
    api.lines.put_nowait(None)
    await until(connections, lambda _found: len(api.asked) == 2)
    assert api.asked[1]["resourceVersion"] == "77"
    assert await until(connections, bool) == first
    assert api.lists == 1


@pytest.mark.parametrize("how", ["event", "status"])
async def test_a_version_that_is_forgotten_is_listed_again(api, connections, how):
    api.listed = [{"metadata": metadata("a", 1)}, {"metadata": metadata("b", 1)}]
    first = await mark(connections)
    api.listed, api.version = [{"metadata": metadata("a", 2)}], 50
    if how == "event":
        api.lines.put_nowait(error(410))
        api.lines.put_nowait(None)
    else:
        gone = [True]
        api.refuse = lambda r: (
            status(410, "Expired") if r.query.get("watch") and gone and gone.pop() else None
        )
        api.lines.put_nowait(None)
    second = await until(connections, lambda found: found not in {"", first})
    assert api.lists == 2
    assert api.asked[-1]["resourceVersion"] == "50"
    api.lines.put_nowait(event("MODIFIED", "a", 1))
    api.lines.put_nowait(event("ADDED", "b", 1))
    assert await until(connections, lambda found: found == first) != second


async def test_while_it_is_broken_nothing_is_vouched_for(api, connections):
    api.listed = [{"metadata": metadata("a", 1)}]
    first = await mark(connections)
    api.refuse = lambda _request: status(500, "InternalError")
    api.lines.put_nowait(bookmark(30))
    api.lines.put_nowait(None)
    await until(connections, lambda found: not found)
    api.refuse = lambda _request: None
    assert await until(connections, bool) == first
    assert api.asked[-1]["resourceVersion"] == "30", "it went on from where it was"
    assert api.lists == 1


async def test_a_server_that_knows_the_version_no_more_without_saying_so_is_listed(
    api, connections
):
    await mark(connections)
    api.refuse = lambda r: (
        status(504, "Timeout") if r.query.get("resourceVersion") == "10" else None
    )
    api.version = 3  # an older state came back
    api.lines.put_nowait(None)
    await until(connections, lambda _found: bool(api.asked) and api.asked[-1]["resourceVersion"] == "3")  # fmt: skip
    assert await until(connections, bool)


@pytest.mark.parametrize("connections", [{"silence": 0.2}], indirect=True)
async def test_silence_is_a_break(api, connections):
    assert await mark(connections)
    await until(connections, lambda _found: len(api.asked) >= 2)


@pytest.mark.parametrize("line", [b"no json\n", b"[1]\n", error(500)])
async def test_an_event_that_cannot_be_read_is_a_break_and_no_end(api, connections, line):
    api.listed = [{"metadata": metadata("a", 1)}]
    first = await mark(connections)
    api.lines.put_nowait(line)
    await until(connections, lambda _found: len(api.asked) == 2)
    assert await until(connections, bool) == first


async def test_an_event_in_pieces_and_several_in_one(api, connections):
    api.listed = [{"metadata": metadata("a", 1)}]
    first = await mark(connections)
    whole = event("MODIFIED", "a", 2, managedFields=["x" * 300_000]) + event("ADDED", "b", 3)
    for at in range(0, len(whole), 50_000):
        api.lines.put_nowait(whole[at : at + 50_000])
    await until(connections, lambda found: found not in {"", first})
    api.lines.put_nowait(event("DELETED", "b", 4) + event("MODIFIED", "a", 1))
    assert await until(connections, lambda found: found == first)


async def test_who_may_not_watch_has_no_mark_and_asks_seldom(api, connections):
    api.refuse = lambda r: status(403, "Forbidden") if r.query.get("watch") else None
    assert await mark(connections) == ""
    for _ in range(20):
        assert await mark(connections) == ""
    assert len(api.asked) <= 2
    api.refuse = lambda _request: None
    assert await until(connections, bool), "and once it may, it does"


async def test_what_is_not_served_or_not_pushed_has_no_mark(api, connections):
    unknown = frozenset({GroupKind("example.com", "Thing")})
    assert await connections.mark(PUSHED, INSTANCE, unknown) == ""
    folder = replace(PUSHED, mode=Mode.DIRECTORY)
    assert await connections.mark(folder, INSTANCE, KINDS) == ""
    nowhere = replace(PUSHED, connection="none")
    assert await connections.mark(nowhere, INSTANCE, KINDS) == ""


async def test_an_instance_has_its_own_mark(api, connections):
    first = await mark(connections)
    api.lines.put_nowait(event("ADDED", "x", 11, labels={PART_OF: applyset_id("other")}))
    api.lines.put_nowait(bookmark(12))
    other = await connections.mark(PUSHED, "other", KINDS)
    async with asyncio.timeout(60):
        while await connections.mark(PUSHED, "other", KINDS) == other:
            await asyncio.sleep(0.01)
    assert await mark(connections) == first


async def test_what_is_served_has_a_mark_without_any_watch(api, connections):
    async def served() -> str:
        return await connections.mark(PUSHED, "", ())

    first = await served()
    assert first
    assert await served() == first
    api.kinds["x.example"] = [("Thing", "things", "Namespaced")]
    second = await served()
    assert second not in {"", first}
    del api.kinds["x.example"]
    assert await served() == first
    assert not [path for _, path in api.requests if path not in {"/api", "/apis"}]

    async def fault(request: web.Request) -> web.Response:
        return web.Response(status=503)

    api.fault = fault
    assert await served() == ""
