"""Rendering in one run, as ratios: against kubectl, against kustomize itself, and what repeats cost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from distributor.adapters.engine import EnginePool, EngineSettings
from tests.benchmarks import rendering
from tests.benchmarks.results import Result
from tests.oracle import find_kubectl
from tests.realapps import real_apps

pytestmark = pytest.mark.benchmark
OVERLAYS = 200
TURNS = 25
KUBECTL_RUNS = 2  # of each turn
THOUSAND = 1_000
CELLS = 500  # as many as the cache also keeps in memory
SHOP_RENDERS = 30
ROUNDS = 3
SHOP_ROUNDS = 5
RENDERS = 10_000
PART = 1_000


async def test_rendering(tmp_path):
    source = real_apps() / "online-boutique"
    result = Result(name="render", figures={"overlays": OVERLAYS, "renders": RENDERS})
    for objects, rate in ((4, 500), (10, 300)):
        await against_kubectl(result, objects, tmp_path / f"overlay-{objects}")
        await a_thousand(result, objects, rate)
    await the_shop(result, source, tmp_path / "shop")
    repeats(result, tmp_path / "cache")
    await memory(result)
    result.write()


async def against_kubectl(result: Result, objects: int, folder: Path) -> None:
    """One worker, one overlay after the other; kubectl by turns with it, so that both meet the same load."""
    kubectl = find_kubectl()
    written = rendering.write(rendering.overlay(objects, "same"), folder) / "overlay"
    jobs = [rendering.overlay_job(objects, f"n{number}") for number in range(OVERLAYS)]
    ours: list[float] = []
    theirs: list[float] = []
    pool = EnginePool(EngineSettings(workers=1))
    try:
        await rendering.one_by_one(pool, jobs[:20])
        for turn in range(TURNS):
            theirs += await asyncio.to_thread(
                rendering.kubectl_seconds, kubectl, written, KUBECTL_RUNS
            )
            ours += await rendering.one_by_one(pool, jobs[turn::TURNS])
    finally:
        await pool.aclose()
    mine, other = rendering.median_ms(ours), rendering.median_ms(theirs)
    name = f"overlay.{objects}_objects"
    result.figures |= {f"{name}.engine_ms": mine, f"{name}.kubectl_ms": other}
    result.figures[f"{name}.times_faster"] = other / mine
    result.figures[f"{name}.share"] = mine / other
    cause = f"an overlay takes {mine:.1f} ms here and {other:.0f} ms by kubectl"
    result.aim(f"{name}.share", 1 / 12, "of kubectl's time", cause=cause)


async def a_thousand(result: Result, objects: int, rate: int) -> None:
    """A thousand overlays on two workers; the aim is a rate, so the time has a limit."""
    jobs = [rendering.overlay_job(objects, f"n{number}") for number in range(THOUSAND)]
    rounds = [await rendering.all_at_once(2, jobs) for _ in range(ROUNDS)]
    seconds, used = min(rounds)
    name = f"thousand.{objects}_objects"
    result.figures |= {
        f"{name}.seconds": seconds,
        f"{name}.a_second": THOUSAND / seconds,
        f"{name}.processor_ms": used / THOUSAND * 1000,
    }
    cause = f"{THOUSAND / seconds:.0f} a second of {rate}; one uses {used / THOUSAND * 1000:.2f} ms of a processor"
    result.aim(f"{name}.seconds", THOUSAND / rate, "s", cause=cause)


async def the_shop(result: Result, source: Path, folder: Path) -> None:
    """Online Boutique with three components: as a package's layers, and by kustomize itself."""
    job = rendering.shop_with_components(source, folder)
    runs, alone = [], {}
    pool = EnginePool(EngineSettings(workers=1))
    try:
        await rendering.one_by_one(pool, [job] * 5)
        for _ in range(SHOP_ROUNDS):  # by turns, so that both meet the same load
            found = await asyncio.to_thread(
                rendering.kustomize_seconds, folder, "top", renders=SHOP_RENDERS, count=1
            )
            alone = {name: min(value, alone.get(name, value)) for name, value in found.items()}
            seconds = await rendering.one_by_one(pool, [job] * SHOP_RENDERS)
            runs.append(sum(seconds) / len(seconds))
    finally:
        await pool.aclose()
    mine, other = min(runs) * 1000, alone["yaml"] * 1000
    result.figures |= {
        "shop.engine_ms": mine,
        "shop.kustomize_ms": other,
        "shop.kustomize_without_output_ms": alone["run"] * 1000,
        "shop.ratio": mine / other,
    }
    cause = f"framing, checks and JSON add {mine - other:.1f} ms to kustomize's {other:.1f} ms"
    result.aim("shop.ratio", 1.15, "times", cause=cause)


def repeats(result: Result, folder: Path) -> None:
    """What is rendered already: a hit in the cache, and binding it for many clusters."""
    disk, memory = rendering.cache_seconds(folder, CELLS)
    seconds, own = min(rendering.binding_seconds(THOUSAND) for _ in range(ROUNDS))
    result.figures |= {
        "cache.disk_hit_us": disk * 1e6,
        "cache.memory_hit_us": memory * 1e6,
        "binding.thousand_clusters_ms": seconds * 1000,
        "binding.own_objects": own,
    }
    result.aim("cache.disk_hit_us", 100, "us", cause="reading, hashing and touching the entry")
    result.aim(
        "binding.thousand_clusters_ms", 300, "ms", cause=f"{own} of 30 objects are made anew"
    )


async def memory(result: Result) -> None:
    """Resident memory of one worker: flat, from the first thousand renders to the last."""
    found = await rendering.memory_of(RENDERS)
    first, last = max(found[:PART]), max(found[-PART:])
    result.figures |= {
        "worker.first_thousand_mib": first,
        "worker.last_thousand_mib": last,
        "worker.peak_mib": max(found),
        "worker.growth": last / first,
    }
    cause = f"from {first:.0f} to {last:.0f} MiB over {RENDERS} renders"
    result.aim("worker.growth", 1.1, "times", cause=cause)
