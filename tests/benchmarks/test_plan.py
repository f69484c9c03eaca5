"""A cold plan of 2,000 clusters by 50 packages: aim 5 s; of one changed package: aim 500 ms."""

from __future__ import annotations

import pytest

from tests.benchmarks import fleet
from tests.benchmarks.planning import Planner, mirrored
from tests.benchmarks.results import Result, Stopwatch, largest, medians

pytestmark = pytest.mark.benchmark
RUNS = 3
SIZE = fleet.Size()


async def test_a_cold_plan_and_one_changed_package(tmp_path):
    contents = fleet.files(SIZE)
    objects, root = await mirrored(tmp_path, contents)
    apps = [fleet.app_name(number) for number in range(RUNS)]
    heads = [(await mirrored(tmp_path, fleet.changed(contents, app)))[1] for app in apps]
    cold, one, bound = [], [], []
    for head in heads:
        planner = Planner(objects.path)
        watch, change, binding = Stopwatch(), Stopwatch(), Stopwatch()
        whole = await planner.plan(root, watch)
        with binding.part("bind"):
            bound_objects = planner.bind(whole)
        part = await planner.plan(head, change, before=whole)
        await planner.engine.aclose()
        assert whole.targets == SIZE.targets
        assert len(part.digests) == len(fleet.ENVIRONMENTS) * len(fleet.TIERS)
        cold.append(watch.seconds | {"total": watch.total})
        one.append(change.seconds | {"total": change.total})
        bound.append(binding.total)
    result = Result(name="plan", notes=["a cell's digest is that of its rendered objects"])
    result.figures = {
        "clusters": SIZE.clusters,
        "apps": SIZE.apps,
        "targets": whole.targets,
        "cells": len(whole.digests),
        "bind_all_s": sorted(bound)[len(bound) // 2],
        "bound_objects": bound_objects,
    }
    parts, change_parts = medians(cold), medians(one)
    result.figures |= {f"cold.{name}_s": value for name, value in parts.items()}
    result.figures |= {f"changed.{name}_ms": v * 1000 for name, v in change_parts.items()}
    result.aim("cold.total_s", 5, "s", cause=largest(_without_total(parts), "s"))
    result.aim("changed.total_ms", 500, "ms", cause=largest(_without_total(change_parts), "s"))
    result.write()


def _without_total(parts: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in parts.items() if name != "total"}
