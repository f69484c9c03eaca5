"""Argo CD's hooks in plain manifests: before, after, and when something failed, once a revision."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import Actuation
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import deployment, named

pytestmark = pytest.mark.controlplane


def hook(
    name: str, when: str, wave: str = "0", image: str = "registry.example/job:1"
) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "job", "image": image}]}
    found = named("batch/v1", "Job", name, spec={"backoffLimit": 0, "template": {"spec": pod}})
    found["metadata"]["annotations"] = {
        "argocd.argoproj.io/hook": when,
        "argocd.argoproj.io/sync-wave": wave,
    }
    return found


async def born(instance: Instance, path: str) -> tuple[str, str]:
    found = (await instance.get(path))["metadata"]
    return found["creationTimestamp"], found["uid"]


async def test_before_and_after_once_a_revision(instance: Instance):
    objects = (
        hook("second", "PreSync", "2"), hook("first", "PreSync", "-1"), hook("after", "PostSync"),
        hook("never", "SyncFail"), deployment(), settings("a"),
    )  # fmt: skip
    report = await instance.settle(*objects)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    seen = [
        await born(instance, path)
        for path in (
            "batch/v1 jobs/first", "batch/v1 jobs/second", "apps/v1 deployments/web",
            "batch/v1 jobs/after",
        )
    ]  # fmt: skip
    assert [at for at, _ in seen] == sorted(at for at, _ in seen)
    assert await instance.get("batch/v1 jobs/never") == {}
    assert (await instance.resync(*objects)).outcomes == ()
    assert (await born(instance, "batch/v1 jobs/first"))[1] == seen[0][1], "nothing runs twice"


async def test_on_failure(instance: Instance):
    broken = deployment(replicas=-1)
    objects = (hook("told", "SyncFail"), hook("after", "PostSync"), broken, settings("a"))
    report = await instance.settle(*objects)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST402"])
    assert await instance.get("batch/v1 jobs/told")
    assert await instance.get("batch/v1 jobs/after") == {}
    assert await instance.get("v1 configmaps/a"), "its neighbour goes on"

    report = await instance.settle(*objects[:2], deployment(), settings("a"))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, []), "a fix goes in"
    report = await instance.remove()
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert await instance.get("batch/v1 jobs/told") == {}


async def test_a_hook_that_fails_stops_what_comes_after_it(instance: Instance):
    bad = hook("migrate", "PreSync", image="registry.example/fail:1")
    report = await instance.settle(bad, hook("told", "SyncFail"), settings("a"))
    assert report.actuation is Actuation.FAILED
    assert codes(report) == ["DST421"]
    assert "migrate" in report.findings[0].message
    assert await instance.get("v1 configmaps/a") == {}
    assert await instance.get("batch/v1 jobs/told")


async def test_a_hook_that_failed_does_not_block_its_fix(instance: Instance):
    """Its policy deletes only what succeeded, so the failed Job is still there when the fix comes."""
    bad = hook("migrate", "PreSync", image="registry.example/fail:1")
    fixed = hook("migrate", "PreSync", image="registry.example/job:2")
    for body in (bad, fixed):
        body["metadata"]["annotations"]["argocd.argoproj.io/hook-delete-policy"] = "HookSucceeded"
    report = await instance.settle(bad, settings("a"))
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST421"])
    assert await instance.get("batch/v1 jobs/migrate")
    report = await instance.settle(fixed, settings("a"))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert await instance.get("v1 configmaps/a")
    assert await instance.get("batch/v1 jobs/migrate") == {}
