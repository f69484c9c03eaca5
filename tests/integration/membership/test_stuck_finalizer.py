"""A finalizer that never ends: named, waited for, kept in mind, and let go of by a recorded word."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from distributor.model.tags import Verb
from tests.integration.membership.conftest import Instance, codes, settings

pytestmark = pytest.mark.controlplane


async def test_a_finalizer_that_never_ends(instance: Instance):
    held = settings("held")
    held["metadata"]["finalizers"] = ["x.example/never"]
    await instance.sync(held, settings("a"))
    report = await instance.sync(settings("a"))
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST419"])
    assert "x.example/never" in report.findings[0].message
    kept = await instance.inventory()
    assert {ref.name for ref in kept.entries} == {"a", "held"}, (
        "what is still there is kept in mind"
    )

    report = await instance.sync(settings("a", newer="1"))
    assert (await instance.get("v1 configmaps/a"))["data"] == {"newer": "1"}, (
        "a fix is not kept out"
    )
    report = await instance.sync(settings("a", newer="1"), agreed=[Verb.DETACH])
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST432"])
    kept = await instance.inventory()
    assert {ref.name for ref in kept.entries} == {"a"}
    await instance.send(
        "PATCH", "v1 configmaps/held", {"metadata": {"finalizers": []}},
        kind="application/merge-patch+json",
    )  # fmt: skip
