"""Workers: bounded, replaced, restarted, and never in each other's way."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import struct
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from distributor import log
from distributor.adapters.engine import EnginePool, EngineSettings
from distributor.errors.render import (
    EndlessRecursion,
    EngineMissing,
    EngineProtocol,
    OutOfMemory,
    OutOfProcessorTime,
    RenderTimeout,
    TemplateFailed,
    WorkerDied,
)
from distributor.model.rendering import ChartOptions, RenderJob

CHART = {"chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n"}
ENDLESS = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"
HUNGRY = '{{ $x := repeat 4000000 "x" }}{{ range until 2000 }}{{ $x }}{{ end }}'
SOME_TIME = """{{ range until 10000 }}{{ range until 1000 }}{{ end }}{{ end }}
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
"""
OPTIONS = ChartOptions(release_name="web", namespace="shop")
MIB = 1 << 20


@pytest.fixture
def simple(job):
    def build(name: str = "a") -> RenderJob:
        return job("raw", {"a.yaml": f"apiVersion: v1\nkind: A\nmetadata: {{name: {name}}}\n"})

    return build


@pytest.fixture
def template(job):
    def build(text: str) -> RenderJob:
        return job("helm", {**CHART, "chart/templates/a.yaml": text}, "chart", chart=OPTIONS)

    return build


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def threads(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def confinement(thread: Path) -> tuple[str, str]:
    lines = thread.joinpath("status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in lines)
    return fields["NoNewPrivs"], fields["Seccomp"]


def ticks(pid: int) -> int:
    """Processor time used, in clock ticks: more than starting takes means that a render is under way."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11])


