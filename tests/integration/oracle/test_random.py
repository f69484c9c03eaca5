"""Whatever a kustomization is composed of, the engine gives what `kubectl kustomize` gives."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

from hypothesis import HealthCheck, given, settings

from distributor.adapters.engine import EnginePool, EngineSettings
from distributor.errors import DistributorError
from distributor.model.package import Renderer
from distributor.model.rendering import RenderJob
from tests.integration.oracle.compositions import Files, compositions
from tests.oracle import difference, kustomize, rendered_json

EXAMPLES = 100


def test_random_compositions(tmp_path):
    verdicts: Counter[str] = Counter()
    folders = (tmp_path / str(number) for number in itertools.count())

    def check(files: Files) -> None:
        folder = next(folders)
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
        theirs = kustomize(folder / "top")
        tree = {name: text.encode() for name, text in files.items()}
        job = RenderJob(renderer=Renderer.KUSTOMIZE, files=tree, path="top")
        try:
            ours, error = rendered_json(runner.run(pool.render(job))), ""
        except DistributorError as refused:
            ours, error = None, str(refused)
        assert (ours is None) == (theirs.objects is None), (
            f"ours {error!r}, theirs {theirs.error!r}"
        )
        if ours is not None and theirs.objects is not None:
            assert difference(ours, theirs.objects) == ""
        verdicts["fails" if ours is None else "builds"] += 1

    # The same examples in every run: what is new is found by whoever raises their number.
    same = settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with asyncio.Runner() as runner:
        pool = EnginePool(EngineSettings(workers=1))
        try:
            same(given(compositions())(check))()
        finally:
            runner.run(pool.aclose())
    assert verdicts["builds"] > EXAMPLES // 2, verdicts
    assert verdicts["fails"] > 0
