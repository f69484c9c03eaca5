"""A soak: edits, deletions, restarts and promotions at random on two API servers; then all must be as asked.

``DISTRIBUTOR_SOAK_SECONDS`` says how long the long one goes on, ``DISTRIBUTOR_TEST_SEED`` repeats its moves.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from distributor.model.tags import Verb
from distributor.services.asking.views import InstanceStage, InstanceView
from tests.integration.soak.fleet import CLUSTERS, RESYNC, VERSIONS, Fleet, fleet_of
from tests.integration.soak.judging import program, touched, wrong
from tests.integration.soak.moves import Foreign, Moves
from tests.integration.soak.serving import MIB, Serving, growth
from tests.seeds import seed

pytestmark = pytest.mark.controlplane

HOUR = 3600.0
SETTLING = 600.0
"""Seconds within which all must be in step again once nobody does anything any more."""
RESTARTING = 0.35
"""The share of a soak in which the service's process is ended now and then; then one lives to the end."""
FLAT = 1.2
ROOM = 16 * MIB
NEW_FILES = 16


@pytest.mark.soak
@pytest.mark.timeout(7200)
async def test_an_hour_of_chaos_leaves_what_was_asked_for(tmp_path: Path, control_planes):
    seconds = float(os.environ.get("DISTRIBUTOR_SOAK_SECONDS", "") or HOUR)
    planes = control_planes(2, fresh=True)
    instances = [f"soak-{letter}" for letter in "abcdef"]
    await soak(tmp_path, planes, instances, seconds=seconds, quiet=min(60.0, seconds / 4))


@pytest.mark.timeout(300)
async def test_a_minute_of_chaos_leaves_what_was_asked_for(tmp_path: Path, control_planes):
    instances = ("soaked-a", "soaked-b")
    await soak(tmp_path, control_planes(2), instances, seconds=12, quiet=4)


async def test_the_judgement_sees_what_is_wrong(tmp_path: Path, control_planes):
    """Without it the others could not fail: something is changed, deleted, added and touched."""
    planes = dict(zip(CLUSTERS, control_planes(2), strict=True))
    async with fleet_of(tmp_path / "play", planes, "judged") as fleet, fleet.looking() as service:
        async with serving(fleet) as running:
            moves = Moves(fleet=fleet, service=service, serving=running, seed=0)
            await begin(moves)
        assert await wrong(fleet, service, tmp_path / "before") == []
        maps, first = "/api/v1/namespaces/judged/configmaps", CLUSTERS[0]
        part = (await moves.send(first, "GET", f"{maps}/part-1"))["metadata"]
        copy = {"name": "part-x", "labels": part["labels"]}
        theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}}
        made = await moves.send(first, "POST", maps, theirs)
        version = made["metadata"]["resourceVersion"]
        foreign = [Foreign(cluster=first, path=f"{maps}/theirs", name="theirs", version=version)]
        assert touched(fleet, foreign) == []

        await moves.send(first, "POST", maps, {**theirs, "metadata": copy})
        await moves.send(first, "PATCH", f"{maps}/part-2", {"data": {"number": "two"}})
        await moves.send(first, "DELETE", f"{maps}/part-3")
        unlabelled = {"metadata": {"labels": None}}
        await moves.send(CLUSTERS[1], "PATCH", f"{maps}/part-4", unlabelled)
        await moves.send(first, "PATCH", f"{maps}/theirs", {"data": {"a": "b"}})
        found = "\n".join(await wrong(fleet, service, tmp_path / "after"))
        assert f"{first} ConfigMap judged/part-2: /data/number is 'two', not '2'" in found
        assert f"{first} ConfigMap judged/part-3 is missing (404)" in found
        assert f"{first} has ConfigMap/judged/part-x beyond what is desired" in found
        assert f"{CLUSTERS[1]} ConfigMap/judged/part-4 has not the label of its set" in found
        assert touched(fleet, foreign) == [f"{first} {maps}/theirs was written to"]


