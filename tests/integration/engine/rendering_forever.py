"""A process that renders into a cache until it is killed; the tests of dying start it.

Usage: ``rendering_forever.py CACHE SEED``. Each line of its output names a key that was put. It leads a
process group of its own, and its workers lead theirs.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from distributor.adapters.cache import CacheSettings, DiskRenderCache
from distributor.adapters.engine import EnginePool, EngineSettings
from distributor.model.package import Renderer
from distributor.model.rendering import RenderJob

KEYS = 40
COLD = CacheSettings(memory_bytes=0)
_KUSTOMIZATION = "namePrefix: {name}-\nresources: [a.yaml]\nlabels: [{{pairs: {{of: {name}}}}}]\n"
_OBJECT = """apiVersion: v1
kind: ConfigMap
metadata: {{name: part{number}}}
data: {{of: {name}, text: "{filler}"}}
---
"""


def job_of(number: int) -> RenderJob:
    """A kustomization of as many objects as its number says, each named after it."""
    name = f"n{number}"
    objects = "".join(
        _OBJECT.format(number=part, name=name, filler="x" * 50 * number)
        for part in range(number + 1)
    )
    files = {
        "kustomization.yaml": _KUSTOMIZATION.format(name=name).encode(),
        "a.yaml": objects.encode(),
    }
    return RenderJob(renderer=Renderer.KUSTOMIZE, files=files, path=".", package=name)


async def main(folder: Path, seed: int) -> None:
    """Four at a time, in an order of chance."""
    cache, order = DiskRenderCache(folder, COLD), random.Random(seed)
    pool = EnginePool(EngineSettings(workers=2))

    async def forever() -> None:
        while True:
            number = order.randrange(KEYS)
            cache.put(f"n{number}", await pool.render(job_of(number)))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()

    await asyncio.gather(*(forever() for _ in range(4)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
