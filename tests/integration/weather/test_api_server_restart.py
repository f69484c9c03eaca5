"""An API server that goes down and comes back in the middle of an apply: nothing fails for good, all lands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web

from distributor.errors import registry
from distributor.model.changes import Actuation, TargetReport
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.weather.conftest import LONG, Outside, cut

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(300)]
MANY = [settings(f"m{n:03}") for n in range(200)]
USER = "weather:deployer"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
async def limited(outside: Outside) -> Outside:
    """With a user's rights: one who is no administrator is refused everything by a server that just began."""
    verbs = ["get", "list", "watch", "create", "patch", "update", "delete"]
    kinds = ["configmaps", "secrets", "namespaces"]
    role = {
        "kind": "ClusterRole", "metadata": {"name": USER},
        "rules": [{"apiGroups": [""], "resources": kinds, "verbs": verbs}],
    }  # fmt: skip
    binding = {
        "kind": "ClusterRoleBinding", "metadata": {"name": USER},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": USER},
        "subjects": [{"kind": "User", "name": USER}],
    }  # fmt: skip
    for path, body in (("clusterroles", role), ("clusterrolebindings", binding)):
        made = {"apiVersion": "rbac.authorization.k8s.io/v1", **body}
        await asyncio.to_thread(outside.plane.client.send, "POST", f"{RBAC}/{path}", made)
    outside.sky.user = USER
    yield outside
    for path in ("clusterroles", "clusterrolebindings"):
        await asyncio.to_thread(outside.plane.client.send, "DELETE", f"{RBAC}/{path}/{USER}")


async def test_in_the_middle_of_an_apply(limited: Outside):
    instance, plane = limited.instance(), limited.plane
    await instance.sync(MANY[0])
    stopped = asyncio.Event()

    async def stop(request: web.Request) -> None:
        if request.method == "PATCH" and limited.sky.count("PATCH") >= 60 and not stopped.is_set():
            stopped.set()
            await asyncio.to_thread(plane.stop_apiserver)

    limited.sky.before = stop
    report = await instance.sync(*MANY)
    assert report.actuation in {Actuation.UNREACHABLE, Actuation.FAILED}, report
    assert temporary(report)
    limited.sky.before = None

    starting = asyncio.create_task(asyncio.to_thread(plane.start_apiserver))
    reports = await looked(lambda: instance.resync(*MANY), lambda r: r.actuation is APPLIED)
    await starting
    assert [r.findings for r in reports if not temporary(r)] == []
    assert codes(reports[-1]) == []
    kept = await instance.inventory()
    names = {m["metadata"]["name"] for m in MANY}
    assert {ref.name for ref in kept.entries} == names
    items = (await instance.get("v1 configmaps"))["items"]
    assert {item["metadata"]["name"] for item in items} == names


async def test_a_write_that_was_done_before_the_connection_broke(limited: Outside):
    """Every answer to an apply is lost once, after the server did it: doing it again does no harm."""
    instance, lost = limited.instance(), set()

    async def lose(request: web.Request, _status: int) -> None:
        key = (request.method, request.path)
        if request.method == "PATCH" and key not in lost:
            lost.add(key)
            cut(request)

    limited.sky.after = lose
    report = await instance.sync(*MANY[:30])
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert len(lost) == 30
    versions = await versions_of(instance)
    limited.sky.after = None
    report = await instance.resync(*MANY[:30])
    assert (report.actuation, report.outcomes) == (Actuation.APPLIED, ())
    assert await versions_of(instance) == versions


async def test_answers_that_end_in_the_middle(limited: Outside):
    """For each kind of request, one answer breaks off after its first bytes."""
    instance, broken = limited.instance(), []

    async def break_off(request: web.Request) -> web.StreamResponse | None:
        what = request.method
        if what in broken:
            return None
        broken.append(what)
        half = web.StreamResponse()
        half.content_length = 900
        await half.prepare(request)
        await half.write(b'{"kind": "Se')
        cut(request)
        return half

    limited.sky.before = break_off
    reports = [await instance.sync(*MANY[:5])]
    reports += await looked(lambda: instance.resync(*MANY[:5]), lambda r: r.actuation is APPLIED)
    reports.append(await instance.sync(*MANY[:3]))
    reports += await looked(lambda: instance.resync(*MANY[:3]), lambda r: r.actuation is APPLIED)
    assert [r.findings for r in reports if not temporary(r)] == []
    assert {"GET", "POST", "PATCH", "PUT", "DELETE"} == set(broken)
    kept = await instance.inventory()
    assert {ref.name for ref in kept.entries} == {"m000", "m001", "m002"}


async def test_a_guarded_write_whose_answer_is_lost_is_no_fence(limited: Outside):
    """The inventory was written, and nobody heard of it: what is read next is our own, not a newer decision."""
    instance, lost = limited.instance(), []

    async def lose(request: web.Request, _status: int) -> None:
        if request.method in {"POST", "PUT"} and request.method not in lost:
            lost.append(request.method)
            cut(request)

    limited.sky.after = lose
    for objects in (MANY[:2], MANY[:4], MANY[1:4]):
        reports = [await instance.sync(*objects)]
        reports += await looked(
            lambda o=objects: instance.resync(*o), lambda r: r.actuation is APPLIED
        )
        assert Actuation.FENCED not in {r.actuation for r in reports}
        assert [r.findings for r in reports if not temporary(r)] == []
    assert lost == ["POST", "PUT"]
    assert {ref.name for ref in (await instance.inventory()).entries} == {"m001", "m002", "m003"}


APPLIED = Actuation.APPLIED


def temporary(report: TargetReport) -> bool:
    """Whether nothing that it tells stays as it is: it would never end a rollout by itself."""
    known = registry()
    return all(known[code].retryable for code in codes(report))


async def looked(look, good: Callable[[TargetReport], bool]) -> list[TargetReport]:
    reports = [await look()]
    async with asyncio.timeout(LONG):
        while not good(reports[-1]):
            await asyncio.sleep(0.05)
            reports.append(await look())
    return reports


async def versions_of(instance: Instance) -> dict[str, str]:
    items = (await instance.get("v1 configmaps"))["items"]
    return {i["metadata"]["name"]: i["metadata"]["resourceVersion"] for i in items}
