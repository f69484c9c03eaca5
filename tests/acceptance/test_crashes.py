"""kill -9 between any two steps: the end state is the same, nothing is applied twice harmfully or forgotten."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distributor.model.tags import Verb
from distributor.services.asking.views import InstanceStage, instance_views
from tests.seeds import seed

KILLS = 28
SERVING = 10.0
"""Seconds after which a service that did not die is asked to stop."""
REACHES = (9, 20, 45)
"""Steps after which a process is killed at the latest; the last is about what three rollouts take."""
ACTS = (
    (("shop", "1.4.1"), ("website", "1.0.0"), ("iot-gateway", "2.0.0")),
    (("shop", "1.4.2"), ("website", "1.1.0"), ("iot-gateway", "2.1.0")),
    (("shop", "1.4.1"), ("quota-profiles", "1.0.0"), ("bookinfo", "1.0.0")),
    (("shop", "1.4.2"), ("quota-profiles", "1.1.0"), ("bookinfo", "1.1.0")),
    (("website", "1.0.0"), ("iot-gateway", "2.0.0"), ("iis-site", "1.0.0")),
)


def dies(play, steps: int, command: str) -> bool:
    """Whether a process dies at a step: one that syncs, until it ended; one that serves, for a while."""
    environment = os.environ | {"DISTRIBUTOR_CONFIG": str(play.place.config), "CI": "true"}
    options = ["-o", "json"] if command == "sync" else ["--port", "0"]
    program = [
        sys.executable,
        str(Path(__file__).parent / "dying.py"),
        str(steps),
        command,
        *options,
    ]
    with subprocess.Popen(
        program, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            _, said = process.communicate(timeout=120 if command == "sync" else SERVING)
        except subprocess.TimeoutExpired:
            while not heeds(process):
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGKILL), said.decode()
    return process.returncode != 0


def heeds(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has a handler for being asked to stop, or has ended: on a busy machine that takes a while."""
    if process.poll() is not None:
        return True
    status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


async def push(play, act) -> None:
    async with play.service() as service:
        for app, version in act:
            await play.ask(service, Verb.PROMOTE, "sit", app, version)


async def finish(play) -> list[tuple[str, str, str]]:
    """Let everything come to its end, check that nothing is lost, and say what runs."""
    async with play.service() as service:
        await service.sync()
        running = [v for v in await instance_views(service) if v.targets]
        assert all(v.stage is InstanceStage.VERIFIED for v in running), running
        assert all(v.in_step == v.targets for v in running), running
        for (environment, instance), state in service.book.state.instances.items():
            if state.desired is not None:
                await nothing_lost(service, environment, instance, state.desired)
        each_once(service.book.state)
        return sorted((v.environment, v.instance, v.version) for v in running)


async def nothing_lost(service, environment, instance, desired) -> None:
    """Every inventory names what is there and nothing else, and holds the accepted sequence number."""
    for name in desired.targets:
        cluster = service.snapshot.catalog.environments[environment].clusters[name]
        target = await service.world.connections.open(cluster)
        inventory = await target.read_inventory(environment, instance)
        assert inventory is not None
        live = await target.read_live(tuple(inventory.entries.values()))
        assert set(live) == set(inventory.entries)
        assert inventory.sequence == desired.sequence


def each_once(ledger) -> None:
    """Each request was accepted once, under a number of its own."""
    accepted = [v for state in ledger.instances.values() for v in state.accepted]
    assert len({v.sequence for v in accepted}) == len(accepted)
    assert len({v.ref for v in accepted}) == len(accepted)


async def killed(play, kills: int, rng: random.Random) -> int:
    """Carry all acts out, killed as often as asked on the way; how often it was."""
    done = 0
    for number, act in enumerate(ACTS, 1):
        await push(play, act)
        while done < kills * number // len(ACTS):
            command = rng.choice(("sync", "sync", "serve"))
            steps = rng.randint(1, rng.choice(REACHES))
            if await asyncio.to_thread(dies, play, steps, command):
                done += 1
            elif command == "sync":  # it came to its end: nothing is left to be killed at
                break
        await finish(play)
    return done


async def same_as_never_killed(play, other_play) -> None:
    for act in ACTS:
        await push(other_play, act)
        await finish(other_play)
    assert await finish(play) == await finish(other_play)
    assert play.fleet() == other_play.fleet()


@pytest.mark.timeout(900)
async def test_killed_between_any_two_steps_it_ends_as_it_would_have(play, other_play):
    assert await killed(play, KILLS, random.Random(seed())) >= 20
    await same_as_never_killed(play, other_play)


@pytest.mark.soak
@pytest.mark.timeout(7200)
async def test_killed_hundreds_of_times(play, other_play):
    rng, done = random.Random(seed()), 0
    while done < 300:
        done += await killed(play, 50, rng)
    await same_as_never_killed(play, other_play)
