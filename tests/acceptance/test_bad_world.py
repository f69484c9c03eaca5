"""A world that fails: remotes, disks, processes and clocks. Nothing is lost, and it goes on by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from distributor.adapters.directory import DirectoryConnections, Disk
from distributor.errors import DistributorError
from distributor.errors.cluster import TargetNotWritable
from distributor.errors.git import RemoteUnreachable
from distributor.errors.service import BadSetting
from distributor.model.fleet import Mode
from distributor.model.tags import Verb
from distributor.services.asking.views import InstanceStage, instance_views
from distributor.services.service import Service
from distributor.services.targets.connections import OpenByMode
from tests.acceptance.forging import Draft, forger, verdict_on


async def until(question, seconds=60.0):
    """Wait until the question is answered with something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := await question():
            return found
        await asyncio.sleep(0.05)
    pytest.fail("it did not come about in time")


async def stage(service, environment="sit", instance="shop"):
    return (await instance_views(service, environment, instance))[0].stage


class NoTimers:
    """Timers that wake nobody: the tests do."""

    def every(self, name, seconds, wake):
        pass

    def at(self, name, when, wake):
        pass

    def stop(self):
        pass


async def test_an_unreachable_remote_is_told_and_comes_back(play):
    away = play.place.remote.with_name("away.git")
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        before = play.fleet()
        name = next(n for n in play.folder("sit", "sit-central-1") if "shop" in n)
        (play.place.clusters / "sit" / "sit-central-1" / name).write_text("# by hand\n")
        play.place.remote.rename(away)
        await service.sync()
        assert isinstance(service.offline, RemoteUnreachable)
        assert service.offline.retryable
        assert play.fleet() == before  # what runs is still healed
        away.rename(play.place.remote)
        await play.promote(service, "1.4.2", "sit")
        assert service.offline is None
        assert play.fleet() != before


async def test_a_rollout_under_way_finishes_while_the_remote_is_away(play):
    away = play.place.remote.with_name("away.git")
    async with play.service() as service:
        await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.1")
        await service.once()
        play.place.remote.rename(away)

        async def delivered():
            rows = await service.world.store.targets("sit", "shop")
            return [r for r in rows if r.actuation == "applied"]

        assert await until(delivered)
        state = service.book.state.instance("sit", "shop")
        assert state.progress[1].verified_at is None
        away.rename(play.place.remote)

        async def recorded():
            await service.once()
            return service.book.state.instance("sit", "shop").progress[1].verified_at

        assert await until(recorded)
        assert await stage(service) is InstanceStage.VERIFIED
    (record,) = forger(play).recorded("promote/sit/shop/1.4.1")
    assert record["verdict"]["outcome"] == "accepted"


