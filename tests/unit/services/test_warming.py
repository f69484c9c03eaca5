"""Rendering ahead: what a merge makes news, once, within a bound, and never in anybody's way."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from distributor.catalog.loading import Loader
from distributor.errors.render import RenderTimeout
from distributor.model.findings import Finding
from distributor.services.promotion.warming import WARMED, Warmer
from distributor.services.rendering.renderer import Rendered
from distributor.testing.trees import MemoryTrees
from tests.benchmarks import fleet

SIZE = fleet.Size(clusters=15, apps=2)
FILES = fleet.files(SIZE)
CELLS = len(fleet.ENVIRONMENTS) * len(fleet.TIERS)


class Place:
    """Main's heads as trees in memory, a store of single values, and a renderer that only counts."""

    def __init__(self) -> None:
        self.objects = MemoryTrees()
        self.objects.tree_of = lambda head: head
        self.loader = Loader(self.objects)
        self.values: dict[str, str] = {}
        self.store = SimpleNamespace(get=self._get, set=self._set)
        self.clock = SimpleNamespace(sleep=self._sleep)
        self.rendered: list[tuple[str, str]] = []
        self.fail = False
        self.broken = False
        self.block: asyncio.Event | None = None

    async def _get(self, key):
        return self.values.get(key)

    async def _sleep(self, _seconds):
        """Nobody asks for anything here, so nothing is waited for."""

    async def _set(self, key, value):
        self.values[key] = value

    async def render(self, subject, clusters):
        (cluster,) = clusters
        if self.block is not None:
            await self.block.wait()
        if self.fail:
            raise RenderTimeout
        self.rendered.append((subject.package.app, cluster))
        wrong = Finding(code="DST306", message="No.")
        return Rendered(failures={cluster: wrong} if self.broken else {})

    def snapshot(self, files):
        root = self.objects.add(files)
        return SimpleNamespace(main=root, catalog=self.loader.load(root))


async def merged(place: Place, warmer: Warmer, files) -> int:
    """Follow a head of main to its end; how many cells were rendered."""
    before = len(place.rendered)
    snapshot = place.snapshot(files)
    warmer.follow(snapshot)
    async with asyncio.timeout(60):
        while warmer.done != snapshot.main:
            await asyncio.sleep(0)
    return len(place.rendered) - before


@pytest.fixture
async def place():
    return Place()


@pytest.fixture
async def warmer(place):
    found = Warmer(place, place)
    yield found
    await found.stop()


def without(path: str) -> dict[str, bytes]:
    return {p: data for p, data in FILES.items() if p != path}


def with_value(path: str, old: str, new: str) -> dict[str, bytes]:
    assert old in FILES[path].decode()
    return FILES | {path: FILES[path].decode().replace(old, new).encode()}


async def test_a_first_start_renders_nothing(place, warmer):
    assert await merged(place, warmer, FILES) == 0
    assert place.values[WARMED] == place.snapshot(FILES).main


@pytest.mark.parametrize(
    ("what", "files", "cells"),
    [
        ("nothing", FILES, 0),
        ("one package", fleet.changed(FILES, "app-001"), CELLS),
        (
            "a tier",
            with_value("environments/tiers/slim/kustomization.yaml", "slim", "s"),
            2 * CELLS,
        ),
        ("a removed app", without("catalog/app-001/app.yaml"), 0),
        (
            "an environment's registry",
            with_value(
                "environments/uat/environment.yaml",
                "spec:\n",
                "spec:\n  defaults:\n    registry: r.example\n",
            ),
            2 * len(fleet.TIERS),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_only_the_news_of_a_merge_is_rendered(place, warmer, what, files, cells):
    await merged(place, warmer, FILES)
    found = await merged(place, warmer, files | {"note": what.encode()})
    assert found == cells
    assert len(set(place.rendered)) == len(place.rendered)


async def test_a_restart_goes_on_from_what_was_warm(place, warmer):
    await merged(place, warmer, FILES)
    again = Warmer(place, place)
    assert await merged(place, again, fleet.changed(FILES, "app-000")) == CELLS
    assert await merged(place, Warmer(place, place), fleet.changed(FILES, "app-000")) == 0


async def test_a_merge_renders_no_more_than_the_bound(place):
    warmer = Warmer(place, place, most=7)
    await merged(place, warmer, FILES)
    assert await merged(place, warmer, fleet.changed(FILES, "app-000")) == 7


async def test_what_does_not_render_stops_nothing(place, warmer):
    await merged(place, warmer, FILES)
    place.fail = True
    assert await merged(place, warmer, fleet.changed(FILES, "app-000")) == 0


async def test_a_package_that_does_not_render_is_left_after_its_first_cell(place, warmer):
    await merged(place, warmer, FILES)
    place.broken = True
    assert await merged(place, warmer, fleet.changed(FILES, "app-000")) == len(fleet.ENVIRONMENTS)


async def test_a_newer_head_takes_the_place_of_an_older_one(place, warmer):
    await merged(place, warmer, FILES)
    place.block = asyncio.Event()
    warmer.follow(place.snapshot(fleet.changed(FILES, "app-000")))
    await asyncio.sleep(0.01)
    place.block = None
    both = fleet.changed(fleet.changed(FILES, "app-000"), "app-001")
    assert await merged(place, warmer, both) == 2 * CELLS


async def test_stopping_ends_what_is_under_way(place, warmer):
    await merged(place, warmer, FILES)
    place.block = asyncio.Event()
    warmer.follow(place.snapshot(fleet.changed(FILES, "app-000")))
    await asyncio.sleep(0.01)
    await warmer.stop()
    assert place.rendered == []
    assert warmer.done == place.snapshot(FILES).main
