"""Server-side apply per object: aim at most 1.5 times a bare aiohttp loop over the same bytes."""

from __future__ import annotations

import asyncio
import statistics

import pytest

from distributor.adapters.kube import KubeConnections
from tests.benchmarks.applying import bare, objects, through_adapter, wires
from tests.benchmarks.results import Result
from tests.controlplane import ControlPlane, control_plane, find_assets

pytestmark = [pytest.mark.benchmark, pytest.mark.controlplane]
OBJECTS = 1_000
ROUNDS = 5


async def test_server_side_apply_per_object():
    assets = await asyncio.to_thread(find_assets)
    async with control_plane(nodes=0, controllers=False, assets=assets) as plane:
        connections = KubeConnections({"bench": {"kubeconfig": str(plane.kubeconfig)}})
        try:
            rounds = [await one_round(plane, connections, n) for n in range(ROUNDS + 1)]
        finally:
            await connections.aclose()
    write(rounds[1:])  # the first one warms the server


async def one_round(plane: ControlPlane, connections: KubeConnections, number: int):
    """Seconds of (create, apply again) by both, who goes first by turns."""
    manifests = {}
    for who in ("ours", "bare"):
        namespace = await asyncio.to_thread(plane.new_namespace, who)
        manifests[who] = objects(namespace, OBJECTS)
    seconds: dict[str, float] = {}
    for what in ("create", "again"):
        for who in ("ours", "bare") if number % 2 else ("bare", "ours"):
            if who == "ours":
                taken = await through_adapter(connections, manifests[who])
            else:
                taken = await bare(plane, wires(plane.url, manifests[who]))
            seconds[f"{what}.{who}"] = taken
    return seconds


def write(rounds: list[dict[str, float]]) -> None:
    result = Result(name="apply", figures={"objects": OBJECTS, "rounds": ROUNDS})
    for what in ("create", "again"):
        for who in ("ours", "bare"):
            per_object = statistics.median(r[f"{what}.{who}"] for r in rounds) / OBJECTS
            result.figures[f"{what}.{who}_ms"] = per_object * 1000
        ratio = statistics.median(r[f"{what}.ours"] / r[f"{what}.bare"] for r in rounds)
        result.figures[f"{what}.ratio"] = ratio
        ours, floor = result.figures[f"{what}.ours_ms"], result.figures[f"{what}.bare_ms"]
        cause = f"the adapter adds {ours - floor:.2f} ms an object to the server's {floor:.2f} ms"
        result.aim(f"{what}.ratio", 1.5, "times", cause=cause)
    result.write()
