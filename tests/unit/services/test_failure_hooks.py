"""Hooks for a failure: once a verdict, and never the answer themselves."""

from __future__ import annotations

import pytest

from distributor.errors.cluster import ApiRefused, Throttled
from distributor.model.changes import Actuation
from distributor.model.hooks import DeclaredHook, HookResult, Moment
from distributor.model.manifest import Manifest
from distributor.plan import text
from distributor.services.targets.reconciling import plan_target
from tests.unit.services.test_hooking import BROKEN, DONE, Shop, thing

WEB = thing("Deployment", "web")
MIGRATE = thing("Job", "migrate", hook="pre-install,pre-upgrade")


def tell(name: str = "tell", wave: str = "0") -> Manifest:
    data = thing("Job", name).data()
    data["metadata"]["annotations"] = {
        "argocd.argoproj.io/hook": "SyncFail",
        "argocd.argoproj.io/sync-wave": wave,
    }
    return Manifest.of(data)


def codes(report) -> list[str]:
    return sorted(f.code for f in report.findings)


async def test_nothing_fails_and_nothing_is_told():
    shop = Shop()
    work = shop.work("one", 1, (WEB, tell()))
    assert "failure" not in text(await plan_target(shop.world, work))
    report = await shop.settle(work)
    assert (report.actuation, shop.began) == (Actuation.APPLIED, ["web"])
    assert tell().ref not in shop.memory.objects
    assert not (await plan_target(shop.world, work)).hooks


async def test_an_object_that_is_refused_begins_the_hooks_for_a_failure_once():
    shop = Shop()
    shop.memory.refuse[WEB.ref] = ApiRefused("(no)")
    work = shop.work("one", 1, (WEB, tell("second", "1"), tell("first")))
    for end in (None, DONE, DONE, DONE):
        report = await shop.once(work)
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST402"])
        if end:
            shop.end(end)
    ends = {run.ref.name: run.result for run in shop.memory.inventories["shop"].hooks.runs.values()}
    assert ends == {"first": HookResult.SUCCEEDED, "second": HookResult.SUCCEEDED}
    assert [name for name in shop.began if "first" in name or "second" in name] == shop.began
    assert len(shop.began) == 2, "each once"

    again = shop.work("one", 2, (WEB, tell("second", "1"), tell("first")))
    await shop.once(again)
    assert len(shop.began) == 3, "a later request that fails tells it again"


async def test_what_is_only_late_is_no_failure():
    shop = Shop()
    shop.memory.refuse[WEB.ref] = Throttled("(busy)")
    await shop.once(shop.work("one", 1, (WEB, tell())))
    assert not shop.began


@pytest.mark.parametrize("declared", [True, False])
async def test_a_hook_that_fails_is_a_failure_and_a_failing_hook_for_it_adds_its_own_error(
    declared,
):
    shop = Shop()
    after = thing("Job", "tell") if declared else tell()
    named = (DeclaredHook(ref=after.ref, moment=Moment.FAILURE),) if declared else ()
    work = shop.work("one", 1, (WEB, MIGRATE, after), hooks=named)
    await shop.once(work)
    shop.end(BROKEN)
    report = await shop.once(work)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST421"])
    assert after.ref in shop.memory.objects
    assert WEB.ref not in shop.memory.objects
    shop.end(BROKEN)
    report = await shop.once(work)
    assert codes(report) == ["DST421", "DST421"]


async def test_a_fix_is_not_kept_waiting_by_the_failure_before_it():
    shop = Shop()
    shop.memory.refuse[WEB.ref] = ApiRefused("(no)")
    await shop.once(shop.work("one", 1, (WEB, tell())))
    shop.memory.refuse.clear()
    report = await shop.once(shop.work("two", 2, (WEB, tell())))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    gone = shop.work("two", 3, (), removing=True)
    assert (await shop.once(gone)).actuation is Actuation.APPLIED
    assert not shop.memory.objects