async def soak(root: Path, planes, instances, *, seconds: float, quiet: float) -> None:
    """Play, let it settle, judge."""
    named = dict(zip(CLUSTERS, planes, strict=True))
    async with (
        fleet_of(root / "play", named, *instances) as fleet,
        fleet.looking() as service,
        serving(fleet) as running,
    ):
        moves = Moves(fleet=fleet, service=service, serving=running, seed=seed())
        await begin(moves)
        await play(moves, seconds)
        await moves.end()
        took = await settle(moves)
        print(
            f"moves: {dict(moves.done)}; missed: {dict(moves.missed)}; in step after {took:.0f} s"
        )
        assert await wrong(fleet, service, root) == []
        assert await asyncio.to_thread(touched, fleet, moves.foreign) == []
        await program(fleet.place.root, "fsck")
        await still(fleet, running, quiet)
        flat(running)
        assert running.errors() == []


@contextlib.asynccontextmanager
async def serving(fleet: Fleet) -> AsyncIterator[Serving]:
    """The service's process, looked at every second."""
    running = Serving(fleet.place.root)
    await running.start()

    async def look() -> None:
        while True:
            running.sample()
            await asyncio.sleep(1)

    looking = asyncio.create_task(look())
    try:
        yield running
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        running.kill()


async def begin(moves: Moves) -> None:
    """Install everything once."""
    for instance in moves.fleet.instances:
        await moves.ask(Verb.PROMOTE, instance, VERSIONS[0])
    await settle(moves, looks=0)


async def play(moves: Moves, seconds: float) -> None:
    """Move after move; the last process of the service lives undisturbed."""
    began = time.monotonic()
    while (past := time.monotonic() - began) < seconds:
        await moves.one(restarts=past < RESTARTING * seconds)
        moves.serving.check()
        await asyncio.sleep(moves.random.expovariate(1 / 0.7))


async def settle(moves: Moves, *, looks: int = 1) -> float:
    """Wait until all was seen in step, some looks after the last move; the seconds it took.

    An operator is about, as always.
    """
    began = time.monotonic()
    since = (datetime.now(UTC) + timedelta(seconds=looks * RESYNC)).isoformat()
    while late := [str(v) for v in await views(moves) if not in_step(v, since)]:
        moves.serving.check()
        assert time.monotonic() - began < SETTLING, f"{late}\n{moves.serving.tail()}"
        await moves.operate()
        await asyncio.sleep(1)
    return time.monotonic() - began


async def views(moves: Moves) -> list[InstanceView]:
    return [await moves.view(instance) for instance in moves.fleet.instances]


def in_step(seen: InstanceView, since: str) -> bool:
    stands = (seen.stage, seen.in_step, seen.health)
    looked = all(as_time(c.observed_at) > as_time(since) for c in seen.clusters if c.observed_at)
    return stands == (InstanceStage.VERIFIED, len(CLUSTERS), "Current") and looked


def as_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def still(fleet: Fleet, running: Serving, seconds: float) -> None:
    """Nobody does anything: nothing is written, and little is asked."""
    before = {name: door.counts.copy() for name, door in fleet.doors.items()}
    await asyncio.sleep(seconds)
    running.check()
    asked = {name: door.counts - before[name] for name, door in fleet.doors.items()}
    print(f"requests in {seconds:.0f} s of quiet: { ({n: dict(c) for n, c in asked.items()}) }")
    assert {name: counts["write"] for name, counts in asked.items()} == dict.fromkeys(CLUSTERS, 0)


def flat(running: Serving) -> None:
    """Memory and open files of the process that lived longest at the end did not grow."""
    found = growth(running.lives[-1])
    print(f"{len(running.lives)} lives; {found}")
    assert found.late <= FLAT * found.early + ROOM, str(found)
    assert found.late_files <= found.early_files + NEW_FILES, str(found)
