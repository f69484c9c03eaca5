"""Many objects in one package: installed, one of them upgraded by one write, pruned and removed.

What is asked and held grows with the objects and never with their square; the full number is soaked.
"""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Awaitable

import pytest

from distributor.metrics import CLUSTER_REQUESTS
from distributor.model.changes import Action, Actuation, TargetReport
from distributor.model.tags import Verb
from tests.integration.membership.conftest import Instance, settings

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(1200)]
COUNTS = [pytest.param(2_000), pytest.param(10_000, marks=pytest.mark.soak)]
PAGE = 500
FIXED = 25
"""Requests of a pass that do not depend on the number of objects: discovery, inventory, fences."""
OBJECT = 30
"""KiB that an object of one setting may cost at most while it is worked on: read, compared, applied."""
BASE = 60 * 1024


def requests() -> Counter[str]:
    """Requests so far, by method."""
    found: Counter[str] = Counter()
    for family in CLUSTER_REQUESTS.collect():
        for sample in family.samples:
            if sample.name.endswith("_total"):
                found[sample.labels["method"]] += int(sample.value)
    return found


async def counted(step: Awaitable[TargetReport]) -> tuple[TargetReport, Counter[str]]:
    before = requests()
    report = await step
    assert (report.actuation, report.findings) == (Actuation.APPLIED, ())
    return report, requests() - before


def peak() -> int:
    """The most memory that this process ever had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("count", COUNTS)
async def test_they_come_change_and_go(instance: Instance, count: int):
    pages = count // PAGE + 1
    before = peak()
    many = [settings(f"c{number}", value=str(number)) for number in range(count)]
    report, asked = await counted(instance.sync(*many))
    assert Counter(o.action for o in report.outcomes) == {Action.CREATED: count}
    assert asked["patch"] == count
    assert asked["get"] <= 2 * pages + FIXED, "none is asked for by itself"

    _, asked = await counted(instance.resync(*many))
    assert asked.keys() == {"get"}
    assert asked["get"] <= pages + FIXED

    neighbour = (await instance.get("v1 configmaps/c8"))["metadata"]["resourceVersion"]
    many[7] = settings("c7", value="another")
    report, asked = await counted(instance.sync(*many))
    assert [(o.ref.name, o.action) for o in report.outcomes] == [("c7", Action.CONFIGURED)]
    assert asked["patch"] == 1
    assert asked["get"] <= 3 * pages + FIXED
    assert (await instance.get("v1 configmaps/c7"))["data"] == {"value": "another"}
    assert (await instance.get("v1 configmaps/c8"))["metadata"]["resourceVersion"] == neighbour

    left = many[: count // 2 + 1]
    report, asked = await counted(instance.sync(*left))
    assert Counter(o.action for o in report.outcomes) == {Action.PRUNED: count - len(left)}
    assert (asked["patch"], asked["delete"]) == (0, count - len(left))
    kept = await instance.inventory()
    assert kept is not None
    assert {ref.name for ref in kept.entries} == {m["metadata"]["name"] for m in left}
    await counted(instance.remove(Verb.CONSENT))
    assert await instance.get(f"v1 configmaps/c{count - 1}") == {}
    assert await instance.get("v1 configmaps/c0") == {}
    assert peak() - before <= BASE + OBJECT * count
