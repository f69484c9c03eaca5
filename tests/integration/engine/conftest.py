"""Fixtures of the engine's tests: pools of real workers, always stopped, and short ways to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from distributor.adapters.engine import EnginePool, EngineSettings
from distributor.model.package import Renderer
from distributor.model.rendering import ChartOptions, RenderJob

Files = Mapping[str, str | bytes]
Render = Callable[..., Awaitable[list[Any]]]

SETTINGS = EngineSettings(deadline=20)


@pytest.fixture
async def make_pool() -> AsyncIterator[Callable[..., EnginePool]]:
    """Makes pools with other settings; all are closed afterwards."""
    pools: list[EnginePool] = []

    def make(**changes: object) -> EnginePool:
        pools.append(EnginePool(replace(SETTINGS, **changes)))
        return pools[-1]

    yield make
    for pool in pools:
        await pool.aclose()


@pytest.fixture
def pool(make_pool: Callable[..., EnginePool]) -> EnginePool:
    return make_pool()


@pytest.fixture
def job() -> Callable[..., RenderJob]:
    """A RenderJob from text files; patches are given as Python values."""

    def build(renderer: str, files: Files, path: str = ".", **fields: object) -> RenderJob:
        data = {
            name: text.encode() if isinstance(text, str) else text for name, text in files.items()
        }
        if "patches" in fields:
            fields["patches"] = orjson.dumps(fields["patches"])
        return RenderJob(renderer=Renderer(renderer), files=data, path=path, **fields)

    return build


@pytest.fixture
def kustomize(pool: EnginePool, job: Callable[..., RenderJob]) -> Render:
    async def render(files: Files, path: str = ".", **fields: object) -> list[Any]:
        return [
            orjson.loads(item)
            for item in await pool.render(job("kustomize", files, path, **fields))
        ]

    return render


@pytest.fixture
def raw(pool: EnginePool, job: Callable[..., RenderJob]) -> Render:
    async def render(files: Files, path: str = ".", **fields: object) -> list[Any]:
        return [orjson.loads(item) for item in await pool.render(job("raw", files, path, **fields))]

    return render


@pytest.fixture
def helm(pool: EnginePool, job: Callable[..., RenderJob]) -> Render:
    async def render(files: Files, *, values: object = None, **options: object) -> list[Any]:
        layers, patches = options.pop("layers", ()), options.pop("patches", [])
        chart = ChartOptions(
            **{
                "release_name": "web",
                "namespace": "shop",
                "include_crds": False,
                "is_upgrade": False,
            }
            | {"values": orjson.dumps(values or {})}
            | options
        )
        wanted = job("helm", files, "chart", chart=chart, layers=layers, patches=patches)
        return [orjson.loads(item) for item in await pool.render(wanted)]

    return render
