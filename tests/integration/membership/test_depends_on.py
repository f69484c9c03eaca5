"""Objects wait for what they ask for; independents go on; a circle is refused."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import deployment

pytestmark = pytest.mark.controlplane


def after(instance: Instance, body: dict, *names: str) -> dict:
    refs = ",".join(f"apps/namespaces/{instance.namespace}/Deployment/{name}" for name in names)
    body["metadata"]["annotations"] = {"config.kubernetes.io/depends-on": refs}
    return body


async def test_a_dependant_comes_when_what_it_needs_is_available(instance: Instance):
    objects = (deployment("db"), after(instance, deployment("web"), "db"), settings("free"))
    report = await instance.sync(*objects)
    if report.actuation is Actuation.APPLYING:
        assert await instance.get("apps/v1 deployments/web") == {}
        assert await instance.get("v1 configmaps/free"), "who asks for nothing waits for nothing"
    report = await instance.settle(*objects)
    assert report.actuation is Actuation.APPLIED, report
    db, web = [await instance.get(f"apps/v1 deployments/{name}") for name in ("db", "web")]
    assert db["status"]["availableReplicas"] == 1
    current = next(c for c in db["status"]["conditions"] if c["type"] == "Available")
    assert web["metadata"]["creationTimestamp"] >= current["lastTransitionTime"]


async def test_a_failed_one_in_the_middle(instance: Instance):
    """Its dependants are skipped with the reason, its neighbours are there, all errors are told."""
    bad = after(instance, deployment("middle", replicas=-1), "db")
    last = after(instance, deployment("last"), "middle")
    report = await instance.settle(deployment("db"), bad, last, settings("free"))
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST402", "DST507"])
    skipped = next(f for f in report.findings if f.code == "DST507")
    assert "Deployment" in skipped.message
    assert "middle, which failed" in skipped.message
    assert await instance.get("v1 configmaps/free")
    assert await instance.get("apps/v1 deployments/last") == {}
    good = after(instance, deployment("middle"), "db")
    report = await instance.settle(deployment("db"), good, last, settings("free"))
    assert report.actuation is Actuation.APPLIED, report.findings
    assert await instance.get("apps/v1 deployments/last")


async def test_a_circle_is_refused(instance: Instance):
    report = await instance.sync(
        after(instance, deployment("a"), "b"), after(instance, deployment("b"), "a"), settings("c")
    )
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST508"])
    assert "Deployment" in report.findings[0].message
    assert await instance.get("v1 configmaps/c") == {}, "nothing of such a package is begun"
