"""Hooks on a target: once a change, in order, each to its end, whatever happens in between."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from distributor.errors import registry
from distributor.errors.cluster import (
    ApiRefused,
    ClusterUnreachable,
    DeletePending,
    ServerFault,
    Throttled,
)
from distributor.model.changes import Actuation, TargetReport
from distributor.model.fleet import Cluster, Mode
from distributor.model.health import HealthStatus
from distributor.model.hooks import DeclaredHook, HookResult, Moment, Occasion
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import ObjectId, ObjectRef
from distributor.plan import text
from distributor.plan.hooks import RUN
from distributor.render.applyset import PART_OF, applyset_id
from distributor.services.targets.reconciling import plan_target, reconcile_target
from distributor.services.targets.work import Work
from distributor.services.world import World
from distributor.testing.clock import FakeClock
from distributor.testing.targets import MemoryCluster, MemoryConnections

TARGET = Cluster(name="c1", environment="sit", tier="edge", mode=Mode.PUSH, connection="c1")
OWNER = applyset_id("shop")
VERSIONS = {"Job": "batch/v1", "Pod": "v1", "Deployment": "apps/v1", "ConfigMap": "v1",
            "Namespace": "v1", "ServiceAccount": "v1", "Secret": "v1",
            "CustomResourceDefinition": "apiextensions.k8s.io/v1"}  # fmt: skip
DONE = {"conditions": [{"type": "Complete", "status": "True"}]}
BROKEN = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
RUNNING = {
    "conditions": [{"type": "Available", "status": "True"}],
    **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1),
}


def thing(kind: str, name: str, hook: str = "", image: str = "", **notes: str) -> Manifest:
    said = {"helm.sh/hook": hook} if hook else {}
    said |= {f"helm.sh/hook-{k.replace('_', '-')}": v for k, v in notes.items()}
    metadata: dict[str, Any] = {"name": name, "labels": {PART_OF: OWNER}}
    if kind not in {"Namespace", "CustomResourceDefinition"}:
        metadata["namespace"] = "shop"
    if said:
        metadata["annotations"] = said
    body = {"spec": {"image": image}} if image else {}
    return Manifest.of({"apiVersion": VERSIONS[kind], "kind": kind, "metadata": metadata, **body})


def ref(kind: str, name: str) -> ObjectRef:
    return thing(kind, name).ref


class AnyLedger:
    def is_ancestor(self, _ancestor: ObjectId, _descendant: ObjectId) -> bool:
        return True


class Shop:
    """One instance on one target in memory, whose Jobs end as they are told to."""

    def __init__(self, **options: bool) -> None:
        self.memory = MemoryCluster(name="c1")
        parts = dict.fromkeys(f.name for f in fields(World))
        parts["objects"] = AnyLedger()
        parts["connections"] = MemoryConnections({"c1": self.memory}, **options)
        parts["clock"] = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
        self.world = World(**parts)
        self.began: list[str] = []
        self.memory.fail = self._note
        self._seen: dict[ObjectRef, str] = {}

    def work(
        self, change: str, sequence: int, objects: Iterable[Manifest], **parts: object
    ) -> Work:
        return Work(
            environment="sit", instance="shop", cluster=TARGET, sequence=sequence,
            ledger_commit=ObjectId("a" * 40), revision=f"shop {change}", change=change,
            desired=ManifestSet.of(objects), owner=OWNER, **parts,
        )  # fmt: skip

    async def once(self, work: Work) -> TargetReport:
        report = await reconcile_target(self.world, work)
        self._note("")
        return report

    async def settle(self, work: Work, *, ends: bool = True) -> TargetReport:
        """Reconcile again and again, as a rollout does; Jobs end well in between."""
        for _ in range(20):
            report = await self.once(work)
            if report.actuation is not Actuation.APPLYING:
                return report
            if ends:
                self.end()
        return report

    def end(self, status: object = None) -> None:
        for found in self.memory.objects:
            if found.kind == "Job":
                self.memory.statuses.setdefault(found, status or DONE)

    def _note(self, _step: str) -> None:
        """Which runs of hooks began so far, in order; what is made anew has no status any more."""
        for there, live in self.memory.objects.items():
            if self._seen.get(there) != live.uid:
                self._seen[there] = live.uid
                self.memory.statuses.pop(there, None)
                if there.kind == "Deployment":
                    self.memory.statuses[there] = RUNNING
                notes = live.data["metadata"].get("annotations") or {}
                self.began.append(f"{there.name}{'!' if RUN in notes else ''}")

    @property
    def names(self) -> list[str]:
        return sorted(found.name for found in self.memory.objects)

    @property
    def results(self) -> dict[str, str]:
        runs = self.memory.inventories["shop"].hooks.runs
        return {name: run.result.value for name, run in runs.items()}


@pytest.fixture
def shop() -> Shop:
    return Shop()


ALL = (
    thing("Job", "init", "pre-install"),
    thing("Job", "migrate", "pre-install,pre-upgrade", weight="5"),
    thing("Job", "warm", "post-upgrade"),
    thing("Job", "greet", "post-install"),
    thing("Job", "undo", "pre-rollback"),
    thing("ConfigMap", "settings"),
    thing("Namespace", "shop"),
)


async def test_an_install_an_upgrade_and_a_resync(shop):
    first = shop.work("one", 1, ALL)
    assert (await shop.settle(first)).actuation is Actuation.APPLIED
    assert shop.began == ["shop", "init!", "migrate!", "settings", "greet!"]
    assert shop.memory.inventories["shop"].hooks.occasion is None

    shop.began.clear()
    calls = len(shop.memory.calls)
    assert (await shop.once(first)).actuation is Actuation.APPLIED
    assert shop.memory.calls[calls:] == ["read_inventory shop", "read_live"]

    second = shop.work("two", 2, ALL)
    assert (await shop.settle(second)).actuation is Actuation.APPLIED
    assert shop.began == ["migrate!", "warm!"]
    shop.began.clear()
    shop.memory.objects.pop(ref("ConfigMap", "settings"))
    assert (await shop.settle(shop.work("two", 3, ALL))).actuation is Actuation.APPLIED
    assert shop.began == ["settings"], "healed, and no hook ran again"


async def test_a_rollback_runs_hooks_of_a_rollback_alone(shop):
    await shop.settle(shop.work("one", 1, ALL))
    await shop.settle(shop.work("two", 2, ALL))
    shop.began.clear()
    await shop.settle(shop.work("one", 3, ALL, rolling_back=True))
    assert shop.began == ["undo!"]
    await shop.settle(shop.work("two", 4, ALL))
    shop.began.clear()
    await shop.settle(shop.work("one", 5, ALL, rolling_back=True))
    assert shop.began == ["undo!"], "another rollback, another run"


async def test_a_hook_is_waited_for_before_the_next_and_before_the_objects(shop):
    work = shop.work("one", 1, ALL)
    report = await shop.once(work)
    assert report.actuation is Actuation.APPLYING
    assert [(h.ref.name, h.status) for h in report.health] == [("init", HealthStatus.IN_PROGRESS)]
    assert "pre-install hook" in report.health[0].message
    await shop.once(work)
    assert shop.names == ["init", "shop"]
    shop.end()
    await shop.once(work)
    assert shop.names == ["init", "migrate", "shop"]
    assert shop.results["pre batch/Job/shop/init"] == "succeeded"


async def test_hooks_after_wait_until_the_objects_are_current(shop):
    work = shop.work("one", 1, [thing("Deployment", "web"), thing("Job", "greet", "post-install")])
    shop.memory.statuses[ref("Deployment", "web")] = {}
    real, shop.memory.fail = shop.memory.fail, lambda _step: None
    report = await reconcile_target(shop.world, work)
    assert report.actuation is Actuation.APPLIED
    assert report.health[0].status is HealthStatus.IN_PROGRESS
    assert shop.names == ["web"]
    shop.memory.fail = real
    shop.memory.statuses[ref("Deployment", "web")] = RUNNING
    assert (await shop.settle(work)).actuation is Actuation.APPLIED
    assert shop.names == ["greet", "web"]


async def test_a_failing_hook_stops_and_is_named(shop):
    work = shop.work("one", 1, ALL)
    await shop.once(work)
    shop.end(BROKEN)
    report = await shop.once(work)
    assert report.actuation is Actuation.FAILED
    (finding,) = report.findings
    assert finding.code == "DST421"
    assert "pre-install batch/Job/shop/init" in finding.message
    assert "BackoffLimitExceeded" in finding.message
    assert shop.names == ["init", "shop"]

    shop.began.clear()
    again = await shop.once(work)
    assert [f.code for f in again.findings] == ["DST421"]
    assert shop.began == [], "it is not run again by itself"

    await shop.settle(shop.work("one", 2, ALL))
    assert shop.began == ["init!", "migrate!", "settings", "greet!"], "a later request runs it anew"


async def test_what_succeeded_is_not_run_again_by_a_later_request(shop):
    work = shop.work("one", 1, ALL)
    await shop.once(work)
    shop.end()
    await shop.once(work)
    shop.memory.statuses[ref("Job", "migrate")] = BROKEN
    await shop.once(work)
    shop.began.clear()
    await shop.settle(shop.work("one", 2, ALL))
    assert shop.began == ["migrate!", "settings", "greet!"]


async def test_an_install_whose_hook_failed_is_still_an_install_for_the_next_version(shop):
    work = shop.work("one", 1, ALL)
    await shop.once(work)
    shop.end(BROKEN)
    await shop.once(work)
    shop.began.clear()
    await shop.settle(shop.work("two", 2, ALL))
    assert shop.began == ["init!", "migrate!", "settings", "greet!"]


async def test_a_lost_inventory_does_not_set_things_up_again(shop):
    await shop.settle(shop.work("one", 1, ALL))
    del shop.memory.inventories["shop"]
    shop.began.clear()
    await shop.settle(shop.work("two", 2, ALL))
    assert shop.began == ["migrate!", "warm!"]


POLICIES = (
    thing("ServiceAccount", "robot", "pre-upgrade", weight="-1", delete_policy="hook-succeeded,before-hook-creation"),
    thing("Job", "migrate", "pre-upgrade", delete_policy="before-hook-creation,hook-succeeded,hook-failed"),
    thing("ConfigMap", "settings"),
)  # fmt: skip


async def upgraded(shop, status=None):
    """The first version runs, and the hook before the second came to its end."""
    await shop.settle(shop.work("one", 1, POLICIES))
    await shop.once(shop.work("two", 2, POLICIES))
    shop.end(status)


async def test_delete_policies_are_kept_when_hooks_succeed(shop):
    await shop.settle(shop.work("one", 1, POLICIES))
    assert shop.names == ["settings"]
    await shop.once(shop.work("two", 2, POLICIES))
    assert shop.names == ["migrate", "robot", "settings"]
    await shop.settle(shop.work("two", 2, POLICIES))
    assert shop.names == ["settings"]
    assert set(shop.results.values()) == {"succeeded"}


async def test_delete_policies_are_kept_when_a_hook_fails(shop):
    await upgraded(shop, BROKEN)
    await shop.once(shop.work("two", 2, POLICIES))
    assert shop.names == ["robot", "settings"], "what the next try needs stays"
    assert (await shop.settle(shop.work("two", 3, POLICIES))).actuation is Actuation.APPLIED
    assert shop.names == ["settings"]


async def test_without_before_hook_creation_an_old_job_is_in_the_way_until_it_ended(shop):
    objects = [thing("Job", "migrate", "pre-install,pre-upgrade", delete_policy="hook-succeeded")]
    await shop.once(shop.work("one", 1, objects))
    report = await shop.once(shop.work("two", 2, objects))
    assert [f.code for f in report.findings] == ["DST422"]
    assert "migrate" in report.findings[0].message
    shop.end(BROKEN)
    shop.began.clear()
    report = await shop.settle(shop.work("two", 2, objects))
    assert (report.actuation, report.findings) == (Actuation.APPLIED, ())
    assert shop.began == ["migrate!"], "what failed does not block its fix"


async def test_a_foreign_object_of_a_hooks_name_is_left_alone(shop):
    await shop.settle(shop.work("one", 1, ALL))
    live = shop.memory.objects[ref("Job", "migrate")]
    shop.memory.objects[ref("Job", "migrate")] = replace(live, owner="else")
    report = await shop.settle(shop.work("two", 2, ALL))
    assert [f.code for f in report.findings] == ["DST410"]
    assert shop.memory.objects[ref("Job", "migrate")].owner == "else"


async def test_what_cannot_be_deleted_after_success_is_told_and_stops_nothing(shop):
    await upgraded(shop)
    shop.memory.refuse[ref("ServiceAccount", "robot")] = DeletePending("(finalizers: x)")
    report = await shop.settle(shop.work("two", 2, POLICIES))
    assert report.actuation is Actuation.APPLIED
    assert [f.code for f in report.findings] == ["DST425"]
    assert shop.names == ["robot", "settings"]


async def test_a_failed_hook_that_cannot_be_deleted_still_fails_its_target(shop):
    await upgraded(shop, BROKEN)
    shop.memory.refuse[ref("Job", "migrate")] = DeletePending("(finalizers: x)")
    report = await shop.once(shop.work("two", 2, POLICIES))
    assert [f.code for f in report.findings] == ["DST421", "DST425"]
    assert not any(registry()[f.code].retryable for f in report.findings)


async def test_a_server_at_fault_is_asked_again_to_delete(shop):
    await upgraded(shop)
    shop.memory.refuse[ref("ServiceAccount", "robot")] = Throttled("later")
    report = await shop.settle(shop.work("two", 2, POLICIES))
    assert [(f.code, report.actuation) for f in report.findings] == [("DST403", Actuation.FAILED)]
    assert report.outcomes[-1].retryable
    shop.memory.refuse.clear()
    assert (await shop.settle(shop.work("two", 2, POLICIES))).actuation is Actuation.APPLIED
    assert shop.names == ["settings"]


async def test_a_failed_hook_is_deleted_even_if_the_server_was_at_fault_first(shop):
    await upgraded(shop, BROKEN)
    shop.memory.refuse[ref("Job", "migrate")] = Throttled("later")
    report = await shop.once(shop.work("two", 2, POLICIES))
    assert [f.code for f in report.findings] == ["DST403", "DST421"]
    shop.memory.refuse.clear()
    report = await shop.once(shop.work("two", 2, POLICIES))
    assert [f.code for f in report.findings] == ["DST421"]
    assert shop.names == ["robot", "settings"]


@pytest.mark.parametrize(
    ("error", "code"), [(ApiRefused("no"), "DST402"), (Throttled("later"), "DST403")]
)
async def test_a_hook_that_cannot_be_made_stops_and_is_tried_again(shop, error, code):
    shop.memory.refuse[ref("Job", "init")] = error
    work = shop.work("one", 1, ALL)
    report = await shop.once(work)
    assert [f.code for f in report.findings] == [code]
    assert "settings" not in shop.names
    shop.memory.refuse.clear()
    assert (await shop.settle(work)).actuation is Actuation.APPLIED


async def test_a_job_whose_end_nobody_saw_is_no_success(shop):
    work = shop.work("one", 1, ALL)
    await shop.once(work)
    shop.memory.objects.pop(ref("Job", "init"))
    report = await shop.once(work)
    assert [f.code for f in report.findings] == ["DST421"]
    assert "end was" in report.findings[0].message


async def test_objects_of_hooks_are_no_members_and_go_with_a_removal(shop):
    await shop.settle(shop.work("one", 1, ALL))
    fewer = [m for m in ALL if m.ref.name not in {"init", "greet"}]
    await shop.settle(shop.work("two", 2, fewer))
    assert "init" in shop.names, "never pruned"
    assert shop.results["pre batch/Job/shop/init"] == "past"
    kept = shop.memory.inventories["shop"]
    assert {r.name for r in kept.entries} == {"settings", "shop"}

    removal = shop.work("two", 3, (), removing=True, former=ManifestSet.of(fewer))
    assert (await shop.settle(removal)).actuation is Actuation.APPLIED
    assert shop.names == []
    shop.began.clear()
    await shop.settle(shop.work("two", 4, fewer))
    assert "migrate!" in shop.began, "after a removal comes an install"
    assert shop.memory.inventories["shop"].hooks.runs.keys() == {"pre batch/Job/shop/migrate"}


async def test_a_former_hook_that_is_gone_is_forgotten(shop):
    await shop.settle(shop.work("one", 1, ALL))
    shop.memory.objects.pop(ref("Job", "init"))
    await shop.settle(shop.work("two", 2, ALL))
    assert "pre batch/Job/shop/init" not in shop.results
    assert "post batch/Job/shop/greet" in shop.results


async def test_what_was_a_member_becomes_a_hook_and_back(shop):
    plain = [thing("ConfigMap", "settings"), thing("Job", "migrate")]
    hooked = [thing("ConfigMap", "settings"), thing("Job", "migrate", "pre-upgrade")]
    await shop.settle(shop.work("one", 1, plain))
    shop.began.clear()
    assert (await shop.settle(shop.work("two", 2, hooked))).actuation is Actuation.APPLIED
    assert shop.began == ["migrate!"]
    assert shop.names == ["migrate", "settings"]
    assert (await shop.settle(shop.work("three", 3, plain))).actuation is Actuation.APPLIED
    assert shop.results == {}
    assert ref("Job", "migrate") in shop.memory.inventories["shop"].entries


async def test_hooks_that_a_package_declares_run_at_every_change(shop):
    objects = [thing("ConfigMap", "settings"), thing("Job", "migrate"), thing("Job", "warm")]
    declared = (
        DeclaredHook(ref=ref("Job", "migrate"), moment=Moment.PRE),
        DeclaredHook(ref=ref("Job", "warm"), moment=Moment.POST),
    )
    for sequence, change in enumerate(("one", "two", "one"), 1):
        shop.began.clear()
        back = {"rolling_back": sequence == 3}
        report = await shop.settle(shop.work(change, sequence, objects, hooks=declared, **back))
        assert report.actuation is Actuation.APPLIED
        middle = ["settings"] if sequence == 1 else []
        assert shop.began == ["migrate!", *middle, "warm!"]


async def test_a_newer_change_overtakes_a_hook_that_is_at_work(shop):
    await shop.settle(shop.work("one", 1, ALL))
    second = shop.work("two", 2, ALL)
    assert (await shop.once(second)).actuation is Actuation.APPLYING
    shop.began.clear()
    assert (await shop.settle(shop.work("three", 3, ALL))).actuation is Actuation.APPLIED
    assert shop.began == ["migrate!", "warm!"], "its Job was replaced, not waited for"
    assert (await shop.once(second)).actuation is Actuation.FENCED


async def test_a_worker_that_wakes_late_starts_no_hook(shop):
    await shop.settle(shop.work("one", 1, ALL))
    note = shop.memory.fail

    def overtaken(step: str) -> None:
        note(step)
        kept = shop.memory.inventories["shop"]
        if kept.sequence == 2 and step == "read_live":
            shop.memory.inventories["shop"] = replace(kept, sequence=9)

    shop.memory.fail = overtaken
    shop.began.clear()
    assert (await shop.once(shop.work("two", 2, ALL))).actuation is Actuation.FENCED
    assert shop.began == []


async def test_the_plan_shows_the_hooks_and_changes_nothing(shop):
    planned = await plan_target(shop.world, shop.work("one", 1, ALL))
    assert [str(s) for s in planned.hooks] == [
        "pre-install batch/Job/shop/init (weight 0)",
        "pre-install batch/Job/shop/migrate (weight 5)",
        "post-install batch/Job/shop/greet (weight 0)",
    ]
    assert "  > pre-install batch/Job/shop/init (weight 0)" in text(planned).splitlines()
    assert not shop.names
    await shop.settle(shop.work("one", 1, ALL))
    same = await plan_target(shop.world, shop.work("one", 1, ALL))
    assert (same.hooks, same.empty) == ((), True)
    later = await plan_target(shop.world, shop.work("two", 0, ALL))
    assert [s.hook.ref.name for s in later.hooks] == ["migrate", "warm"]
    assert not later.empty


async def test_a_target_that_can_wait_for_nothing_gets_hooks_with_all_else():
    shop = Shop(delivered_only=True, ordered=False)
    report = await shop.once(shop.work("one", 1, ALL))
    assert report.actuation is Actuation.APPLIED
    assert [(f.code, f.severity.value) for f in report.findings] == [("DST424", "warning")]
    assert shop.names == ["greet", "init", "migrate", "settings", "shop", "warm"]
    assert shop.results == {}
    await shop.once(
        shop.work("two", 2, [thing("ConfigMap", "settings"), thing("Namespace", "shop")])
    )
    assert shop.names == ["settings", "shop"], "there they are members, and pruned like them"


async def crashed_at(number: int, kind: type[Exception]) -> tuple[Shop, bool]:
    """An install and an upgrade whose step of that number is never taken; whether it came to that."""
    shop = Shop()
    steps, note = 0, shop.memory.fail

    def crash(step: str) -> None:
        nonlocal steps
        note(step)
        steps += 1
        if steps == number:
            raise kind("crash")

    shop.memory.fail = crash
    for change, sequence in (("one", 1), ("two", 2)):
        work = shop.work(change, sequence, (*ALL, *POLICIES[:1]))
        report = None
        while report is None or report.actuation is Actuation.UNREACHABLE:
            with contextlib.suppress(RuntimeError):
                report = await shop.settle(work)
        assert report.actuation is Actuation.APPLIED, (number, report)
    return shop, steps >= number


@pytest.mark.parametrize("kind", [ClusterUnreachable, RuntimeError])
async def test_a_crash_at_any_step_runs_nothing_again_that_succeeded(kind):
    """What a step gave is lost with the crash before the next one, so this is a crash after each too."""
    number, crashed = 0, True
    while crashed:
        number += 1
        shop, crashed = await crashed_at(number, kind)
        ran = [name for name in shop.began if name.endswith("!")]
        assert ran == ["init!", "migrate!", "greet!", "robot!", "migrate!", "warm!"], number
        assert set(shop.results.values()) == {"succeeded", "past"}
        assert shop.memory.inventories["shop"].hooks.occasion is None
    assert number > 40


async def test_nothing_after_a_crash_in_the_middle_of_a_write_is_lost(shop):
    """The widened inventory names every hook before the first of them is made."""

    def crash(step: str) -> None:
        if step.startswith("apply"):
            raise ClusterUnreachable("crash")

    shop.memory.fail = crash
    work = shop.work("one", 1, ALL[:5])
    assert (await reconcile_target(shop.world, work)).actuation is Actuation.UNREACHABLE
    hooks = shop.memory.inventories["shop"].hooks
    assert hooks.occasion is Occasion.INSTALL
    assert {run.ref.name for run in hooks.runs.values()} == {"init", "migrate", "greet"}
    assert {run.result for run in hooks.runs.values()} == {HookResult.PENDING}


async def test_a_hook_that_cannot_be_read_is_neither_run_again_nor_taken_as_lost() -> None:
    shop = Shop()
    objects = (thing("Job", "migrate", "pre-install"), thing("ConfigMap", "settings"))
    work = shop.work("1", 1, objects)
    assert (await shop.once(work)).actuation is Actuation.APPLYING
    shop.end()
    shop.memory.unreadable[ref("Job", "migrate")] = ServerFault("its API is down")
    report = await shop.once(work)
    assert report.actuation is Actuation.FAILED
    assert [(o.ref.name, o.retryable) for o in report.outcomes] == [("migrate", True)]
    assert [f.code for f in report.findings] == [ServerFault.code]
    assert ref("ConfigMap", "settings") not in shop.memory.objects
    shop.memory.unreadable.clear()
    report = await shop.settle(work)
    assert (report.actuation, report.findings) == (Actuation.APPLIED, ())
    assert ref("ConfigMap", "settings") in shop.memory.objects
    assert shop.began == ["migrate!", "settings"]


async def test_a_hook_of_the_past_that_cannot_be_read_is_remembered() -> None:
    shop = Shop()
    settings = thing("ConfigMap", "settings")
    await shop.settle(shop.work("1", 1, (thing("Job", "migrate", "pre-install"), settings)))
    shop.memory.unreadable[ref("Job", "migrate")] = ServerFault("its API is down")
    await shop.settle(shop.work("2", 2, (settings, thing("Job", "other", "pre-upgrade"))))
    runs = shop.memory.inventories["shop"].hooks.runs.values()
    assert ref("Job", "migrate") in {run.ref for run in runs}
