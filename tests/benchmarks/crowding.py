"""The crowd on a running service: installed, changed, left alone and looked at again, by a person beside it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from distributor.adapters.workspace import commit_all
from distributor.app import open_service
from distributor.cli.playground import PEOPLE, Playground
from distributor.model.tags import Verb
from distributor.render.applyset import PARENT_NAMESPACE
from distributor.services.promotion.requesting import Ask, make_request
from distributor.settings import load
from tests.benchmarks import crowd, estate
from tests.benchmarks.results import ROOT
from tests.controlplane import ControlPlane

Figures = dict[str, float]


class Host:
    """A service in a process of its own; see `tests.benchmarks.hosting`."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.hosting", str(folder)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    async def ask(self, *words: str) -> Figures:
        """Give a command, if there is one, and wait for the answer."""
        return await asyncio.to_thread(self._ask, " ".join(words))

    def _ask(self, line: str) -> Figures:
        if line:
            given = _piped(self._process.stdin)
            given.write(line + "\n")
            given.flush()
        answer = _piped(self._process.stdout).readline()
        if not answer:
            msg = f"the service ended at {line or 'its start'}"
            raise RuntimeError(msg)
        found: Figures = json.loads(answer)
        return found

    def close(self) -> None:
        """End it."""
        _piped(self._process.stdin).close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _piped(self._process.stdout).close()


def _piped(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        msg = "the service has no such stream"
        raise RuntimeError(msg)
    return stream


class Stage:
    """A playground with the crowd accepted and not carried out yet, and the service over it."""

    def __init__(self, place: Playground, plane: ControlPlane, which: crowd.Crowd) -> None:
        self.place = place
        self.crowd = which
        self._plane = plane
        self._host: Host | None = None
        self.peaks: Figures = {"peak_mib": 0.0, "workers_mib": 0.0}

    async def install(self) -> Figures:
        """Start the service and wait until all is applied and verified."""
        await asyncio.to_thread(self._prepare)
        await estate.accept_everything(self.place, carried_out=False)
        began = await self._start()
        found = await self.host.ask("installed", str(self.crowd.apps), str(self.crowd.objects))
        used = await self.counted()
        await asyncio.to_thread(self._tidied)
        for _ in range(2):  # watches begin at the first, and are believed from the second on
            await self.host.ask("resynced")
        return began | used | found

    async def change(self, app: str) -> Figures:
        """Release and promote a new version of one app; from the tag's push on."""
        head = await asyncio.to_thread(self._release, app)
        await self.host.ask("warmed", head)
        before = await self.counted()
        wanted = str(int(before["requests.patch"]) + 1)
        async with self._person() as person:
            snapshot = await person.look()
            ask = Ask(
                verb=Verb.PROMOTE,
                environment=crowd.ENVIRONMENT,
                instance=app,
                version=crowd.NEXT,
            )
            began = time.perf_counter()
            await make_request(person.world, snapshot, ask, tagger=PEOPLE["sre"], signer=None)
        found = await self.host.ask("patched", wanted)
        after = await self.counted()
        return {
            "seconds": found["applied_at"] - began,
            "patches": after["requests.patch"] - before["requests.patch"],
            "writes": after["writes"] - before["writes"],
        }

    async def nothing(self, number: int) -> Figures:
        """Push a commit that changes no app, and have every target looked at for it."""
        head = await asyncio.to_thread(self._remark, number)
        before = await self.counted()
        began = time.perf_counter()
        await asyncio.to_thread(self.place.push)
        found = await self.host.ask("followed", head)
        after = await self.counted()
        return {
            "seconds": found["done_at"] - began,
            "targets": found["targets"],
            "writes": after["writes"] - before["writes"],
            "requests": after["requests"] - before["requests"],
        }

    async def restart(self, *, forget: bool) -> Figures:
        """Start anew, with or without the database; what the look at everything costs that comes first."""
        await asyncio.to_thread(self.host.close)
        if forget:
            for file in self.place.state.glob("distributor.sqlite*"):
                file.unlink()
        await self._start()
        found = await self.host.ask("started")
        return await self.counted() | found

    async def counted(self) -> Figures:
        """What the service used so far, and of all its processes the most that one of them ever held."""
        found = await self.host.ask("counted")
        for name in self.peaks:
            self.peaks[name] = max(self.peaks[name], found[name])
        return found

    @property
    def host(self) -> Host:
        if self._host is None:
            msg = "the service was not started"
            raise RuntimeError(msg)
        return self._host

    def close(self) -> None:
        if self._host is not None:
            self._host.close()

    async def _start(self) -> Figures:
        self._host = Host(self.place.root)
        return await self._host.ask()

    def _prepare(self) -> None:
        with self.place.config.open("a", encoding="utf-8") as file:
            file.write(f'\n[connections.bench]\nkubeconfig = "{self._plane.kubeconfig}"\n')
        for name in (crowd.NAMESPACE, PARENT_NAMESPACE):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self._plane.client.send("POST", "/api/v1/namespaces", body)

    def _tidied(self) -> None:
        """Pack the shared repository, as forges do it from time to time."""
        command = ["git", "-C", str(self.place.remote), "gc", "--quiet"]
        subprocess.run(command, check=True, timeout=120)

    def _release(self, app: str) -> str:
        self._write(dict(crowd.version(app, crowd.NEXT, "debug")))
        return self.place.commit(f"{app} {crowd.NEXT}", datetime.now(UTC))

    def _remark(self, number: int) -> str:
        """A commit that is not pushed yet."""
        self._write({"REMARKS.md": f"Remark {number}\n".encode()})
        who = PEOPLE["release-manager"]
        return commit_all(self.place.catalog, f"Remark {number}", who, datetime.now(UTC))

    def _write(self, files: Mapping[str, bytes]) -> None:
        for path, data in files.items():
            file = self.place.catalog / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    @asynccontextmanager
    async def _person(self) -> AsyncIterator[Any]:
        settings = load({}, {}, self.place.root).settings
        beside = replace(settings, state_dir=str(self.place.root / "person"))
        async with open_service(beside, writing=False) as person:
            yield person


@asynccontextmanager
async def staged(root: Path, plane: ControlPlane, which: crowd.Crowd) -> AsyncIterator[Stage]:
    """Make the playground; whatever was started ends with it."""
    place = await asyncio.to_thread(estate.playground, root, crowd.files(which))
    stage = Stage(place, plane, which)
    try:
        yield stage
    finally:
        await asyncio.to_thread(stage.close)
