"""A worker that sleeps in the middle of an older revision, and wakes when a newer one is there: it stops."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from aiohttp import web

from distributor.model.changes import Actuation
from tests.contract.targets.fake_api import kubeconfig
from tests.integration.weather.conftest import LONG, Outside, weather
from tests.integration.weather.sleeper import revision

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[3]
STEPS = [("PUT", ""), ("PATCH", "a"), ("PATCH", "b"), ("PATCH", "c")]
"""Requests of the older worker at which it is put to sleep."""


class Sleeper:
    """The older worker behind a proxy of its own, stopped when its n-th request comes by."""

    def __init__(self, method: str, name: str, *, done: bool) -> None:
        self.method, self.name, self.done = method, name, done
        self.asleep = asyncio.Event()
        self.newer = asyncio.Event()
        self.process: asyncio.subprocess.Process | None = None

    def _now(self, request: web.Request) -> bool:
        asked = request.method == self.method and request.path.endswith(self.name)
        return asked and not self.asleep.is_set()

    async def before(self, request: web.Request) -> None:
        if self._now(request) and not self.done:
            await self._sleep()

    async def after(self, request: web.Request, _status: int) -> None:
        if self._now(request) and self.done:
            await self._sleep()

    async def _sleep(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)
        self.asleep.set()
        await self.newer.wait()


@pytest.mark.parametrize("done", [True, False], ids=["the-answer-waits", "the-request-waits"])
@pytest.mark.parametrize(("method", "name"), STEPS)
async def test_it_wakes_late_and_the_newer_revision_stays_as_it_is(
    outside: Outside, tmp_path: Path, method: str, name: str, done: bool
):
    instance = outside.instance()
    await instance.sync(*revision("first", "a"))
    async with weather(outside.plane) as sky:
        config = kubeconfig(tmp_path / "old", sky.proxy, token=outside.plane.admin_token)
        sleeper = Sleeper(method, name, done=done)
        sky.before, sky.after = sleeper.before, sleeper.after
        process = sleeper.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.weather.sleeper", str(config),
            instance.namespace, cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            await asyncio.wait_for(sleeper.asleep.wait(), LONG)
            instance.sequence = 2
            report = await instance.sync(*revision("new", "a", "b", "d"))
            assert report.actuation is Actuation.APPLIED
            sleeper.newer.set()
            os.kill(process.pid, signal.SIGCONT)
            said, _ = await asyncio.wait_for(process.communicate(), LONG)
        finally:
            sleeper.newer.set()
            if process.returncode is None:
                process.kill()
                await process.wait()
    # It may also see that what it applied is not what is there, and wait for that.
    assert said.decode() in {"fenced", "applying"}
    report = await instance.resync(*revision("new", "a", "b", "d"))
    assert report.actuation is Actuation.APPLIED, report.findings
    found = {
        item["metadata"]["name"]: item["data"]["text"]
        for item in (await instance.get("v1 configmaps"))["items"]
        if item["metadata"]["name"] != "kube-root-ca.crt"
    }
    assert found == {"a": "new", "b": "new", "d": "new"}
    assert {ref.name for ref in (await instance.inventory()).entries} == {"a", "b", "d"}
