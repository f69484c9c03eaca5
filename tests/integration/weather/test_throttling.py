"""A storm of 429: the server's word is kept by all requests, none of our own is made of it, all lands."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from aiohttp import web

from distributor.adapters.kube import KubeConnections, Limits
from distributor.model.changes import Actuation
from tests.contract.targets.fake_api import kubeconfig
from tests.integration.membership.conftest import codes, settings
from tests.integration.weather.conftest import (
    Outside,
    landed,
    refused,
    throttled,
    weather,
    world_of,
)

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]
MANY = [settings(f"m{n:03}") for n in range(120)]
CALM = Limits(throttled=30.0)


@pytest.mark.parametrize("outside", [CALM], indirect=True)
async def test_a_storm_is_sat_out_and_everything_lands_at_once(outside: Outside):
    """While the server refuses, one request at a time looks whether it still does, and no sooner than it said."""
    instance, left = outside.instance(), 3

    async def storm(request: web.Request) -> web.Response | None:
        nonlocal left
        if request.method != "PATCH" or left <= 0:
            return None
        left -= 1
        return throttled(1)

    outside.sky.before = storm
    report = await instance.sync(*MANY)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert sum(o.error is None for o in report.outcomes) == len(MANY)
    refusals = [p for p in outside.sky.passed if p.code == 429]
    assert len(refusals) == 3
    sent = sorted(p.at for p in outside.sky.passed if p.method == "PATCH")
    assert len(sent) == len(MANY) + 3
    # Those that were under way when the first refusal came may still be answered; then it is quiet.
    first = refusals[0].at
    assert all(at - first >= 0.95 for at in sent if at - first > 0.5)


async def test_a_storm_that_goes_on_costs_a_few_requests_and_lands_afterwards(outside: Outside):
    instance = outside.instance()
    await instance.sync(MANY[0])
    storming = True

    async def storm(request: web.Request) -> web.Response | None:
        return throttled(1) if storming and request.method == "PATCH" else None

    outside.sky.before = storm
    outside.sky.passed.clear()
    report = await instance.sync(*MANY)
    assert (report.actuation, set(codes(report))) == (Actuation.FAILED, {"DST403"})
    assert all(o.retryable for o in report.outcomes if o.error)
    assert outside.sky.count("PATCH") <= Limits().concurrency + Limits().throttled + 1
    storming = False
    reports = await landed(
        lambda: instance.resync(*MANY), lambda r: r.actuation is Actuation.APPLIED
    )
    assert codes(reports[-1]) == []
    names = {m["metadata"]["name"] for m in (await instance.get("v1 configmaps"))["items"]}
    assert {m["metadata"]["name"] for m in MANY} <= names


async def test_a_long_time_that_the_server_asks_for_is_kept_without_asking(outside: Outside):
    """Longer than anybody may wait: told at once, and the server hears nothing of it."""
    instance = outside.instance()
    await instance.sync(MANY[0])

    async def storm(_request: web.Request) -> web.Response:
        return throttled(40)

    outside.sky.before = storm
    outside.sky.passed.clear()
    for _ in range(5):
        report = await instance.resync(MANY[0])
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST403"])
    assert "not asked again for" in report.findings[0].message
    assert len(outside.sky.passed) == 1


async def test_a_mad_time_locks_nobody_out(outside: Outside):
    async def storm(_request: web.Request) -> web.Response:
        return throttled(10**12)

    outside.sky.before = storm
    report = await outside.instance().sync(MANY[0])
    report = await outside.instance().sync(MANY[0])
    told = report.findings[0].message
    assert 0 < float(told.partition("again for ")[2].partition(" s")[0]) <= 60


async def test_a_refusal_of_one_kind_keeps_no_other_waiting(outside: Outside):
    """As for a kind whose storage is being set up: a ``Status``, and so of this request alone."""
    instance, refusals = outside.instance(), 0

    async def storm(request: web.Request) -> web.Response | None:
        nonlocal refusals
        if not (request.method == "PATCH" and request.path.endswith("/m000")):
            return None
        refusals += 1
        answer = refused(429, "TooManyRequests")
        answer.headers["Retry-After"] = "30"
        return answer

    outside.sky.before = storm
    report = await instance.sync(*MANY[:10])
    assert codes(report) == ["DST403"]
    assert sum(o.error is None for o in report.outcomes) == 9
    assert refusals == 1


@pytest.mark.parametrize("outside", [CALM], indirect=True)
async def test_without_a_time_each_refusal_is_given_longer(outside: Outside):
    left = 3

    async def storm(request: web.Request) -> web.Response | None:
        nonlocal left
        if request.method != "PATCH" or left <= 0:
            return None
        left -= 1
        return throttled(None)

    outside.sky.before = storm
    report = await outside.instance().sync(MANY[0])
    assert report.actuation is Actuation.APPLIED
    sent = [p.at for p in outside.sky.passed if p.method == "PATCH"]
    pauses = [after - before for before, after in itertools.pairwise(sent)]
    assert [pause >= least for pause, least in zip(pauses, (0.5, 1, 2), strict=True)] == [True] * 3


async def test_another_cluster_is_not_slowed(outside: Outside, tmp_path):
    """The gate is one cluster's: beside one that refuses everything the other is asked at once."""

    async def storm(_request: web.Request) -> web.Response:
        return throttled(1)

    outside.sky.before = storm
    async with weather(outside.plane) as fair:
        config = kubeconfig(tmp_path / "fair", fair.proxy, token=outside.plane.admin_token)
        connections = KubeConnections({"c1": {"kubeconfig": str(config)}})
        good = outside.instance()
        good.world = world_of(connections)
        bad = asyncio.create_task(outside.instance().sync(MANY[0]))
        report = await good.sync(*MANY[:20])
        assert report.actuation is Actuation.APPLIED
        assert not bad.done(), "the other still waits"
        assert (await bad).actuation is Actuation.FAILED
        await connections.aclose()
