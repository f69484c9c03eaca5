"""Deletions that people agreed not to wait for go although something new fails or is waited for; the plan says so."""

from __future__ import annotations

from distributor.errors import DistributorError
from distributor.errors.cluster import ApiRefused, ServerFault
from distributor.model.changes import Action, Actuation
from distributor.model.consents import Deed
from distributor.services.targets.reconciling import plan_target
from distributor.services.targets.work import Work
from tests.unit.services.test_agreeing import NOTES, SETTINGS, WEB, Shop, answered, asked, codes

HURRY = [(Deed.HURRY, "settings")]


async def refusing(error: DistributorError) -> tuple[Shop, Work]:
    """A revision without ``settings`` whose new object the target refuses."""
    shop = Shop()
    await shop.once(shop.work("one", 1, (WEB, SETTINGS)))
    shop.memory.refuse[NOTES.ref] = error
    return shop, shop.work("two", 2, (WEB, NOTES))


async def test_what_a_refusal_holds_back_is_asked_about_and_goes_by_consent():
    """The old may be what keeps the new out: a quota that is full."""
    shop, work = await refusing(ApiRefused("exceeded quota"))
    planned = await plan_target(shop.world, work)
    assert [(q.deed, q.ref.name) for q in planned.questions] == HURRY
    report = await shop.once(work)
    assert (codes(report), asked(report)) == (["DST402"], HURRY)
    assert SETTINGS.ref in shop.memory.objects
    permitted = answered(work, report)
    planned = await plan_target(shop.world, permitted)
    assert [c.ref for c in planned.of(Action.PRUNED)] == [SETTINGS.ref]
    report = await shop.once(permitted)
    assert (codes(report), asked(report)) == (["DST402"], [])
    assert SETTINGS.ref not in shop.memory.objects
    shop.memory.refuse.clear()
    assert (await shop.once(permitted)).actuation is Actuation.APPLIED


async def test_nobody_is_asked_while_a_failure_passes_by_itself():
    shop, work = await refusing(ServerFault("starting"))
    planned = await plan_target(shop.world, work)
    assert planned.of(Action.PRUNED) == planned.questions == ()
    report = await shop.once(work)
    assert (codes(report), asked(report)) == (["DST404"], [])
    assert SETTINGS.ref in shop.memory.objects


async def test_what_is_gone_already_is_forgotten_whatever_fails():
    shop, work = await refusing(ApiRefused("no"))
    del shop.memory.objects[SETTINGS.ref]
    planned = await plan_target(shop.world, work)
    assert [c.ref for c in planned.of(Action.PRUNED)] == [SETTINGS.ref]
    assert planned.questions == ()
    await shop.once(work)
    assert SETTINGS.ref not in shop.memory.inventories["shop"].entries


async def test_what_an_earlier_phase_holds_back_is_asked_about_and_goes_by_consent():
    """The old may be what keeps the first phase from coming up: a port, a volume."""
    shop = Shop()
    await shop.once(shop.work("one", 1, (WEB, SETTINGS)))
    data = NOTES.data()
    data["metadata"]["annotations"] = {"distributor.dev/phase": "1"}
    later = NOTES.of(data)
    shop.memory.statuses[WEB.ref] = {}
    changed = WEB.data()
    changed["spec"] = {**changed.get("spec", {}), "minReadySeconds": 1}
    work = shop.work("two", 2, (WEB.of(changed), later))
    report = await shop.once(work)
    assert (report.actuation, asked(report)) == (Actuation.APPLYING, HURRY)
    assert "waits for it" in report.health[-1].message
    report = await shop.once(answered(work, report))
    assert (report.actuation, asked(report)) == (Actuation.APPLYING, [])
    assert later.ref not in shop.memory.objects
    assert SETTINGS.ref not in shop.memory.objects