async def until(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        await asyncio.sleep(0.01)


async def test_the_version_names_the_renderers(pool):
    engine, kustomize, helm, go = pool.version.split()
    assert re.fullmatch(r"engine/[0-9a-f]{16}", engine), "a hash of the sources, raised by nobody"
    assert (kustomize, helm) == ("kustomize/v0.21.1", "helm/v4.3.0")
    assert go.startswith("go/go1.")
    assert pool.workers() == ()


async def test_fifty_renders_on_two_workers(make_pool, simple):
    pool = make_pool(workers=2)
    results = await asyncio.gather(*(pool.render(simple(f"n{number}")) for number in range(50)))
    assert all(f'"n{number}"'.encode() in found for number, (found,) in enumerate(results))
    statuses = pool.workers()
    assert len(statuses) == 2
    assert sum(status.renders for status in statuses) == 50
    assert all(0 < status.resident < 96 * MIB and not status.busy for status in statuses)


async def test_an_endless_template_is_stopped_while_another_render_succeeds(
    make_pool, simple, template
):
    pool = make_pool(workers=2, deadline=1.0)
    endless = asyncio.create_task(pool.render(template(ENDLESS)))
    await until(lambda: any(status.busy for status in pool.workers()))
    (busy,) = pool.workers()
    for _ in range(5):
        assert len(await pool.render(simple())) == 1
    assert not endless.done()
    with pytest.raises(RenderTimeout):
        await endless
    assert gone(busy.pid)
    assert len(await pool.render(simple())) == 1


async def test_a_render_that_eats_memory_costs_its_worker_alone(make_pool, simple, template):
    pool = make_pool(workers=1, hard_memory=100 * MIB)
    with pytest.raises(OutOfMemory, match="more than 100 MiB"):
        await pool.render(template(HUNGRY))
    assert len(await pool.render(simple())) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is the Linux kernel's")
@pytest.mark.parametrize(
    "text", ['{{ repeat 2147483647 "xxxxxxxx" | len }}', '{{ indent 1000000000 "a" | len }}']
)
async def test_one_giant_allocation_never_happens(make_pool, simple, template, text):
    pool = make_pool(workers=1)
    await pool.render(simple())
    task = asyncio.create_task(pool.render(template(text)))
    largest = 0
    while not task.done():
        largest = max([largest, *(status.resident for status in pool.workers())])
        await asyncio.sleep(0.001)
    with pytest.raises(OutOfMemory, match="more than 512 MiB"):
        await task
    assert largest < 100 * MIB, "it dies before it has any of it"
    assert len(await pool.render(simple())) == 1


async def test_processor_time_is_bounded_apart_from_the_clock(make_pool, simple, template):
    pool = make_pool(workers=1, cpu=0.3)
    with pytest.raises(OutOfProcessorTime, match=r"more than 0\.3 seconds"):
        await pool.render(template(ENDLESS))
    for _ in range(200):  # the time of one render is not charged to the next
        await pool.render(simple())


async def test_endless_recursion_ends_coded(make_pool, simple, template):
    pool = make_pool(workers=1)
    text = '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}'
    with pytest.raises((EndlessRecursion, TemplateFailed)):
        await pool.render(template(text))
    assert len(await pool.render(simple())) == 1


async def kill_busy(pool: EnginePool, other_than: int = 0) -> int:
    """End the worker that renders, with the render well under way."""
    await until(lambda: any(s.busy and s.pid != other_than for s in pool.workers()))
    (worker,) = pool.workers()
    await until(lambda: ticks(worker.pid) > 10)
    os.kill(worker.pid, signal.SIGKILL)
    return worker.pid


async def test_a_render_whose_worker_is_killed_is_done_again_once(make_pool, simple, template):
    pool = make_pool(workers=1)
    task = asyncio.create_task(pool.render(template(SOME_TIME)))
    await kill_busy(pool)
    assert len(await task) == 1
    task = asyncio.create_task(pool.render(template(ENDLESS)))
    first = await kill_busy(pool)
    await kill_busy(pool, other_than=first)
    with pytest.raises(WorkerDied, match="signal 9"):
        await task
    assert len(await pool.render(simple())) == 1


async def test_the_death_of_an_idle_worker_is_not_noticed(make_pool, simple):
    pool = make_pool(workers=1)
    for _ in range(5):
        assert len(await pool.render(simple())) == 1
        (worker,) = pool.workers()
        os.kill(worker.pid, signal.SIGKILL)


async def test_a_cancelled_render_leaves_no_worker_behind(make_pool, simple, template):
    pool = make_pool(workers=1)
    task = asyncio.create_task(pool.render(template(ENDLESS)))
    await until(lambda: any(status.busy for status in pool.workers()))
    (worker,) = pool.workers()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(worker.pid)
    assert len(await pool.render(simple())) == 1


async def test_idle_workers_are_stopped(make_pool, simple):
    pool = make_pool(idle_after=0.05)
    await pool.render(simple())
    (worker,) = pool.workers()
    await until(lambda: pool.workers() == () and gone(worker.pid))


async def test_a_worker_that_grew_is_replaced(make_pool, simple):
    pool = make_pool(workers=1, recycle_memory=1)
    await pool.render(simple())
    assert pool.workers() == ()


async def test_closing_stops_everything(make_pool, simple, template):
    pool = make_pool(workers=2)
    await pool.render(simple())
    task = asyncio.create_task(pool.render(template(ENDLESS)))
    await until(lambda: any(status.busy for status in pool.workers()))
    pids = [status.pid for status in pool.workers()]
    await pool.aclose()
    with pytest.raises(EngineProtocol, match="closed"):
        await task
    with pytest.raises(EngineProtocol, match="closed"):
        await pool.render(simple())
    assert all(map(gone, pids))


async def test_a_worker_is_bounded_and_has_no_environment(make_pool, simple):
    pool = make_pool()
    await pool.render(simple())
    (worker,) = pool.workers()
    process = Path(f"/proc/{worker.pid}")
    assert process.joinpath("environ").read_bytes() == b""
    assert os.getpgid(worker.pid) == worker.pid
    bounds = process.joinpath("limits").read_text()
    for line in ("Max file size             0", "Max core file size        0"):
        assert line in bounds
    assert process.joinpath("cwd").readlink() == Path("/")
    descriptors = {str(path.readlink()) for path in process.joinpath("fd").iterdir()}
    # What Go's runtime itself keeps open: its poller, and the numbers of the processors it may use.
    of_runtime = ("anon_inode:[event", "/sys/fs/cgroup/")
    assert all(name.startswith(("pipe:", "socket:", *of_runtime)) for name in descriptors)


@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux' own")
async def test_a_worker_is_confined(make_pool, simple):
    pool = make_pool()
    await pool.render(simple())
    (worker,) = pool.workers()
    assert {confinement(thread) for thread in threads(worker.pid)} == {("1", "2")}
    assert {"rlimits", "no-new-privileges", "seccomp"} <= set(pool.protection)


@pytest.mark.parametrize("content", [None, b"no program"])
async def test_a_missing_engine_says_what_to_do(tmp_path, simple, content):
    binary = tmp_path / "engine"
    if content is not None:
        binary.write_bytes(content)
        binary.chmod(0o755)
    pool = EnginePool(EngineSettings(binary=binary))
    with pytest.raises(EngineMissing):
        await pool.render(simple())
    with pytest.raises(EngineMissing):
        _ = pool.version


async def test_an_engine_that_always_ends_is_not_tried_forever(tmp_path, simple):
    binary = tmp_path / "engine"
    binary.write_text("#!/bin/sh\nexit 3\n")
    binary.chmod(0o755)
    pool = EnginePool(EngineSettings(binary=binary))
    with pytest.raises(EngineProtocol, match="ended before"):
        await pool.render(simple())
    await pool.aclose()


async def test_a_program_that_speaks_otherwise_is_refused(tmp_path, simple):
    binary = tmp_path / "engine"
    binary.write_text("#!/bin/sh\nprintf 'hello, world, this is not a frame'\nexec /bin/cat\n")
    binary.chmod(0o755)
    pool = EnginePool(EngineSettings(binary=binary))
    with pytest.raises(EngineProtocol):
        await pool.render(simple())
    assert pool.workers() == ()
    await pool.aclose()


async def test_a_package_that_never_ends_does_not_keep_another_waiting(make_pool, simple, template):
    """Both workers are taken by one package, with more of it waiting; another is served at once."""
    pool = make_pool(workers=2, deadline=10)
    bad = replace(template(ENDLESS), package="bad")
    good = replace(simple(), package="good")
    endless = [asyncio.create_task(pool.render(bad)) for _ in range(6)]
    await until(lambda: sum(status.busy for status in pool.workers()) == 2)
    start = time.monotonic()
    for _ in range(20):
        assert len(await pool.render(good)) == 1
    assert time.monotonic() - start < 5, "half of one deadline"
    assert not any(task.done() for task in endless)
    assert len(pool.workers()) <= 4
    for task in endless:
        task.cancel()
    await asyncio.gather(*endless, return_exceptions=True)


async def test_many_packages_that_never_end_do_not_keep_another_waiting(
    make_pool, simple, template
):
    """More of them than there are places in both lanes."""
    pool = make_pool(workers=2, deadline=20)
    endless = [
        asyncio.create_task(pool.render(replace(template(ENDLESS), package=f"bad{number}")))
        for number in range(6)
    ]
    await until(lambda: sum(status.busy for status in pool.workers()) == 2)
    start = time.monotonic()
    for _ in range(5):
        assert len(await pool.render(replace(simple(), package="good"))) == 1
        assert len(pool.workers()) <= 4
    assert time.monotonic() - start < 8, "less than half of one deadline"
    assert not any(task.done() for task in endless)
    for task in endless:
        task.cancel()
    await asyncio.gather(*endless, return_exceptions=True)


async def test_a_render_that_was_stopped_ends_as_it_would_have_alone(make_pool, simple, template):
    pool = make_pool(workers=1, deadline=5, cpu=60)
    tasks = []
    for number, text in enumerate([ENDLESS, ENDLESS, SOME_TIME]):
        tasks.append(pool.render(replace(template(text), package=f"long{number}")))
    ends = asyncio.gather(*tasks, return_exceptions=True)
    await until(lambda: any(status.busy for status in pool.workers()))
    await pool.render(replace(simple(), package="good"))
    first, second, third = await ends
    assert isinstance(first, RenderTimeout)
    assert isinstance(second, RenderTimeout), "it had all its time, and no more"
    assert isinstance(third, tuple)
    assert len(third) == 1, "nothing was lost"


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux' own")
async def test_a_long_render_goes_on_at_a_low_priority_and_its_worker_is_not_used_again(
    make_pool, simple, template
):
    pool = make_pool(workers=1, patience=0.01)
    task = asyncio.create_task(pool.render(replace(template(SOME_TIME), package="long")))
    await until(lambda: any(status.busy for status in pool.workers()))
    (worker,) = pool.workers()
    await pool.render(replace(simple(), package="good"))
    assert not task.done()
    assert {os.getpriority(os.PRIO_PROCESS, int(t.name)) for t in threads(worker.pid)} == {5}
    assert len(await task) == 1, "nothing was lost"
    await until(lambda: gone(worker.pid))


def an_engine_that_says(folder: Path, sandbox: str) -> Path:
    """A program that answers the question for its version, and nothing else."""
    version = f'{{"engine":"1","kustomize":"2","helm":"3","go":"4","sandbox":"{sandbox}"}}'
    header = f'{{"id":1,"ok":true,"version":{version},"objects":[]}}'.encode()
    (folder / "answer").write_bytes(struct.pack(">II", 4 + len(header), len(header)) + header)
    binary = folder / "engine"
    binary.write_text(f"#!/bin/sh\n/bin/cat >/dev/null\n/bin/cat {folder}/answer\n")
    binary.chmod(0o755)
    return binary


@pytest.mark.parametrize(
    ("sandbox", "level", "said"),
    [
        ("rlimits no-new-privileges landlock seccomp", "info", "render workers are confined"),
        ("rlimits no-new-privileges landlock", "info", "render workers are confined"),
        ("rlimits no-new-privileges", "warning", "render workers are not confined"),
        ("", "warning", "render workers are not confined"),
    ],
)
def test_the_log_says_which_protection_holds(tmp_path, sandbox, level, said):
    pool = EnginePool(EngineSettings(binary=an_engine_that_says(tmp_path, sandbox)))
    log.configure("info", "json")  # whatever the tests before this one asked for
    with structlog.testing.capture_logs() as logs:
        assert pool.version == "engine/1 kustomize/2 helm/3 go/4", "protection keys no cache"
        assert pool.version
    (line,) = logs
    assert line["log_level"] == level
    assert line["event"].startswith(said)
    assert line["by"] == pool.protection == tuple(sandbox.split())
