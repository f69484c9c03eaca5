"""A table of kustomizations, each feature at least once: object for object what `kubectl kustomize` gives."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.oracle.tables import compare, kustomizations, parameters
from tests.oracle import kustomize

CASES = kustomizations()


def test_there_are_enough_of_them():
    assert sum(case.builds for case in CASES) >= 60


@pytest.mark.parametrize("case", parameters(CASES))
async def test_a_kustomization(ours, tmp_path, case):
    folder = case.write(tmp_path / "app")
    theirs = await asyncio.to_thread(kustomize, folder)
    found = await ours(folder)
    compare(case, found, theirs)
