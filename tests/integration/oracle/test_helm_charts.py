"""Charts inside kustomizations: what `kubectl kustomize --enable-helm` gives with Helm's own program."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.oracle.tables import compare, kustomizations, parameters
from tests.oracle import kustomize


@pytest.mark.parametrize("case", parameters(kustomizations(where="helmcharts")))
async def test_a_chart_in_a_kustomization(ours, helm, tmp_path, case):
    folder = case.write(tmp_path / "app")
    found = await ours(folder)
    flags = ("--enable-helm", f"--helm-command={helm}")
    theirs = await asyncio.to_thread(kustomize, folder, *flags)
    compare(case, found, theirs)
