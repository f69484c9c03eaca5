"""The same input gives the same bytes: in any order, at any concurrency, by any worker, anywhere."""

from __future__ import annotations

import asyncio
import os
import random
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from distributor.adapters.engine import EnginePool, EngineSettings
from distributor.model.rendering import RenderJob
from tests.integration.oracle.jobs import chart_options, of_folder
from tests.integration.oracle.tables import charts, kustomizations

ROOT = Path(__file__).resolve().parents[3]
SEED = 20
ELSEWHERE = {
    "TZ": "Asia/Kathmandu",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "tr_TR.UTF-8",
    "HOME": "/nowhere",
}
Bytes = dict[str, tuple[bytes, ...]]


@pytest.fixture(scope="module")
def wanted(tmp_path_factory) -> dict[str, RenderJob]:
    """Every case that builds, by name."""
    top = tmp_path_factory.mktemp("cases")
    jobs: dict[str, RenderJob] = {}
    for number, case in enumerate(kustomizations()):
        if case.builds:
            jobs[str(case)] = of_folder(case.write(top / f"k{number}"))
    for number, case in enumerate(charts()):
        if case.builds:
            jobs[str(case)] = of_folder(case.write(top / f"c{number}"), chart_options(case))
    return jobs


@pytest.fixture(scope="module")
def reference(wanted) -> Bytes:
    """The bytes of all cases, one after the other by one worker."""
    return asyncio.run(rendered(wanted, wanted, workers=1))


async def rendered(jobs: dict[str, RenderJob], names: Iterable[str], **settings: object) -> Bytes:
    """The bytes of cases, asked for in the order of the names."""
    pool = EnginePool(EngineSettings(**settings))
    try:
        ordered = list(names)
        found = await asyncio.gather(*(pool.render(jobs[name]) for name in ordered))
        return dict(zip(ordered, found, strict=True))
    finally:
        await pool.aclose()


def shuffled(names: Iterable[str], seed: int) -> list[str]:
    return random.Random(seed).sample(sorted(names), len(list(names)))


def different(found: Bytes, reference: Bytes) -> list[str]:
    return [name for name, objects in reference.items() if found[name] != objects]


async def test_in_any_order(wanted, reference):
    """What one render leaves behind in a worker reaches no other."""
    assert len(reference) >= 120
    for names in (reversed(list(wanted)), shuffled(wanted, SEED), shuffled(wanted, SEED + 1)):
        assert different(await rendered(wanted, names, workers=1), reference) == []


@pytest.mark.parametrize("workers", [2, 4])
async def test_at_any_concurrency(wanted, reference, workers):
    names = [*shuffled(wanted, SEED), *shuffled(wanted, SEED + 2)]
    assert different(await rendered(wanted, names, workers=workers), reference) == []


async def test_by_a_worker_that_never_rendered_before(wanted, reference):
    found = await rendered(wanted, wanted, workers=2, recycle_memory=1)
    assert different(found, reference) == []


async def test_however_the_files_are_ordered(wanted, reference):
    turned = {n: replace(j, files=dict(reversed(j.files.items()))) for n, j in wanted.items()}
    assert different(await rendered(turned, turned, workers=2), reference) == []


async def test_wherever_the_files_lie(tmp_path, ours):
    """No path of the machine reaches an object."""
    (case,) = [c for c in kustomizations() if c.name == "where things came from"]
    near, far = case.write(tmp_path / "a"), case.write(tmp_path / "some" / "where" / "else")
    assert (await ours(near)).objects == (await ours(far)).objects


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    """The engine, in an environment that nobody empties for it."""
    program = tmp_path / "engine"
    binary = shlex.quote(str(EngineSettings().binary))
    settings = " ".join(f"{name}={value}" for name, value in ELSEWHERE.items())
    program.write_text(f'#!/bin/sh\nexec env {settings} {binary} "$@"\n')
    program.chmod(0o755)
    return program


async def test_in_another_time_zone_language_and_home(wanted, reference, elsewhere):
    assert different(await rendered(wanted, wanted, workers=2, binary=elsewhere), reference) == []


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """The sample catalog as files."""
    folder = tmp_path_factory.mktemp("sample") / "repository"
    for part in ("catalog", "environments", "policies"):
        shutil.copytree(ROOT / part, folder / part)
    return folder


def whole(repository: Path, out: Path, *, jobs: int, umask: int = 0o022, **env: str) -> Bytes:
    """`distributor render --all` by a process of its own."""
    own = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    command = [
        sys.executable,
        "-m",
        "distributor",
        "render",
        "--all",
        "--jobs",
        str(jobs),
        str(out),
    ]
    own["PYTHONPATH"] = os.pathsep.join([str(ROOT), own.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, cwd=repository, env={**own, "HOME": str(out.parent), **env}, umask=umask,
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {str(p.relative_to(out)): (p.read_bytes(),) for p in out.rglob("*") if p.is_file()}


def test_every_cell_of_the_sample_by_processes_that_share_nothing(repository, tmp_path):
    first = whole(repository, tmp_path / "1", jobs=1, PYTHONHASHSEED="1", TZ="UTC", LANG="C")
    assert len(first) > 50
    moved = Path(shutil.copytree(repository, tmp_path / "moved" / "again"))
    second = whole(moved, tmp_path / "2", jobs=4, umask=0o077, PYTHONHASHSEED="2", **ELSEWHERE)
    assert second.keys() == first.keys()
    assert different(second, first) == []
