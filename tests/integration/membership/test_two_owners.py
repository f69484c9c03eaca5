"""One object that two instances want: the first keeps it, and both are named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.model.changes import Actuation
from distributor.services.targets.reconciling import reconcile_target
from tests.integration.membership.conftest import codes, settings

pytestmark = pytest.mark.controlplane


async def test_two_owners_of_one_object(instances):
    first, second = instances
    shared = settings("shared", of="first")
    shared["metadata"]["namespace"] = first.namespace
    await first.sync(shared)
    other = {**shared, "data": {"of": "second"}}
    second.sequence += 1
    names = (first.namespace, second.namespace)
    work = replace(second.work(other, settings("own")), names=names)
    report = await reconcile_target(second.world, work)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST410"])
    assert all(f"instance {name}" in report.findings[0].message for name in names)
    assert (await first.get("v1 configmaps/shared"))["data"] == {"of": "first"}
    assert await second.get("v1 configmaps/own")

    report = await second.remove()
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert (await first.get("v1 configmaps/shared"))["data"] == {"of": "first"}


async def test_two_owners_that_are_installed_side_by_side(instances):
    """The lists from which the later one learns what is not there are older than what the first one made."""
    first, second = instances
    shared = settings("shared", of="first")
    shared["metadata"]["namespace"] = first.namespace
    await first.sync(shared, *(settings(f"own-{number}") for number in range(30)))
    second.sequence += 1
    names = (first.namespace, second.namespace)
    work = replace(second.work({**shared, "data": {"of": "second"}}), names=names)
    report = await reconcile_target(second.world, work)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST410"])
    assert all(f"instance {name}" in report.findings[0].message for name in names)
    assert (await first.get("v1 configmaps/shared"))["data"] == {"of": "first"}
