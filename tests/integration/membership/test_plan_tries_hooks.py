"""A plan tries the hooks too: what refuses the first of them ends an apply, and the plan says so."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import Action, Actuation, ChangeSet
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.membership.test_plan_asks import change, said
from tests.integration.ownership.conftest import named

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]


def job(name: str, when: str, **more: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "a", "image": "a:1"}], "restartPolicy": "Never", **more}
    found = named("batch/v1", "Job", name, spec={"template": {"spec": pod}})
    found["metadata"]["annotations"] = {"helm.sh/hook": when}
    return found


def typo(name: str, when: str) -> dict[str, Any]:
    return job(name, when, restartPolicyy="Never")


def actions(plan: ChangeSet) -> dict[str, Action]:
    return {c.ref.name: c.action for c in plan.changes}


async def test_a_refused_hook_before_all_else_ends_the_apply_and_the_plan(instance: Instance):
    await instance.sync(settings("old"), settings("kept", x="1"))
    instance.sequence += 1
    wanted = (typo("before", "pre-install,pre-upgrade"), settings("kept", x="2"), settings("new"))
    plan = await instance.plan(*wanted)
    assert codes(plan) == ["DST402"]
    assert "restartPolicyy" in plan.findings[0].message
    assert actions(plan) == dict.fromkeys(("kept", "new", "old"), Action.SKIPPED)
    assert (
        "is not come to, as a hook before it would be refused"
        in change(plan, "ConfigMap/new").reason
    )
    report = await instance.resync(*wanted)
    assert (report.actuation, said(report)) == (Actuation.FAILED, said(plan))
    assert (await instance.get("v1 configmaps/kept"))["data"] == {"x": "1"}
    assert not await instance.get("v1 configmaps/new")
    assert await instance.get("v1 configmaps/old")


async def test_a_plan_leaves_nothing_of_what_it_tried(instance: Instance):
    wanted = (job("before", "pre-install"), job("after", "post-install"), settings("a"))
    plan = await instance.plan(*wanted)
    assert (codes(plan), actions(plan)) == ([], {"a": Action.CREATED})
    assert [step.hook.ref.name for step in plan.hooks] == ["before", "after"]
    for name in ("before", "after"):
        assert not await instance.get(f"batch/v1 jobs/{name}")


async def test_a_refused_hook_after_all_else_stops_nothing_and_is_told(instance: Instance):
    wanted = (typo("after", "post-install"), settings("a"))
    plan = await instance.plan(*wanted)
    assert (codes(plan), actions(plan)) == (["DST402"], {"a": Action.CREATED})
    report = await instance.settle(*wanted)
    assert (report.actuation, said(report)) == (Actuation.FAILED, said(plan))
    assert await instance.get("v1 configmaps/a")


async def test_only_the_first_refusal_is_come_to(instance: Instance):
    wanted = (typo("one", "pre-install"), typo("two", "pre-install"), typo("three", "post-install"))
    plan = await instance.plan(*wanted, settings("a"))
    ((code, message),) = said(plan)
    assert (code, "one" in message) == ("DST402", True), message
    report = await instance.sync(*wanted, settings("a"))
    assert said(report) == said(plan)


async def test_what_fails_before_the_hooks_is_told_and_they_are_not_come_to(instance: Instance):
    space = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": f"{instance.namespace}-x"},
    }
    space["spec"] = {"finalizerss": ["a"]}
    wanted = (space, typo("before", "pre-install"), settings("a"))
    plan = await instance.plan(*wanted)
    ((code, message),) = said(plan)
    assert (code, "finalizerss" in message) == ("DST402", True), message
    report = await instance.sync(*wanted)
    assert said(report) == said(plan)


async def test_what_the_revision_or_an_earlier_hook_may_make_is_no_refusal(instance: Instance):
    pod = named(
        "v1", "Pod", "p",
        spec={"serviceAccountName": "worker", "restartPolicy": "Never", "containers": [{"name": "a", "image": "a:1"}]},
    )  # fmt: skip
    pod["metadata"]["annotations"] = {"helm.sh/hook": "post-install"}
    plan = await instance.plan(pod, named("v1", "ServiceAccount", "worker"))
    assert codes(plan) == []
    pod["metadata"]["annotations"] = {"helm.sh/hook": "pre-install"}
    account = named("v1", "ServiceAccount", "worker")
    account["metadata"]["annotations"] = {
        "helm.sh/hook": "pre-install",
        "helm.sh/hook-weight": "-1",
    }
    plan = await instance.plan(pod, account, settings("a"))
    assert codes(plan) == []
    # Alone it is one, and so it is where the revision makes it only after its hooks.
    for objects in ((pod,), (pod, named("v1", "ServiceAccount", "worker"))):
        plan = await instance.plan(*objects)
        ((code, message),) = said(plan)
        assert (code, "worker" in message) == ("DST402", True), message
        report = await instance.sync(*objects)
        assert said(report) == said(plan)
        assert not await instance.get("v1 serviceaccounts/worker")


async def test_a_hook_in_somebodys_place_stops_what_comes_later(instance: Instance):
    await instance.send("POST", "v1 configmaps", named("v1", "ConfigMap", "mine", data={"a": "1"}))
    mine = named("v1", "ConfigMap", "mine")
    mine["metadata"]["annotations"] = {"helm.sh/hook": "pre-install"}
    wanted = (mine, settings("a"))
    plan = await instance.plan(*wanted)
    assert (codes(plan), actions(plan)) == (["DST430"], {"a": Action.SKIPPED})
    report = await instance.sync(*wanted)
    assert codes(report) == ["DST430"]
    assert not await instance.get("v1 configmaps/a")
