"""The generators and measurements of the render benchmark at a tiny size."""

from __future__ import annotations

import pytest

from distributor.adapters.engine import EnginePool, EngineSettings
from tests.benchmarks import rendering
from tests.oracle import difference, find_kubectl, kustomize, rendered_json
from tests.realapps import real_apps


@pytest.fixture
async def pool():
    made = EnginePool(EngineSettings(workers=1))
    yield made
    await made.aclose()


@pytest.mark.parametrize("objects", [4, 10])
async def test_an_overlay_is_what_kubectl_builds_too(pool, tmp_path, objects):
    found = await pool.render(rendering.overlay_job(objects, "shop"))
    assert len(found) == objects
    folder = rendering.write(rendering.overlay(objects, "shop"), tmp_path)
    assert difference(rendered_json(found), kustomize(folder / "overlay").objects) == ""


async def test_the_shop_as_layers_is_the_shop_as_an_overlay(pool, tmp_path):
    job = rendering.shop_with_components(real_apps() / "online-boutique", tmp_path / "shop")
    theirs = kustomize(tmp_path / "shop" / "top")
    assert difference(rendered_json(await pool.render(job)), theirs.objects) == ""


async def test_renders_are_timed(pool, tmp_path):
    jobs = list(rendering.mixed(6))
    assert len({repr(job) for job in jobs}) == 6
    assert len(await rendering.one_by_one(pool, jobs)) == 6
    assert min(await rendering.all_at_once(2, jobs * 20)) > 0
    folder = rendering.write(rendering.overlay(4, "shop"), tmp_path)
    assert len(rendering.kubectl_seconds(find_kubectl(), folder / "overlay", 2)) == 2


def test_hits_and_bindings_are_timed(tmp_path):
    assert min(rendering.cache_seconds(tmp_path, 5)) > 0
    seconds, own = rendering.binding_seconds(3)
    assert seconds > 0
    assert own == 8


async def test_the_memory_of_a_worker_is_read():
    assert all(mib > 1 for mib in await rendering.memory_of(3))
