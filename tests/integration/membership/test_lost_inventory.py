"""Without its inventory an instance is not called removed while anything of it is there."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from distributor.model.tags import Verb
from tests.integration.membership.conftest import INVENTORIES, Instance, codes, settings
from tests.integration.ownership.conftest import deployment

pytestmark = pytest.mark.controlplane


async def test_a_removal_names_what_is_still_there(instance: Instance):
    await instance.sync(settings("a"), deployment())
    await instance.root("DELETE", f"{INVENTORIES}/dst-{instance.namespace}")
    report = await instance.remove()
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST412"])
    told = report.findings[0].message
    assert f"ConfigMap/{instance.namespace}/a" in told
    assert f"apps/Deployment/{instance.namespace}/web" in told
    assert "2 of its objects" in told, "what controllers made of them is not counted"

    await instance.send("DELETE", "v1 configmaps/a", None)
    await instance.send("DELETE", "apps/v1 deployments/web", None)
    report = await instance.remove()
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])


async def test_the_next_pass_makes_it_anew(instance: Instance):
    await instance.sync(settings("a"), settings("b"), deployment())
    await instance.root("DELETE", f"{INVENTORIES}/dst-{instance.namespace}")
    report = await instance.sync(settings("a"), deployment())
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
    assert f"ConfigMap/{instance.namespace}/b" in str(report.findings[0].where)
    kept = await instance.inventory()
    assert {ref.name for ref in kept.entries} == {"a", "b", "web"}
    report = await instance.sync(settings("a"), deployment(), agreed=[Verb.CONSENT])
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert await instance.get("v1 configmaps/b") == {}
