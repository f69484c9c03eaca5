"""A table of charts, each feature at least once: object for object what `helm template --include-crds` gives."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.oracle.jobs import chart_options, flags_of
from tests.integration.oracle.tables import charts, compare, parameters
from tests.oracle import helm_template

CASES = charts()


def test_there_are_enough_of_them():
    assert sum(case.builds for case in CASES) >= 20


@pytest.mark.parametrize("case", parameters(CASES))
async def test_a_chart(ours, helm, tmp_path, case):
    chart = case.write(tmp_path / "web")
    options = chart_options(case)
    flags = flags_of(case, tmp_path / "given.json")
    found = await ours(chart, options)
    theirs = await asyncio.to_thread(
        helm_template, chart, *flags, name=options.release_name, namespace=options.namespace
    )
    compare(case, found, theirs)
