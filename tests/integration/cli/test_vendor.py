"""``vendor`` as the program: from a registry into a package that the catalog accepts, and back out of a mess."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.contract.oci.fake_registry import FakeRegistry, serve
from tests.contract.oci.tars import CHART, packed
from tests.integration.cli.conftest import Program

TAG = "charts/podinfo:6.7.1"
HERE = "catalog/podinfo/6.7.1"
APP = """apiVersion: distributor.dev/v1alpha1
kind: Package
metadata: {name: podinfo}
spec:
  version: 6.7.1
  renderer: helm
  path: chart
  namespace: {name: podinfo}
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
async def registry() -> AsyncIterator[tuple[FakeRegistry, str]]:
    held = FakeRegistry()
    held.add("charts/podinfo", "6.7.1", packed(CHART))
    async with serve(held) as host:
        yield held, host


@pytest.fixture
def package(repository: Path) -> Path:
    """The folder of a version whose content is still to come."""
    place = repository / HERE
    place.mkdir(parents=True)
    (place / "package.yaml").write_text(APP)
    return place


async def test_from_a_registry_to_a_render(
    program: Program, package: Path, registry: tuple[FakeRegistry, str]
) -> None:
    _, host = registry
    made = await asyncio.to_thread(
        program, "vendor", f"oci://{host}/{TAG}", "--package", HERE, "-o", "json"
    )
    (entry,) = made.json()
    assert (entry["path"], entry["tag"]) == ("chart", "6.7.1")
    assert entry["location"] == f"oci://{host}/charts/podinfo"
    assert program("vendor", "--check", "--package", HERE).out.count("podinfo") == 1
    assert program("digest", HERE, "-o", "json").json()["digest"].startswith("sha256:")


async def test_a_change_by_hand_is_found_and_undone(
    program: Program, package: Path, registry: tuple[FakeRegistry, str]
) -> None:
    _, host = registry
    await asyncio.to_thread(program, "vendor", f"oci://{host}/{TAG}", "--package", HERE)
    (package / "chart" / "values.yaml").write_text("replicas: 9\n")
    wrong = program("vendor", "--check", "--package", HERE, "-o", "json", code=1)
    (finding,) = wrong.json()["findings"]
    assert (finding["code"], finding["where"]["file"]) == ("DST353", "chart")
    refused = await asyncio.to_thread(program, "vendor", "--package", HERE, code=1)
    assert "DST353" in refused.err
    await asyncio.to_thread(program, "vendor", "--package", HERE, "--replace")
    assert (package / "chart" / "values.yaml").read_text() == "replicas: 1\n"
    program("vendor", "--check", "--package", HERE)


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (("podinfo:1",), "DST345", 2),
        (("oci://127.0.0.1:1/podinfo:1",), "DST346", 3),
        (("oci://127.0.0.1:1/podinfo:1", "--package", "catalog"), "DST707", 2),
        (("oci://127.0.0.1:1/podinfo:1", "--to", "../x"), "DST716", 2),
        (("oci://127.0.0.1:1/podinfo:1", "--check"), "DST716", 2),
        (("--check", "--replace"), "DST716", 2),
        (("--to", "x"), "DST716", 2),
    ],
)
def test_bad_calls(
    program: Program, package: Path, arguments: tuple[str, ...], code: str, exit_code: int
) -> None:
    more = () if "--package" in arguments else ("--package", HERE)
    done = program("vendor", *arguments, *more, code=exit_code)
    assert code in done.err
    assert "remedy:" in done.err
    assert names(package) == ["package.yaml"]


async def test_killed_while_it_fetches(
    program: Program, package: Path, registry: tuple[FakeRegistry, str]
) -> None:
    held, host = registry
    reached, layer = asyncio.Event(), packed(CHART)

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if "/blobs/" not in request.path:
            return None
        answer = web.StreamResponse(headers={"Content-Length": str(len(layer))})
        await answer.prepare(request)
        await answer.write(layer[:100])
        reached.set()
        await asyncio.sleep(5)
        return answer

    held.fault = fault
    own = os.environ | {"HOME": str(program.home), "CI": "1"}
    command = [sys.executable, "-m", "distributor", "vendor", f"oci://{host}/{TAG}"]
    process = await asyncio.create_subprocess_exec(
        *command, "--package", HERE, cwd=program.cwd, env=own, stderr=subprocess.DEVNULL
    )
    await asyncio.wait_for(reached.wait(), 60)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert names(package) == ["package.yaml"]
    held.fault = None
    await asyncio.to_thread(program, "vendor", f"oci://{host}/{TAG}", "--package", HERE)
    assert names(package) == [
        "chart", "package.yaml", "vendor.lock.yaml",
    ]  # fmt: skip
    program("vendor", "--check", "--package", HERE)
