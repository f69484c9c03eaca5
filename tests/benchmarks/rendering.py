"""Renders to measure: overlays of a small app, a real app, charts, cells to bind; and who renders them."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import orjson

from distributor._engine.hatch_build import find_toolchain
from distributor.adapters.cache import DiskRenderCache
from distributor.adapters.engine import EnginePool, EngineSettings
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.package import Renderer
from distributor.model.rendering import ChartOptions, RenderJob
from distributor.render import Binder
from tests.benchmarks import process

ENGINE = Path(__file__).resolve().parents[2] / "distributor" / "_engine"
COMPONENTS = ("without-loadgenerator", "cymbal-branding", "container-images-registry")
"""Three of the shop's that go together."""
_KINDS = ("Deployment", "Service", "ConfigMap", "ServiceAccount")
_REPLICAS = {"op": "replace", "path": "/spec/replicas", "value": 3}
_VARIABLE = 8
"""How many of a cell's objects hold a variable of the cluster."""


def overlay(objects: int, name: str) -> dict[str, bytes]:
    """A base of so many objects, and an overlay of it that names a namespace, images and a patch."""
    documents = [_document(_KINDS[n % len(_KINDS)], n) for n in range(objects)]
    asked = {
        "resources": ["../base"],
        "namespace": name,
        "namePrefix": "p-",
        "images": [{"name": "registry.example/app", "newTag": "2.0.0"}],
        "patches": [
            {"target": {"kind": "Deployment"}, "patch": orjson.dumps([_REPLICAS]).decode()}
        ],
    }
    return {
        "base/kustomization.yaml": b"resources: [all.yaml]\nlabels: [{pairs: {team: blue}}]\n",
        "base/all.yaml": b"\n---\n".join(map(orjson.dumps, documents)),
        "overlay/kustomization.yaml": orjson.dumps(asked),
    }


def _document(kind: str, number: int) -> dict[str, object]:
    name = f"app-{number}"
    labels = {"app": name}
    bodies: dict[str, dict[str, object]] = {
        "Deployment": {"spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{
                "name": "main", "image": "registry.example/app:1.0.0",
                "env": [{"name": "A", "value": "b"}], "ports": [{"containerPort": 80}]}]}}}},
        "Service": {"spec": {"selector": labels, "ports": [{"port": 80}]}},
        "ConfigMap": {"data": {"level": "info"}},
        "ServiceAccount": {},
    }  # fmt: skip
    version = "apps/v1" if kind == "Deployment" else "v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **bodies[kind]}


def overlay_job(objects: int, name: str) -> RenderJob:
    return RenderJob(renderer=Renderer.KUSTOMIZE, files=overlay(objects, name), path="overlay")


def chart_job(name: str) -> RenderJob:
    """A chart with a loop, a partial and values."""
    files = {
        "chart/Chart.yaml": b"apiVersion: v2\nname: app\nversion: 1.0.0\n",
        "chart/values.yaml": b"ports: [80, 443]\n",
        "chart/templates/_names.tpl": b'{{ define "name" }}{{ .Release.Name }}-app{{ end }}',
        "chart/templates/a.yaml": b"{{- range .Values.ports }}\n---\napiVersion: v1\nkind: Service\n"
        b'metadata: {name: {{ include "name" $ }}-{{ . }}}\nspec: {ports: [{port: {{ . }}}]}\n{{- end }}\n',
    }
    chart = ChartOptions(release_name=name, namespace="shop")
    return RenderJob(renderer=Renderer.HELM, files=files, path="chart", chart=chart)


def mixed(count: int) -> Iterator[RenderJob]:
    """Renders of every kind by turns, no two alike."""
    makers: tuple[Callable[[str], RenderJob], ...] = (
        lambda name: overlay_job(4, name),
        lambda name: overlay_job(10, name),
        chart_job,
    )
    for number, maker in zip(range(count), itertools.cycle(makers), strict=False):
        yield maker(f"n{number}")


def write(files: dict[str, bytes], folder: Path) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def shop_with_components(source: Path, folder: Path) -> RenderJob:
    """Online Boutique, written with an overlay in `top`; gives the same as the layers of a package."""
    shutil.copytree(source, folder)
    names = [f"../components/{name}" for name in COMPONENTS]
    (folder / "top").mkdir()
    (folder / "top" / "kustomization.yaml").write_bytes(
        orjson.dumps({"resources": ["../base"], "components": names})
    )
    files = {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }
    layers = tuple(f"components/{name}" for name in COMPONENTS)
    return RenderJob(renderer=Renderer.KUSTOMIZE, files=files, path="base", layers=layers)