@contextmanager
def silent_server():
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held, done = [], threading.Event()
        server.settimeout(0.1)

        def accept():
            while not done.is_set():
                with suppress(TimeoutError):
                    held.append(server.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join()
            for connection in held:
                connection.close()


async def test_a_hanging_remote_is_given_up_in_time(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
    before = play.fleet()
    with silent_server() as port:
        url = f"git://127.0.0.1:{port}/catalog.git"
        with pytest.raises(BadSetting, match="belongs to"):
            async with play.service(repository=url):
                pass
        for file in play.place.state.glob("distributor.sqlite*"):
            file.unlink()  # as the remedy says of a repository that moved
        async with play.service(repository=url, git_timeout=0.5) as service:
            start = time.monotonic()
            await service.sync()
            assert time.monotonic() - start < 10
            assert isinstance(service.offline, RemoteUnreachable)
            assert await stage(service) is InstanceStage.VERIFIED
    assert play.fleet() == before


@pytest.mark.parametrize("how", ["missing", "file"])
async def test_a_cluster_folder_that_cannot_be_written_is_owed_the_revision(play, how):
    folder = play.place.clusters / "sit" / "sit-central-1"
    shutil.rmtree(folder)
    if how == "file":
        folder.write_text("in the way\n")
    async with play.service() as service:
        await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.1")
        await service.once()

        async def seen():
            rows = await service.world.store.targets("sit", "shop")
            return {r.cluster: r for r in rows} if len(rows) > 1 else None

        rows = await until(seen)
        bad = rows.pop("sit-central-1")
        assert bad.actuation == "unreachable"
        (found,) = orjson.loads(bad.detail)["findings"]
        assert found["code"] == TargetNotWritable.code
        assert all(r.actuation == "applied" for r in rows.values())
        assert await stage(service) is not InstanceStage.VERIFIED
        if how == "file":
            assert folder.read_text() == "in the way\n"
            folder.unlink()
        folder.mkdir()

        async def whole():
            await service.once()
            return await stage(service) is InstanceStage.VERIFIED

        await until(whole, 60)
        assert play.folder("sit", "sit-central-1")


async def test_a_rollout_that_waits_gives_its_claim_back_and_writes_nothing_more(play):
    """A cluster out of reach costs no commit for each look at it; when it is back, it is claimed again."""
    folder = play.place.clusters / "sit" / "sit-central-1"
    shutil.rmtree(folder)
    async with play.service() as service:
        await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.1")
        await service.sync()
        claim = service.book.state.instance("sit", "shop").claim
        assert claim is not None
        assert claim.released
        head = service.book.state.head
        for _ in range(3):
            await service.sync()
        assert service.book.state.head == head
        folder.mkdir()
        await service.sync()
        assert await stage(service) is InstanceStage.VERIFIED
        again = service.book.state.instance("sit", "shop").claim
        assert again.number == claim.number + 1
        assert again.released


class FullDisk(Disk):
    """No space is left once the switch is on."""

    full = True

    def write(self, draft, data, mode):
        if self.full:
            draft.write_bytes(data[:7])
            raise TargetNotWritable(f"{draft}: No space left on device")
        super().write(draft, data, mode)


async def test_a_full_disk_leaves_what_was_there_and_is_tried_again(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
    before = play.fleet()
    disk = FullDisk()
    async with play.service() as service:
        connections = OpenByMode(
            {Mode.DIRECTORY: DirectoryConnections(play.place.clusters, disk=disk)}
        )
        full = Service(replace(service.world, connections=connections), NoTimers())
        try:
            await play.ask(full, Verb.PROMOTE, "sit", "shop", "1.4.2")
            await full.once()

            async def failed():
                rows = await full.world.store.targets("sit", "shop")
                return all(TargetNotWritable.code in r.detail for r in rows)

            await until(failed)
            assert play.fleet() == before
            disk.full = False

            async def whole():
                await full.once()
                return await stage(full) is InstanceStage.VERIFIED

            await until(whole, 60)
        finally:
            await full.stop()
    assert play.fleet() != before


@pytest.mark.parametrize("where", ["state", "state/repository.git", "state/holder"])
async def test_a_state_folder_that_cannot_be_used_is_told(play, where):
    path = play.place.root / where
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if where == "state/holder":
        path.mkdir()
    else:
        path.write_text("in the way\n")
    with pytest.raises(DistributorError) as caught:
        async with play.service():
            pass
    assert caught.value.code in {"DST703", "DST610"}
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("data", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 9000])
async def test_a_database_of_garbage_is_told_and_may_be_deleted(play, data):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
    before = play.fleet()
    for file in play.place.state.glob("*.sqlite-*"):
        file.unlink()
    database = play.place.state / "distributor.sqlite"
    database.write_bytes(data)
    with pytest.raises(DistributorError) as caught:
        async with play.service():
            pass
    assert caught.value.code == "DST710"
    database.unlink()
    async with play.service() as service:
        await service.sync()
        assert await stage(service) is InstanceStage.VERIFIED
        await play.promote(service, "1.4.2", "sit")
    assert play.fleet() != before


async def test_render_workers_that_are_killed_are_replaced(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        for worker in service.world.engine.workers():
            os.kill(worker.pid, signal.SIGKILL)
        await play.promote(service, "1.4.2", "sit")
        await play.promote(service, "1.0.0", "sit", app="website")
        assert await stage(service) is InstanceStage.VERIFIED
        assert service.book.state.instance("sit", "shop").desired.revision.version == "1.4.2"


def serve(play, port):
    """The program itself, in a process group of its own."""
    environment = os.environ | {"DISTRIBUTOR_CONFIG": str(play.place.config), "CI": "true"}
    return subprocess.Popen(
        [sys.executable, "-m", "distributor", "serve", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


async def test_a_killed_server_goes_on_after_its_next_start(play):
    evil = forger(play)
    names = [evil.tag(Draft()), evil.tag(Draft(instance="website", version="1.0.0"))]
    for pause in (1.5, 2.5):
        process = serve(play, free_port())
        await asyncio.sleep(pause)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    async with play.service() as service:
        await service.sync()
        for name in names:
            assert verdict_on(service, name).accepted
        assert await stage(service) is InstanceStage.VERIFIED
        assert await stage(service, "sit", "website") is InstanceStage.VERIFIED
    for name in names:
        assert len(evil.recorded(name)) == 1


class ShiftedClock:
    """The real clock, some time off."""

    def __init__(self):
        self.shift = timedelta()

    def now(self):
        return datetime.now(UTC) + self.shift

    async def sleep(self, seconds):
        await asyncio.sleep(max(seconds, 0))


def times(play):
    """The time of every ledger record, file by file, and of every commit in their order."""
    evil = forger(play)
    commits = [int(t) for t in evil.git("log", "--reverse", "--format=%ct", "ledger").split()]
    files = evil.git("ls-tree", "-r", "--name-only", "ledger", "records/").splitlines()
    records = {f: [orjson.loads(n)["at"] for n in evil.read(f).splitlines()] for f in files}
    return commits, records


@pytest.mark.parametrize("jump", [-3600, -30 * 86400])
async def test_a_clock_that_jumps_back_never_takes_the_ledger_back(play, jump):
    clock = ShiftedClock()
    async with play.service() as service:
        shifted = Service(replace(service.world, clock=clock), NoTimers())
        try:
            await play.promote(shifted, "1.4.1", "sit")
            clock.shift = timedelta(seconds=jump)
            await play.promote(shifted, "1.4.2", "sit")
            await play.ask(shifted, Verb.HOLD, "sit", "website")
            await shifted.sync()
            assert await stage(shifted) is InstanceStage.VERIFIED
        finally:
            await shifted.stop()
    commits, records = times(play)
    assert commits == sorted(commits)
    for stamps in records.values():
        assert stamps == sorted(stamps)
