"""Who waits for whom, who is skipped and told why, and who goes on."""

from __future__ import annotations

from distributor.errors.cluster import ApiRefused
from distributor.model.changes import Actuation
from distributor.model.manifest import Manifest
from tests.unit.services.test_agreeing import codes, nobodys
from tests.unit.services.test_hooking import Shop, thing

DB, WEB, SETTINGS = thing("Job", "db"), thing("Deployment", "web"), thing("ConfigMap", "c")


def noted(manifest: Manifest, **notes: str) -> Manifest:
    data = manifest.data()
    names = {"phase": "distributor.dev/phase", "after": "config.kubernetes.io/depends-on"}
    data["metadata"]["annotations"] = {names[key]: text for key, text in notes.items()}
    return Manifest.of(data)


AFTER_DB = noted(WEB, after="batch/namespaces/shop/Job/db")


async def test_what_depends_on_an_object_waits_until_that_is_current_and_others_do_not():
    shop = Shop()
    work = shop.work("one", 1, (DB, AFTER_DB, SETTINGS))
    for _ in range(2):
        report = await shop.once(work)
        assert report.actuation is Actuation.APPLYING
    assert shop.names == ["c", "db"]
    (told,) = [h for h in report.health if "waits" in h.message]
    assert (told.ref, told.message.partition(":")[0]) == (DB.ref, f"{WEB.ref} waits for it")
    assert (await shop.settle(work)).actuation is Actuation.APPLIED
    assert shop.names == ["c", "db", "web"]


async def test_what_was_whole_once_is_healed_without_waiting():
    shop = Shop()
    work = shop.work("one", 1, (DB, AFTER_DB))
    assert (await shop.settle(work)).actuation is Actuation.APPLIED
    shop.memory.statuses.clear()
    del shop.memory.objects[WEB.ref]
    assert (await shop.once(work)).actuation is Actuation.APPLIED
    assert shop.names == ["db", "web"]


async def test_an_object_that_waits_for_one_that_waits_waits_too():
    shop = Shop()
    last = noted(SETTINGS, after="apps/namespaces/shop/Deployment/web")
    work = shop.work("one", 1, (DB, AFTER_DB, last))
    await shop.once(work)
    assert shop.names == ["db"]
    assert (await shop.settle(work)).actuation is Actuation.APPLIED
    assert shop.began == ["db", "web", "c"]


async def test_dependants_of_a_failed_object_are_told_what_they_needed():
    shop = Shop()
    shop.memory.refuse[DB.ref] = ApiRefused("(no)")
    third = noted(thing("ConfigMap", "third"), after="apps/namespaces/shop/Deployment/web")
    report = await shop.once(shop.work("one", 1, (DB, AFTER_DB, third, SETTINGS)))
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST402", "DST507", "DST507"])
    skipped = {f.where.file: f.message for f in report.findings if f.code == "DST507"}
    assert set(skipped) == {str(WEB.ref), str(third.ref)}
    assert all(f"it needs {DB.ref}, which failed" in text for text in skipped.values())
    assert shop.names == ["c"], "its neighbour goes on"


async def test_phases_after_a_failed_object_are_told_and_not_begun():
    shop = Shop()
    shop.memory.refuse[DB.ref] = ApiRefused("(no)")
    work = shop.work("one", 1, (DB, SETTINGS, noted(WEB, phase="2")))
    report = await shop.once(work)
    assert codes(report) == ["DST402", "DST507"]
    assert f"phase 2 comes after {DB.ref}" in report.findings[1].message
    assert shop.names == ["c"]


async def test_what_depends_on_an_object_that_is_another_s_is_skipped():
    shop = Shop()
    nobodys(shop, DB)
    report = await shop.once(shop.work("one", 1, (DB, AFTER_DB, noted(SETTINGS, phase="1"))))
    assert codes(report) == ["DST430", "DST507", "DST507"]
    assert shop.names == ["db"]


async def test_a_fix_takes_over_from_a_revision_that_waits():
    """The one that it waited for is changed by the newer revision, which begins at once."""
    shop = Shop()
    first = shop.work("one", 1, (DB, AFTER_DB))
    assert (await shop.once(first)).actuation is Actuation.APPLYING
    mended = thing("Job", "db", image="2")
    assert (await shop.settle(shop.work("two", 2, (mended, WEB)))).actuation is Actuation.APPLIED
    assert shop.memory.objects[DB.ref].applied == mended.digest
    assert (await shop.once(first)).actuation is Actuation.FENCED
