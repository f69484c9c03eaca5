"""A finalizer that never ends: named, waited for, kept in mind, and let go of by a recorded word."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from distributor.model.changes import Actuation
from distributor.model.consents import Deed, Permits
from distributor.model.tags import Verb
from distributor.services.targets.reconciling import reconcile_target
from tests.integration.membership.conftest import LONG, Instance, codes, settings

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
    assert report.questions == (), "nobody is asked about a deletion that is only slow"
    report = await instance.sync(settings("a", newer="1"), agreed=[Verb.DETACH])
    assert codes(report) == ["DST419"], "nor is it forgotten by a word to another"

    later = replace(instance.work(settings("a", newer="1")), patience=0.0)
    async with asyncio.timeout(LONG):
        asked = await reconcile_target(instance.world, later)
        while not asked.questions:  # its time is told in whole seconds
            asked = await reconcile_target(instance.world, later)
    (question,) = asked.questions
    uid = (await instance.get("v1 configmaps/held"))["metadata"]["uid"]
    assert (question.deed, question.uid) == (Deed.FORGET, uid)
    answered = replace(later, permits=Permits.of(asked.questions))
    report = await reconcile_target(instance.world, answered)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST432"])
    kept = await instance.inventory()
    assert {ref.name for ref in kept.entries} == {"a"}
    await instance.send(
        "PATCH", "v1 configmaps/held", {"metadata": {"finalizers": []}},
        kind="application/merge-patch+json",
    )  # fmt: skip
