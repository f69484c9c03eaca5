"""A dead or slow cluster beside a good one: the good one is not slowed, the other one is not pestered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web

from distributor.adapters.kube import KubeConnections, Limits
from distributor.model.changes import Actuation
from distributor.services.rollouts.slots import Slots
from tests.contract.targets.fake_api import kubeconfig
from tests.integration.mainjob.conftest import until
from tests.integration.membership.conftest import codes, settings
from tests.integration.weather.conftest import Outside, landed, refused

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]
HASTY = Limits(connect=1.0, total=2.0, patience=3.0)  # no slot is lent before a request ends


@pytest.fixture
async def silent(outside: Outside) -> AsyncIterator[asyncio.Event]:
    """The server takes connections and answers nothing, until this is set."""
    awake = asyncio.Event()

    async def silence(_request: web.Request) -> None:
        await awake.wait()

    outside.sky.before = silence
    yield awake
    awake.set()


@pytest.mark.parametrize("outside", [HASTY], indirect=True)
async def test_one_finds_out_and_all_others_are_told(outside: Outside, silent: asyncio.Event):
    """A hundred instances on a silent cluster cost no more than the time that a few of them wait for."""
    instances = [outside.instance(f"dead-{n}") for n in range(100)]
    first = await asyncio.gather(*(i.sync(settings("a")) for i in instances))
    assert {r.actuation for r in first} == {Actuation.UNREACHABLE}
    # Those under way, and, while they were, as many as had a slot: nobody of the rest.
    assert len(outside.sky.under_way) + len(outside.sky.passed) <= 2 * HASTY.concurrency
    again = await asyncio.gather(*(i.resync(settings("a")) for i in instances))
    assert {tuple(codes(r)) for r in again} == {("DST401",)}
    assert len(outside.sky.under_way) + len(outside.sky.passed) <= 2 * HASTY.concurrency + 2

    silent.set()
    reports = await landed(
        lambda: outside.instance().sync(settings("a")), lambda r: r.actuation is Actuation.APPLIED
    )
    assert codes(reports[-1]) == []


@pytest.mark.parametrize("outside", [HASTY], indirect=True)
async def test_a_good_cluster_has_slots_while_another_is_silent(
    outside: Outside, silent: asyncio.Event, tmp_path
):
    """Twenty targets of the silent one come first; the good one's are through before any of them gave up."""
    config = kubeconfig(tmp_path / "good", outside.plane.url, token=outside.plane.admin_token)
    text = config.read_text().replace(
        "server:", f"certificate-authority: {outside.plane.ca}\n    server:"
    )
    config.write_text(text)
    connections = KubeConnections({"c1": {"kubeconfig": str(config)}})
    slots, told = Slots(8), []

    async def work(cluster: str, instance) -> None:
        async with slots.of(cluster):
            report = await instance.sync(settings("a"))
        told.append((cluster, report.actuation))

    good = outside.instance()
    good.world = replace(good.world, connections=connections)
    dead = [asyncio.create_task(work("dead", outside.instance(f"d-{n}"))) for n in range(20)]
    await until("they are at it", lambda: _true(bool(outside.sky.under_way)))
    await work("good", good)
    assert told[0] == ("good", Actuation.APPLIED)
    await asyncio.gather(*dead)
    assert {actuation for _, actuation in told[1:]} == {Actuation.UNREACHABLE}
    await connections.aclose()


@pytest.mark.parametrize("outside", [HASTY], indirect=True)
async def test_one_request_that_hangs_is_no_dead_cluster(outside: Outside):
    """As behind a webhook that does not answer: it fails with its instance, the others go on at once."""
    instance = outside.instance()
    release = asyncio.Event()

    async def hang(request: web.Request) -> None:
        if request.method == "PATCH" and request.path.endswith("/hangs"):
            await release.wait()

    outside.sky.before = hang
    bad = asyncio.create_task(instance.sync(settings("hangs")))
    await until("it hangs", lambda: _true(bool(outside.sky.under_way)))
    others = 0
    while not bad.done():
        report = await outside.instance().sync(settings("a"))
        assert report.actuation is Actuation.APPLIED, report.findings
        others += 1
    assert (await bad).actuation is Actuation.UNREACHABLE
    report = await outside.instance().sync(settings("a"))
    assert (report.actuation, others > 0) == (Actuation.APPLIED, True)
    release.set()


async def test_a_server_at_fault_is_named_and_everything_lands_afterwards(outside: Outside):
    """500 and 503 in turn, for a third of all requests: each names itself, none ends anything for good."""
    instance, count = outside.instance(), 0
    many = [settings(f"m{n:02}") for n in range(30)]

    async def fault(_request: web.Request) -> web.Response | None:
        nonlocal count
        count += 1
        return refused(500 + 3 * (count % 2), "InternalError") if count % 3 == 0 else None

    outside.sky.before = fault
    reports = [await instance.sync(*many)]
    assert set(codes(reports[0])) == {"DST404"}
    outside.sky.before = None
    reports += await landed(
        lambda: instance.resync(*many), lambda r: r.actuation is Actuation.APPLIED
    )
    assert codes(reports[-1]) == []
    assert len((await instance.inventory()).entries) == 30


async def _true(value: bool) -> bool:
    return value
