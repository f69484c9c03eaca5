"""What people agreed to, at work on one target."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.errors.cluster import ClusterUnreachable, DeletePending
from distributor.model.changes import Actuation, LiveObject
from distributor.model.health import HealthStatus
from distributor.model.manifest import ManifestSet
from distributor.model.tags import Verb
from distributor.services.targets.work import Work
from tests.unit.services.test_hooking import Shop, thing

WEB, SETTINGS = thing("Deployment", "web"), thing("ConfigMap", "settings")
STUCK = thing("Job", "migrate", hook="pre-upgrade,pre-install")
HOME = thing("Namespace", "shop")


def codes(report) -> list[str]:
    return sorted(f.code for f in report.findings)


def agreed(work: Work, verb: Verb) -> Work:
    return replace(work, agreed=frozenset({verb}))


def nobodys(shop: Shop, manifest) -> None:
    """Somebody's object of that name, without our label."""
    data = manifest.data()
    del data["metadata"]["labels"]
    shop.memory.objects[manifest.ref] = LiveObject(
        ref=manifest.ref, api_version=manifest.api_version, uid="theirs", data=data
    )


async def test_what_is_there_is_left_until_somebody_agrees():
    shop = Shop()
    nobodys(shop, SETTINGS)
    work = shop.work("one", 1, (WEB, SETTINGS))
    report = await shop.once(work)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST430"])
    assert shop.memory.objects[SETTINGS.ref].owner == ""
    assert WEB.ref in shop.memory.objects, "its neighbour goes on"

    report = await shop.once(agreed(work, Verb.CONSENT))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST429"])
    assert shop.memory.objects[SETTINGS.ref].owner


async def test_what_was_never_taken_over_stays_when_the_instance_goes():
    shop = Shop()
    nobodys(shop, HOME)
    report = await shop.once(shop.work("one", 1, (HOME, WEB)))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST431"])
    assert {h.ref: h.status for h in report.health}[HOME.ref] is HealthStatus.CURRENT
    report = await shop.once(shop.work("one", 1, (HOME, WEB)))
    assert {h.ref: h.status for h in report.health}[HOME.ref] is HealthStatus.CURRENT
    gone = shop.work("one", 2, (), removing=True, former=ManifestSet.of((HOME, WEB)))
    report = await shop.once(gone)
    assert report.actuation is Actuation.APPLIED, report.findings
    assert set(shop.memory.objects) == {HOME.ref}
    assert not shop.memory.inventories["shop"].entries


async def test_a_hook_that_does_not_end_is_let_go_of():
    shop = Shop()
    work = shop.work("one", 1, (STUCK, WEB))
    assert (await shop.once(work)).actuation is Actuation.APPLYING
    assert (await shop.once(work)).actuation is Actuation.APPLYING
    report = await shop.once(agreed(work, Verb.DETACH))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST432"])
    assert WEB.ref in shop.memory.objects
    assert (await shop.once(agreed(work, Verb.DETACH))).findings == ()


async def test_what_a_finalizer_holds_keeps_its_namespace_until_it_is_let_go_of():
    shop = Shop()
    await shop.once(shop.work("one", 1, (HOME, WEB, SETTINGS)))
    shop.memory.refuse[SETTINGS.ref] = DeletePending("(finalizers: x.example/never)")
    gone = shop.work("one", 2, (), removing=True, former=ManifestSet.of((HOME,)))
    report = await shop.once(gone)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST419", "DST507"])
    assert set(shop.memory.objects) == {HOME.ref, SETTINGS.ref}

    report = await shop.once(agreed(gone, Verb.DETACH))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST432"])
    assert set(shop.memory.objects) == {SETTINGS.ref}
    assert not shop.memory.inventories["shop"].entries


async def test_a_lost_inventory_lets_no_removal_say_that_all_is_gone():
    """Not even of objects that the removed revision did not have, and where it cannot be rendered."""
    shop = Shop()
    await shop.once(shop.work("one", 1, (WEB, SETTINGS)))
    del shop.memory.inventories["shop"]
    report = await shop.once(shop.work("one", 2, (), removing=True))
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST412"])
    assert all(str(m.ref) in report.findings[0].message for m in (WEB, SETTINGS))
    shop.memory.objects.clear()
    report = await shop.once(shop.work("one", 2, (), removing=True))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])


async def test_a_namespace_with_objects_of_another_instance_stays_whoever_agrees():
    shop = Shop()
    await shop.once(shop.work("one", 1, (HOME, WEB)))
    till = replace(shop.memory.inventories["shop"], instance="till", entries={SETTINGS.ref: None})
    shop.memory.inventories["till"] = till
    gone = shop.work("one", 2, (), removing=True, former=ManifestSet.of((HOME, WEB)))
    for work in (gone, agreed(gone, Verb.CONSENT)):
        report = await shop.once(work)
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
        assert "objects of instance till" in report.findings[0].message
        assert set(shop.memory.objects) == {HOME.ref}
    del shop.memory.inventories["till"]
    assert (await shop.once(gone)).actuation is Actuation.APPLIED
    assert not shop.memory.objects


async def test_a_lost_inventory_is_made_anew_from_what_is_on_the_objects():
    """What the revision has is taken over; what it has not any more is named, and goes by consent."""
    shop = Shop()
    await shop.once(shop.work("one", 1, (WEB, SETTINGS)))
    del shop.memory.inventories["shop"]
    work = shop.work("two", 2, (WEB,))
    for _ in range(2):
        report = await shop.once(work)
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
        assert "the inventory was lost" in report.findings[0].message
        assert SETTINGS.ref in shop.memory.objects
    report = await shop.once(agreed(work, Verb.CONSENT))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert set(shop.memory.objects) == {WEB.ref}
    assert set(shop.memory.inventories["shop"].entries) == {WEB.ref}


@pytest.mark.parametrize("step", ["write_inventory shop", "owned shop", "read_live"])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_whatever_breaks_a_recovery_off_it_is_begun_again(step: str, at: int):
    shop = Shop()
    await shop.once(shop.work("one", 1, (WEB, SETTINGS)))
    del shop.memory.inventories["shop"]
    seen = 0

    def breaks(name: str) -> None:
        nonlocal seen
        seen += name == step
        if name == step and seen == at:
            raise ClusterUnreachable("(it died)")

    shop.memory.fail = breaks
    work = shop.work("two", 2, (WEB,))
    await shop.once(work)
    shop.memory.fail = lambda _step: None
    report = await shop.once(work)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
    kept = shop.memory.inventories["shop"]
    assert (set(kept.entries), kept.recovering) == ({WEB.ref, SETTINGS.ref}, False)


async def test_an_install_asks_for_nothing_by_its_label():
    shop = Shop()
    await shop.once(shop.work("one", 1, (WEB, SETTINGS)))
    assert "owned shop" not in shop.memory.calls
