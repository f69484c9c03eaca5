"""What people agreed to, at work on one target."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta

import pytest

from distributor.errors.cluster import ClusterUnreachable, DeletePending
from distributor.model.changes import Actuation, LiveObject, TargetReport
from distributor.model.consents import Deed, Permits
from distributor.model.health import HealthStatus
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.package import PrunePolicy
from distributor.model.refs import GroupKind
from distributor.model.tags import Verb
from distributor.services.targets.work import Work
from tests.unit.services.test_hooking import Shop, thing

WEB, SETTINGS = thing("Deployment", "web"), thing("ConfigMap", "settings")
NOTES = thing("ConfigMap", "notes")
STUCK = thing("Job", "migrate", hook="pre-upgrade,pre-install")
HOME = thing("Namespace", "shop")


def codes(report) -> list[str]:
    return sorted(f.code for f in report.findings)


def agreed(work: Work, verb: Verb) -> Work:
    """As an older ledger has it: agreed to whatever is asked for the revision."""
    return replace(work, agreed=frozenset({verb}))


def answered(work: Work, *reports: TargetReport) -> Work:
    """Agreed to what these reports asked, and to nothing else."""
    return replace(work, permits=Permits.of(q for r in reports for q in r.questions))


def asked(report: TargetReport) -> list[tuple[Deed, str]]:
    return [(q.deed, q.ref.name) for q in report.questions]


def dying(shop: Shop, manifest: Manifest, seconds: float) -> None:
    """A finalizer holds it, and it should have been gone for so long."""
    since = shop.world.clock.now() - timedelta(seconds=seconds)
    live = shop.memory.objects[manifest.ref]
    metadata = {**live.data["metadata"], "deletionTimestamp": since.isoformat()}
    shop.memory.objects[manifest.ref] = replace(live, data={**live.data, "metadata": metadata})
    shop.memory.refuse[manifest.ref] = DeletePending("(finalizers: x.example/never)")


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

    assert asked(report) == [(Deed.ADOPT, "settings")]
    old = dict(shop.memory.objects), dict(shop.memory.inventories)
    for agreeing in (agreed(work, Verb.CONSENT), answered(work, report)):
        found = await shop.once(agreeing)
        assert (found.actuation, codes(found)) == (Actuation.APPLIED, ["DST429"])
        assert shop.memory.objects[SETTINGS.ref].owner
        shop.memory.objects, shop.memory.inventories = map(dict, old)


async def test_an_object_that_takes_the_place_of_the_one_agreed_to_is_asked_about_anew():
    shop = Shop()
    nobodys(shop, SETTINGS)
    work = shop.work("one", 1, (WEB, SETTINGS, NOTES))
    report = await shop.once(work)
    there = shop.memory.objects[SETTINGS.ref]
    shop.memory.objects[SETTINGS.ref] = replace(there, uid="another")
    nobodys(shop, NOTES)
    again = await shop.once(answered(work, report))
    assert (again.actuation, codes(again)) == (Actuation.FAILED, ["DST430", "DST430"])
    assert asked(again) == [(Deed.ADOPT, "notes"), (Deed.ADOPT, "settings")]
    assert not shop.memory.objects[SETTINGS.ref].owner
    assert (await shop.once(answered(work, again))).actuation is Actuation.APPLIED


async def test_a_consent_to_deletions_is_to_those_that_were_asked_about():
    shop = Shop()
    keep = {GroupKind("", "ConfigMap"): PrunePolicy.CONFIRM}
    await shop.once(shop.work("one", 1, (WEB, SETTINGS, NOTES)))
    first = shop.work("two", 2, (WEB, NOTES), prune=keep)
    report = await shop.once(first)
    assert asked(report) == [(Deed.DELETE, "settings")]
    both = answered(shop.work("two", 3, (WEB,), prune=keep), report)
    report = await shop.once(both)
    assert (codes(report), asked(report)) == (["DST409"], [(Deed.DELETE, "notes")])
    assert set(shop.memory.objects) == {WEB.ref, NOTES.ref}


async def test_what_need_not_wait_for_the_new_is_named_one_by_one():
    shop = Shop()
    await shop.once(shop.work("one", 1, (WEB, SETTINGS, NOTES)))
    shop.memory.statuses[WEB.ref] = {}
    stuck = shop.work("two", 2, (WEB, NOTES))
    report = await shop.once(stuck)
    assert (report.actuation, asked(report)) == (
        Actuation.APPLYING, [(Deed.HURRY, "settings")]
    )  # fmt: skip
    more = answered(shop.work("two", 3, (WEB,)), report)
    report = await shop.once(more)
    assert (report.actuation, asked(report)) == (Actuation.APPLYING, [(Deed.HURRY, "notes")])
    assert set(shop.memory.objects) == {WEB.ref, NOTES.ref}
    report = await shop.once(answered(more, report))
    assert (report.actuation, asked(report)) == (Actuation.APPLIED, [])
    assert set(shop.memory.objects) == {WEB.ref}


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
    report = await shop.once(work)
    assert (report.actuation, asked(report)) == (
        Actuation.APPLYING, [(Deed.LEAVE, "migrate")]
    )  # fmt: skip
    for detached in (agreed(work, Verb.DETACH), answered(work, report)):
        other = copy.deepcopy(shop.memory.inventories), dict(shop.memory.objects)
        found = await shop.once(detached)
        assert (found.actuation, codes(found)) == (Actuation.APPLIED, ["DST432"])
        assert WEB.ref in shop.memory.objects
        assert (await shop.once(detached)).findings == ()
        shop.memory.inventories, shop.memory.objects = other


async def test_another_hook_and_another_run_of_the_same_one_are_asked_about_anew():
    shop = Shop()
    later = thing("Job", "seed", hook="pre-upgrade,pre-install", weight="5")
    work = shop.work("one", 1, (STUCK, later, WEB))
    await shop.once(work)
    first = await shop.once(work)
    assert asked(first) == [(Deed.LEAVE, "migrate")]
    await shop.once(answered(work, first))
    second = await shop.once(answered(work, first))
    assert (second.actuation, asked(second)) == (Actuation.APPLYING, [(Deed.LEAVE, "seed")])
    assert WEB.ref not in shop.memory.objects
    assert (await shop.once(answered(work, first, second))).actuation is Actuation.APPLIED

    newer = answered(shop.work("two", 2, (STUCK, later, WEB)), first, second)
    await shop.once(newer)
    again = await shop.once(newer)
    assert (again.actuation, asked(again)) == (Actuation.APPLYING, [(Deed.LEAVE, "migrate")])


async def test_what_a_finalizer_holds_keeps_its_namespace_until_it_is_let_go_of():
    shop = Shop()
    await shop.once(shop.work("one", 1, (HOME, WEB, SETTINGS)))
    gone = shop.work("one", 2, (), removing=True, former=ManifestSet.of((HOME,)))
    dying(shop, SETTINGS, 20)
    for work in (gone, agreed(gone, Verb.DETACH)):
        report = await shop.once(work)
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST419", "DST507"])
        assert set(shop.memory.objects) == {HOME.ref, SETTINGS.ref}
        assert asked(report) == [], "slow is not stuck"

    dying(shop, SETTINGS, 40)
    report = await shop.once(gone)
    assert codes(report) == ["DST419", "DST507"]
    assert asked(report) == [(Deed.FORGET, "settings")]
    report = await shop.once(answered(gone, report))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST432"])
    assert set(shop.memory.objects) == {SETTINGS.ref}
    assert not shop.memory.inventories["shop"].entries


async def test_what_gets_stuck_later_is_asked_about_anew():
    shop = Shop()
    await shop.once(shop.work("one", 1, (WEB, SETTINGS, NOTES)))
    dying(shop, SETTINGS, 40)
    dying(shop, NOTES, 20)
    work = shop.work("two", 2, (WEB,))
    report = await shop.once(work)
    assert asked(report) == [(Deed.FORGET, "settings")]
    dying(shop, NOTES, 40)
    report = await shop.once(answered(work, report))
    assert (codes(report), asked(report)) == (["DST419", "DST432"], [(Deed.FORGET, "notes")])
    assert set(shop.memory.inventories["shop"].entries) == {WEB.ref, NOTES.ref}


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
