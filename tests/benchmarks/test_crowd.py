"""1,000 apps of four objects on a real API server, by a running service and by a bare loop over the same bytes.

`BENCH_APPS` is another number of apps, for a quick look. `BENCH_FLUX` is the path of Flux's kustomize-controller: it gets
`BENCH_FLUX_APPS` of the apps on a control plane of its own, after ours has ended.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.benchmarks import flux, fluxing
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.crowding import Stage, staged
from tests.benchmarks.floor import floor
from tests.benchmarks.results import RIVAL, Result
from tests.controlplane import Assets, ControlPlane, control_plane, find_assets

pytestmark = [pytest.mark.benchmark, pytest.mark.controlplane]
CROWD = Crowd(apps=int(os.environ.get("BENCH_APPS", "1000")))
ROUNDS = 5
Figures = Mapping[str, float]


async def test_a_thousand_small_apps(tmp_path):
    rival = flux.chosen(os.environ, CROWD)
    assets = await asyncio.to_thread(find_assets)
    result = Result(name="crowd", figures={"apps": CROWD.apps, "objects": CROWD.objects})
    async with (
        control_plane(nodes=0, assets=assets) as plane,
        staged(tmp_path / "play", plane, CROWD) as stage,
    ):
        install(result, await stage.install())
        await one_changed(result, stage)
        await nothing_changed(result, stage)
        await looks(result, stage)
        result.figures |= stage.peaks
        await against_the_floor(result, plane)
    compared(result)
    aims(result)
    try:
        if rival is not None:
            await against_flux(result, rival, assets, tmp_path / "flux")
    finally:  # what was measured of ours stays, whatever the other one does
        result.write()


def install(result: Result, found: Figures) -> None:
    figures, objects = result.figures, CROWD.objects
    figures |= {
        "install.seconds": found["applied_at"] - found["began_at"],
        "install.verified_seconds": found["verified_at"] - found["began_at"],
        "install.writes": found["writes"],
        "install.requests": found["requests"],
        "install.ledger_pushes": found["pushes"],
        "install.cpu_ms_object": found["cpu"] / objects * 1000,
        "install.helpers_cpu_ms_object": found["helpers_cpu"] / objects * 1000,
        "install.cpu_ms_app": (found["cpu"] + found["helpers_cpu"]) / CROWD.apps * 1000,
    }
    figures["install.objects_a_second"] = objects / figures["install.seconds"]


async def one_changed(result: Result, stage: Stage) -> None:
    """Several times another app's new version: the tag's push to the object as the server has it."""
    rounds = [await stage.change(stage.crowd.names[-1 - number]) for number in range(ROUNDS)]
    ordered = sorted(found["seconds"] for found in rounds)
    result.figures["changed.p50_ms"] = ordered[ROUNDS // 2] * 1000
    result.figures["changed.max_ms"] = ordered[-1] * 1000
    result.figures["changed.objects_written"] = max(found["patches"] for found in rounds)
    result.figures["changed.writes"] = max(found["writes"] for found in rounds)


async def nothing_changed(result: Result, stage: Stage) -> None:
    """A commit on main that no app is made of: pushed, fetched, and every target looked at for it."""
    rounds = [await stage.nothing(number) for number in range(ROUNDS)]
    ordered = sorted(found["seconds"] for found in rounds)
    result.figures["nothing.p50_ms"] = ordered[ROUNDS // 2] * 1000
    result.figures["nothing.max_ms"] = ordered[-1] * 1000
    result.figures["nothing.writes"] = sum(found["writes"] for found in rounds)
    result.figures["nothing.requests"] = max(found["requests"] for found in rounds)
    result.figures["nothing.targets"] = min(found["targets"] for found in rounds)


async def looks(result: Result, stage: Stage) -> None:
    """Full looks after restarts: with everything that was remembered, and with the database deleted."""
    for name, forget in (("kept", False), ("lost", True)):
        found = await stage.restart(forget=forget)
        result.figures[f"resync.{name}_requests_an_app"] = found["requests"] / CROWD.apps
        result.figures[f"resync.{name}_writes"] = found["writes"]


async def against_the_floor(result: Result, plane: ControlPlane) -> None:
    found = await floor(plane, CROWD)
    result.figures["floor.seconds"] = found.seconds
    result.figures["floor.writes"] = found.writes
    result.figures["floor.objects_a_second"] = CROWD.objects / found.seconds
    result.figures["floor.cpu_ms_object"] = found.cpu / CROWD.objects * 1000
    result.figures["install.ratio"] = result.figures["install.seconds"] / found.seconds


def compared(result: Result) -> None:
    """The service and its render workers as one, as a program is that does all in one process."""
    figures = result.figures
    figures["all_peak_mib"] = figures["peak_mib"] + figures["workers_mib"]


async def against_flux(result: Result, rival: flux.Rival, assets: Assets, folder: Path) -> None:
    """The same apps by Flux's controller, on a control plane of the same kind that nothing else uses."""
    async with control_plane(nodes=0, assets=assets) as plane:
        try:
            found = await asyncio.to_thread(fluxing.measure, plane, rival, folder)
        except flux.RivalError as error:
            result.notes.append(f"{flux.PROGRAM}: {error}")
            raise
    result.figures |= {f"{RIVAL}{name}": value for name, value in found.items()}


def aims(result: Result) -> None:
    figures = result.figures
    per = {name: figures[f"install.{name}"] / CROWD.apps for name in ("requests", "writes")}
    costs = (
        f"{per['requests']:.1f} requests an app, {per['writes']:.1f} of them writes, "
        f"{figures['install.cpu_ms_object']:.2f} ms of its own processor an object against the floor's "
        f"{figures['floor.cpu_ms_object']:.2f}"
    )
    slow = "see the parts of the benchmark promotion"
    for figure, limit, unit, cause in (
        ("install.ratio", 1.5, "times", costs),
        ("install.writes", 1.25 * CROWD.objects, "writes", costs),
        ("peak_mib", 200, "MiB", "the service keeps too much"),
        ("changed.p50_ms", 500, "ms", slow),
        ("changed.objects_written", 1, "objects", "others were written too"),
        ("nothing.p50_ms", 600, "ms", "every target costs a look at the read model"),
        ("nothing.writes", 0, "writes", "something was written"),
        ("resync.kept_requests_an_app", 2, "requests", "watches vouched for too few"),
        ("resync.lost_requests_an_app", 2, "requests", "targets were read one by one"),
    ):
        result.aim(figure, limit, unit, cause=cause)
