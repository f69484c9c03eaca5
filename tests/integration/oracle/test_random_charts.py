"""Whatever a chart is composed of, the engine gives what `helm template --include-crds` gives."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.integration.oracle.chart_compositions import Charts
from tests.integration.oracle.jobs import chart_options, flags_of
from tests.oracle import difference, helm_template

SEEDS = range(40)  # the same in every run: what is new is found by whoever adds some


async def test_random_charts(ours, helm, tmp_path):
    verdicts: Counter[str] = Counter()
    wrong = []
    for seed in SEEDS:
        case = Charts(seed).chart()
        folder = case.write(tmp_path / str(seed) / "web")
        flags = flags_of(case, folder.parent / "given.json")
        theirs = await asyncio.to_thread(helm_template, folder, *flags)
        mine = await ours(folder, chart_options(case))
        if mine.objects is None or theirs.objects is None:
            differs = (mine.objects, theirs.objects) != (None, None)
            text = f"ours {mine.error or mine.objects!r}\ntheirs {theirs.error or theirs.text}"
        else:
            text = difference(mine.objects, theirs.objects)
            differs = text != ""
        if differs:
            wrong.append(f"seed {seed}: {text}")
        verdicts["fails" if mine.objects is None else "builds"] += 1
    assert "\n\n".join(wrong) == ""
    assert verdicts["builds"] > len(SEEDS) // 2, verdicts
    assert verdicts["fails"] > len(SEEDS) // 10, verdicts
