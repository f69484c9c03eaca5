"""Fixtures of the comparisons: an engine, and ways to ask it and an oracle for the same thing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from distributor.adapters.engine import EnginePool, EngineSettings
from distributor.errors import DistributorError
from distributor.model.rendering import ChartOptions, RenderJob
from tests.integration.oracle.jobs import of_folder
from tests.oracle import OracleError, Verdict, find_helm, rendered_json


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build before the first test: the first build takes minutes, a test's time limit is less."""
    asks = any("helm" in getattr(item, "fixturenames", ()) for item in session.items)
    if asks and not session.config.option.collectonly:
        # A failure is not lost: the tests that need Helm meet it again, and only they fail.
        with contextlib.suppress(OracleError):
            find_helm()


@pytest.fixture
async def pool() -> AsyncIterator[EnginePool]:
    made = EnginePool(EngineSettings(workers=2))
    yield made
    await made.aclose()


@pytest.fixture
def helm() -> Path:
    """Helm, from its own module; whoever asks for it has it built before the first test."""
    return find_helm()


@pytest.fixture
def ours(pool: EnginePool):
    """The engine's verdict on a job, a kustomization's folder, or a chart's folder with options."""

    async def ask(what: RenderJob | Path, chart: ChartOptions | None = None) -> Verdict:
        try:
            wanted = (
                await asyncio.to_thread(of_folder, what, chart) if isinstance(what, Path) else what
            )
            return Verdict(objects=rendered_json(await pool.render(wanted)))
        except DistributorError as error:
            return Verdict(objects=None, error=str(error))

    return ask
