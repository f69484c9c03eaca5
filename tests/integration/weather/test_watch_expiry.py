"""A watch whose place the server has forgotten (a real 410 Gone) lists anew, and misses nothing."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl

import pytest
from aiohttp import web

from distributor.model.refs import GroupKind
from tests.controlplane import ControlPlane
from tests.integration.mainjob.conftest import until
from tests.integration.membership.conftest import Instance, settings
from tests.integration.ownership.conftest import CLUSTER
from tests.integration.weather.conftest import Outside, Passed, refused

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]
MAPS = frozenset({GroupKind("", "ConfigMap")})
LIST = "/api/v1/configmaps"
JUST_BEGUN = {403, 429, 503}
"""What a server says that has read no roles yet, or not filled its cache; it is asked again."""


def compacted(plane: ControlPlane) -> str:
    """Make etcd forget all that was, and the API server what it keeps itself; the version it was at."""
    version = plane.client.get(LIST)["metadata"]["resourceVersion"]
    body = json.dumps({"revision": version, "physical": True}).encode()
    etcd = http.client.HTTPConnection("127.0.0.1", plane._ports.etcd, timeout=30)
    etcd.request("POST", "/v3/kv/compaction", body)
    assert etcd.getresponse().status == 200
    etcd.close()
    plane.stop_apiserver()
    plane.start_apiserver()
    return str(version)


async def marked(outside: Outside, instance: Instance) -> str:
    return await outside.connections.mark(CLUSTER, instance.namespace, MAPS)


async def test_what_moved_while_the_watch_was_broken_is_seen_after_a_410(outside: Outside):
    instance, plane = outside.instance(), outside.plane
    await instance.sync(settings("a", text="1"), settings("b"))
    first = await until("the watches stand", lambda: marked(outside, instance))

    release = asyncio.Event()

    async def held(request: web.Request) -> None:
        if request.path == LIST:
            await release.wait()

    outside.sky.before = held
    outside.sky.hang_up()
    await until("they are broken", lambda: nothing(outside, instance))
    await instance.send(
        "PATCH", "v1 configmaps/a", {"data": {"text": None}}, kind="application/merge-patch+json"
    )
    await instance.send("DELETE", "v1 configmaps/b", None)
    other = f"/api/v1/namespaces/{instance.namespace}/configmaps"
    for n in range(3):
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"x{n}"}}
        await asyncio.to_thread(plane.client.send, "POST", other, made)
    await asyncio.to_thread(compacted, plane)
    outside.sky.passed.clear()
    release.set()

    second = await until("they stand again", lambda: marked(outside, instance))
    assert second != first
    passed = [p for p in sorted(outside.sky.passed, key=at) if LIST in p.path]
    heard = ["watch" in p.path for p in passed if p.code not in JUST_BEGUN]
    assert heard == [True, False], f"it went on, was told that it is too late, and listed: {passed}"
    report = await instance.resync(settings("a", text="1"), settings("b"))
    assert {str(o.ref.name) for o in report.outcomes} == {"a", "b"}, "both are mended"


async def test_the_server_really_says_410_for_a_version_that_is_compacted(outside: Outside):
    """So that the test above is about what it says."""
    instance, plane = outside.instance(), outside.plane
    await instance.sync(settings("a"))
    old = plane.client.get(LIST)["metadata"]["resourceVersion"]
    for n in range(3):
        await instance.sync(settings("a", n=str(n)))
    await asyncio.to_thread(compacted, plane)
    path = f"{LIST}?watch=1&resourceVersion={int(old) - 1}&timeoutSeconds=5"
    text = await asyncio.to_thread(raw, plane, path)
    assert '"code":410' in text.replace(" ", ""), text


async def test_a_server_that_has_just_begun_refuses_a_watch_once_and_it_goes_on(outside: Outside):
    """Without its roles read it refuses everything: that is no reason to leave it for minutes."""
    instance, left = outside.instance(), 2
    await instance.sync(settings("a"))
    first = await until("the watches stand", lambda: marked(outside, instance))

    async def starting(request: web.Request) -> web.Response | None:
        nonlocal left
        if "watch" not in request.query or left <= 0:
            return None
        left -= 1
        return refused(403, 'Forbidden: User "weather" cannot watch resource "configmaps"')

    outside.sky.before = starting
    outside.sky.hang_up()
    await until("each was refused once", lambda: true(left == 0))
    assert await until("they stand again", lambda: marked(outside, instance), 60) == first


def raw(plane: ControlPlane, path: str) -> str:
    context = ssl.create_default_context(cafile=str(plane.ca))
    server = http.client.HTTPSConnection(
        "127.0.0.1", plane._ports.apiserver, timeout=30, context=context
    )
    server.request("GET", path, headers={"Authorization": f"Bearer {plane.admin_token}"})
    answer = server.getresponse()
    text = json.dumps({"code": answer.status}) + answer.read().decode()
    server.close()
    return text


def at(passed: Passed) -> float:
    return passed.at


async def nothing(outside: Outside, instance: Instance) -> bool:
    return not await marked(outside, instance)


async def true(value: bool) -> bool:
    return value