async def one_by_one(pool: EnginePool, jobs: Iterable[RenderJob]) -> list[float]:
    """Seconds of each, from the request to parsed objects."""
    seconds = []
    for job in jobs:
        began = time.perf_counter()
        for body in await pool.render(job):
            orjson.loads(body)
        seconds.append(time.perf_counter() - began)
    return seconds


async def all_at_once(workers: int, jobs: Sequence[RenderJob]) -> tuple[float, float]:
    """Seconds that a pool takes for all of them, workers started and warm; and those of processors."""
    pool = EnginePool(EngineSettings(workers=workers))
    try:
        await asyncio.gather(*(pool.render(job) for job in jobs[: 10 * workers]))
        used, began = _processor_seconds(pool), time.perf_counter()
        for objects in await asyncio.gather(*(pool.render(job) for job in jobs)):
            for body in objects:
                orjson.loads(body)
        return time.perf_counter() - began, _processor_seconds(pool) - used
    finally:
        await pool.aclose()


def _processor_seconds(pool: EnginePool) -> float:
    """What this process and the workers have used so far."""
    return time.process_time() + sum(process.processor_seconds(w.pid) for w in pool.workers())


def kubectl_seconds(kubectl: Path, folder: Path, runs: int) -> list[float]:
    """Seconds of each `kubectl kustomize`, its output read."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run([kubectl, "kustomize", folder], capture_output=True, check=True, timeout=60)
        seconds.append(time.perf_counter() - began)
    return seconds


def kustomize_seconds(tree: Path, directory: str, *, renders: int, count: int) -> dict[str, float]:
    """Seconds of a render by kustomize itself in a warm process: the best of several counts."""
    toolchain = find_toolchain()
    if toolchain is None:
        msg = "there is no Go to run kustomize's own benchmark: see distributor/_engine/go.mod"
        raise RuntimeError(msg)
    command = [
        toolchain.program, "test", "-run", "^$", "-bench", "^BenchmarkKustomize$",
        "-benchtime", f"{renders}x", "-count", str(count), ".",
    ]  # fmt: skip
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    env |= {"BENCH_TREE": str(tree), "BENCH_DIR": directory}
    env |= {"GOROOT": toolchain.root} if toolchain.root else {}
    done = subprocess.run(
        command, cwd=ENGINE, env=env, capture_output=True, text=True, check=False, timeout=900
    )
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    found: dict[str, float] = {}
    for name, nanoseconds in re.findall(r"/(\w+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op", done.stdout):
        found[name] = min(found.get(name, float("inf")), float(nanoseconds) / 1e9)
    return found


def cache_seconds(folder: Path, cells: int) -> tuple[float, float]:
    """Seconds of a hit: on disk by a process that never read it, and then in memory."""
    objects = tuple(b"x" * 800 for _ in range(30))
    writer = DiskRenderCache(folder)
    for number in range(cells):
        writer.put(f"cell-{number}", objects)
    reader = DiskRenderCache(folder)
    return _hits(reader, cells), _hits(reader, cells)


def _hits(cache: DiskRenderCache, cells: int) -> float:
    """The median hit: one that had to wait for the machine says nothing of the cache."""
    seconds = []
    for number in range(cells):
        began = time.perf_counter()
        found = cache.get(f"cell-{number}")
        seconds.append(time.perf_counter() - began)
        if found is None:
            msg = f"cell-{number} is not in the cache"
            raise RuntimeError(msg)
    return statistics.median(seconds)


def binding_seconds(clusters: int) -> tuple[float, int]:
    """Seconds to bind a cell of 30 objects for many clusters, and how many objects they do not share."""
    cell = ManifestSet.of(_bindable(number) for number in range(30))
    began = time.perf_counter()
    binder = Binder(cell, ())
    bound = [binder.bind({"cluster_name": f"cluster-{n}"}) for n in range(clusters)]
    seconds = time.perf_counter() - began
    known = {id(manifest) for manifest in cell}
    return seconds, sum(id(manifest) not in known for manifest in bound[-1])


def _bindable(number: int) -> Manifest:
    text = "in ${cluster_name}" if number < _VARIABLE else "everywhere"
    metadata = {"name": f"config-{number:02}", "namespace": "shop"}
    data = {"where": text, "much": "q" * 500}
    return Manifest.of(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    )


async def memory_of(renders: int) -> list[float]:
    """Resident MiB of one worker after each render; it is never replaced."""
    pool = EnginePool(EngineSettings(workers=1, recycle_memory=1 << 40))
    found = []
    try:
        for job in mixed(renders):
            await pool.render(job)
            (worker,) = pool.workers()
            found.append(worker.resident / (1 << 20))
    finally:
        await pool.aclose()
    return found


def median_ms(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1000
