"""Every benchmark's generator at a tiny size, so that none rots between two runs of `make bench`."""

from __future__ import annotations

import asyncio
import json

import pytest

from distributor.catalog.loading import Loader
from distributor.testing.trees import MemoryTrees
from tests.benchmarks import applying, estate, fleet, process, report
from tests.benchmarks.planning import Planner, mirrored
from tests.benchmarks.promotion import promotions, stage
from tests.benchmarks.results import Result, Stopwatch, largest, medians

TINY = fleet.Size(clusters=15, apps=2)


def test_the_fleet_is_a_whole_catalog():
    trees = MemoryTrees()
    catalog = Loader(trees).load(trees.add(fleet.files(TINY)))
    assert catalog.findings == ()
    assert len(catalog.apps) == 2
    assert sum(len(files.clusters) for files in catalog.environments.values()) == 15
    assert {c.tier for f in catalog.environments.values() for c in f.clusters.values()} == set(
        fleet.TIERS
    )


def test_one_changed_app_is_the_only_difference():
    before = fleet.files(TINY)
    after = fleet.changed(before, "app-001")
    assert [path for path in after if after[path] != before[path]] == [
        "catalog/app-001/1.0.0/base/config.yaml"
    ]


async def test_a_plan_finds_all_cells_and_then_the_changed_ones(tmp_path):
    contents = fleet.files(TINY)
    objects, root = await mirrored(tmp_path, contents)
    _, changed = await mirrored(tmp_path, fleet.changed(contents, "app-000"))
    planner = Planner(objects.path, workers=1)
    try:
        whole = await planner.plan(root, watch := Stopwatch())
        part = await planner.plan(changed, Stopwatch(), before=whole)
    finally:
        await planner.engine.aclose()
    assert whole.targets == TINY.targets
    assert len(whole.digests) == 2 * 15
    assert len(part.digests) == 15
    assert set(part.digests.values()).isdisjoint(whole.digests.values())
    assert planner.bind(whole) == TINY.targets * 4  # a namespace beside the three objects
    assert list(watch.seconds) == ["load", "place", "keys", "render"]


async def test_a_promotion_is_timed_and_a_warm_one_renders_nothing(tmp_path):
    async with stage(tmp_path) as found:
        await promotions(found, ["7.0.0"], warm=True)
        (warm,) = await promotions(found, ["8.0.0"], warm=True)
        (cold,) = await promotions(found, ["9.0.0"], warm=False)
    assert (warm.engine_renders, warm.ledger_pushes) == (0, 1)
    assert cold.engine_renders > 0
    assert 0 < warm.pushed < warm.applied
    assert sum(warm.parts().values()) == pytest.approx(warm.applied * 1000)


async def test_an_estate_is_what_a_service_would_have_recorded(tmp_path):
    place = await asyncio.to_thread(estate.playground, tmp_path / "play", fleet.files(TINY))
    assert await estate.accept_everything(place) == TINY.targets
    assert await asyncio.to_thread(_served, place) == TINY.targets


def _served(place) -> int:
    with process.served(place.root) as service:
        service.ready()
        memory = service.memory()
        assert memory.peak >= memory.now > 10
        return service.walk("/api/v1/targets")


def test_the_bare_loop_sends_what_the_adapter_would():
    manifests = applying.objects("here", 4)
    made = applying.wires("https://127.0.0.1:1", manifests)
    assert [wire.url.path for wire in made[:2]] == [
        "/apis/apps/v1/namespaces/here/deployments/app-0000",
        "/api/v1/namespaces/here/configmaps/config-0001",
    ]
    assert all(json.loads(wire.body)["metadata"]["namespace"] == "here" for wire in made)


def test_a_record_says_which_aim_was_missed_and_why(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DISTRIBUTOR_BENCH_RESULTS", str(tmp_path / "now"))
    figures = {"fast_ms": 10.0, "slow_ms": 30.0, "other": 1.0}
    result = Result(name="sample", figures=figures, load=1e4)
    result.aim("fast_ms", 20, "ms", cause="not told")
    result.aim("slow_ms", 20, "ms", cause="it is slow")
    document = json.loads(result.write().read_text("utf-8"))
    assert not document["met"]
    fast, slow = document["aims"]
    assert (fast["met"], fast["cause"]) == (True, "")
    assert not slow["met"]
    assert slow["cause"].startswith("it is slow; the machine was not ours alone: load 10000.0 on ")
    assert {"cores", "memory_mib", "python"} <= set(document["machine"])
    capsys.readouterr()
    earlier = tmp_path / "before"
    earlier.mkdir()
    (earlier / "sample.json").write_text(
        json.dumps(document | {"figures": {"slow_ms": 20.0}}), "utf-8"
    )
    assert report.main([str(earlier), "--results", str(tmp_path / "now")]) == 1
    shown = capsys.readouterr().out
    assert "+50 %" in shown
    assert "sample slow_ms: it is slow" in shown


def test_a_report_of_nothing_says_what_to_do(tmp_path, capsys):
    assert report.main(["--results", str(tmp_path)]) == 2
    assert "make bench" in capsys.readouterr().err


def test_medians_and_the_largest_part():
    runs = [{"a": 1.0, "b": 9.0}, {"a": 3.0, "b": 7.0}, {"a": 2.0, "b": 8.0}]
    assert medians(runs) == {"a": 2.0, "b": 8.0}
    assert largest(medians(runs), "s") == "b 8 s, a 2 s"
