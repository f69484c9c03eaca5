"""Rendering cells: once each, remembered when they fail, and told as they are done."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import orjson
import pytest

from distributor.catalog.loading import Loader
from distributor.errors import DistributorError
from distributor.errors.render import (
    EngineMissing,
    EngineProtocol,
    OutOfMemory,
    RenderTimeout,
    TemplateFailed,
)
from distributor.placement.instances import installations
from distributor.placement.placing import place
from distributor.services.rendering.failures import SHORT, Failures, costly
from distributor.services.rendering.renderer import Renderer, Subject
from distributor.services.world import World
from distributor.testing.clock import FakeClock
from distributor.testing.trees import MemoryTrees
from tests.benchmarks import fleet

SIZE = fleet.Size(clusters=15, apps=1)
OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "x"}}
CELLS = len(fleet.TIERS)
MINUTE = SHORT.total_seconds()


@dataclass(kw_only=True)
class ScriptedEngine:
    """An engine that fails as told; ``asked`` counts."""

    error: DistributorError | None = None
    asked: int = 0
    packages: set[str] = field(default_factory=set)
    version: str = "1"

    async def render(self, job):
        self.asked += 1
        self.packages.add(job.package)
        if self.error is not None:
            raise self.error
        return (orjson.dumps(OBJECT),)

    async def aclose(self):
        """Nothing runs."""


class NoCache(dict):
    """A cache of one dictionary; keeps what it is given."""

    put = dict.__setitem__


@pytest.fixture
def engine():
    return ScriptedEngine()


@pytest.fixture
async def world(engine):
    parts = dict.fromkeys(f.name for f in fields(World))
    objects = MemoryTrees()
    parts |= {"objects": objects, "loader": Loader(objects), "cache": NoCache()}
    return World(**parts | {"engine": engine, "clock": FakeClock()})


@pytest.fixture
def subject(world):
    catalog = world.loader.load(world.objects.add(fleet.files(SIZE)))
    files = catalog.environments["sit"]
    (installation,) = installations(catalog, "sit").values()
    (package,) = catalog.packages[installation.app].values()
    return Subject(catalog=catalog, package=package, installation=installation, files=files)


@pytest.fixture
def clusters(subject):
    found = place(subject.package, subject.installation, subject.files).targets
    return {target.name: target.cluster for target in found}


async def test_progress_is_told_cell_by_cell(world, engine, subject, clusters):
    told: list[tuple[int, int]] = []
    done = await Renderer(world).render(subject, clusters, lambda *found: told.append(found))
    assert done.failures == {}
    assert [total for _, total in told] == [done.cells] * done.cells
    assert [number for number, _ in told] == list(range(1, done.cells + 1))
    assert engine.asked == done.cells == CELLS > 1
    assert engine.packages == {"app-000"}


@pytest.mark.parametrize(
    ("error", "after", "asked_again"),
    [
        (TemplateFailed("x"), 0, False),
        (TemplateFailed("x"), 100 * MINUTE, False),
        (RenderTimeout("x"), MINUTE - 1, False),
        (RenderTimeout("x"), MINUTE, True),
        (OutOfMemory("x"), MINUTE, True),
        (EngineMissing("x"), 0, True),
        (EngineProtocol("x"), 0, True),
    ],
)
async def test_a_failure_is_remembered_as_long_as_it_is_sure(
    world, engine, subject, clusters, error, after, asked_again
):
    renderer = Renderer(world)
    engine.error = error
    first = await renderer.render(subject, clusters)
    cells = 1 if costly(error) else CELLS
    assert engine.asked == cells
    engine.error = None
    assert {finding.code for finding in first.failures.values()} == {error.code}
    await world.clock.advance(after)
    second = await renderer.render(subject, clusters)
    if asked_again:
        assert second.failures == {}
        assert engine.asked == cells + CELLS
    else:
        assert second.failures == first.failures
        assert engine.asked == cells


async def test_a_cell_that_cost_too_much_is_the_last_that_is_tried(
    world, engine, subject, clusters
):
    engine.error = RenderTimeout("It was stopped after 30 seconds.")
    done = await Renderer(world).render(subject, clusters)
    assert engine.asked == 1
    assert set(done.failures) == set(clusters)
    assert {finding.code for finding in done.failures.values()} == {"DST309"}
    tried = [f for f in done.failures.values() if "not tried here" not in f.message]
    assert 0 < len(tried) < len(clusters)


async def test_another_engine_is_asked_anew(world, engine, subject, clusters):
    renderer = Renderer(world)
    engine.error = TemplateFailed("x")
    await renderer.render(subject, clusters)
    engine.error, engine.version = None, "2"
    assert (await renderer.render(subject, clusters)).failures == {}


def test_a_bounded_number_of_failures_is_remembered():
    failures, now = Failures(most=2), FakeClock().now()
    for key in "abc":
        failures.put(key, TemplateFailed(key), now)
    assert failures.get("a", now) is None
    assert str(failures.get("b", now)) == str(TemplateFailed("b"))
    failures.put("d", TemplateFailed("d"), now)
    assert failures.get("c", now) is None, "b was asked for since"
