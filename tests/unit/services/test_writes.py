"""How often the parent of an inventory is written: when membership or sequence number changes, and no more."""

from __future__ import annotations

import pytest

from distributor.errors.cluster import ApiRefused
from distributor.model.changes import Actuation
from distributor.model.fleet import DriftMode
from distributor.model.manifest import Manifest
from tests.unit.services.test_hooking import Shop, ref, thing

WEB, SETTINGS = thing("Deployment", "web"), thing("ConfigMap", "settings")
NEWER = thing("Deployment", "web", image="2")
HOOK = thing("Job", "migrate", hook="pre-install,pre-upgrade")


def fleeting() -> Manifest:
    data = thing("Job", "once").data()
    data["spec"] = {"ttlSecondsAfterFinished": 60}
    return Manifest.of(data)


def phased() -> Manifest:
    data = SETTINGS.data()
    data["metadata"]["annotations"] = {"distributor.dev/phase": "-1"}
    return Manifest.of(data)


def writes(shop: Shop) -> int:
    """Since it was asked last."""
    count = shop.memory.calls.count("write_inventory shop")
    shop.memory.calls.clear()
    return count


@pytest.mark.parametrize(
    ("objects", "how", "expected"),
    [
        ((WEB, SETTINGS), {}, 1),
        ((WEB, fleeting()), {}, 2),
        ((WEB, phased()), {}, 2),
        ((WEB, SETTINGS), {"drift": DriftMode.REPORT}, 2),
        ((WEB, SETTINGS), {"depends_on": {str(WEB.ref): (str(SETTINGS.ref),)}}, 2),
    ],
    ids=["plain", "a Job that goes by itself", "phases", "drift is reported", "dependencies"],
)
async def test_an_install(objects, how, expected):
    shop = Shop()
    work = shop.work("one", 1, objects, **how)
    report = await shop.once(work)
    while report.actuation is Actuation.APPLYING:
        report = await shop.once(work)
    assert report.actuation is Actuation.APPLIED, report.findings
    assert writes(shop) == expected
    for _ in range(2):
        assert (await shop.once(work)).actuation is Actuation.APPLIED
    assert writes(shop) == 0


async def test_a_newer_revision_of_the_same_objects_is_one_write_and_one_that_drops_some_is_two():
    shop = Shop()
    await shop.once(shop.work("one", 1, (WEB, SETTINGS)))
    assert writes(shop) == 1
    await shop.once(shop.work("two", 2, (NEWER, SETTINGS)))
    assert writes(shop) == 1
    await shop.once(shop.work("three", 3, (NEWER,)))
    assert writes(shop) == 2
    kept = shop.memory.inventories["shop"].entries
    assert {r.name: e.uid for r, e in kept.items()} == {"web": shop.memory.objects[WEB.ref].uid}


async def test_what_is_healed_is_written_and_the_inventory_is_not():
    shop = Shop()
    work = shop.work("one", 1, (WEB, SETTINGS))
    await shop.once(work)
    writes(shop)
    del shop.memory.objects[ref("ConfigMap", "settings")]
    report = await shop.once(work)
    assert (report.actuation, [o.action for o in report.outcomes]) == (
        Actuation.APPLIED,
        ["created"],
    )
    assert writes(shop) == 0


async def test_what_failed_is_noted_and_what_then_succeeds_too():
    shop = Shop()
    shop.memory.refuse[WEB.ref] = ApiRefused("(no)")
    work = shop.work("one", 1, (WEB, SETTINGS))
    assert (await shop.once(work)).actuation is Actuation.FAILED
    assert writes(shop) == 2
    report = await shop.once(work)
    assert (report.actuation, report.drift) == (Actuation.FAILED, ()), "not made yet is no drift"
    assert writes(shop) == 0
    shop.memory.refuse.clear()
    assert (await shop.once(work)).actuation is Actuation.APPLIED
    assert writes(shop) == 1
