"""Charts inside kustomizations: what `kubectl kustomize --enable-helm` gives with Helm's own program."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.integration.oracle.tables import compare, kustomizations, parameters
from tests.oracle import kustomize

REFUSED = "helmCharts are refused so far: with them come in, this line and its use go"
CASES = [replace(c, known=REFUSED if c.builds else "") for c in kustomizations(where="helmcharts")]


@pytest.mark.parametrize("case", parameters(CASES))
async def test_a_chart_in_a_kustomization(ours, helm, tmp_path, case):
    folder = case.write(tmp_path / "app")
    found = await ours(folder)
    flags = ("--enable-helm", f"--helm-command={helm}")
    theirs = await asyncio.to_thread(kustomize, folder, *flags)
    compare(case, found, theirs)
