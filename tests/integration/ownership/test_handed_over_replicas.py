"""A number of replicas that a package stops setting never falls to 1: it is handed over."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from tests.integration.mainjob.smallapps import autoscaler
from tests.integration.ownership.conftest import APPLY, Site, deployment, managers

pytestmark = pytest.mark.controlplane
WEB = "apps/v1 deployments/web"
HPAS = "autoscaling/v2 horizontalpodautoscalers"


async def scale(site: Site, replicas: int) -> None:
    """As an autoscaler does it, one that is there."""
    if not await site.get(f"{HPAS}/web"):
        await site.send("POST", HPAS, autoscaler("web", lowest=replicas))
    await site.send(
        "PATCH", f"{WEB}/scale?fieldManager=kube-controller-manager", {"spec": {"replicas": replicas}},
        kind="application/merge-patch+json",
    )  # fmt: skip


async def test_it_stays_while_nobody_else_owns_it(site: Site):
    await site.sync(deployment(replicas=5))
    site.sequence += 1
    planned = await site.plan(deployment())
    assert "hands over spec.replicas" in planned.changes[0].reason
    report = await site.sync(deployment())
    assert report.actuation is Actuation.APPLIED, report.findings
    live = await site.get(WEB)
    assert live["spec"]["replicas"] == 5
    assert managers(live)["distributor-hand-over"] == "Apply"

    for image in ("web:2", "web:3"):
        await site.sync(deployment(image=image))
        live = await site.get(WEB)
        assert live["spec"]["replicas"] == 5
        assert live["spec"]["template"]["spec"]["containers"][0]["image"] == image


async def test_an_autoscaler_takes_it_and_keeps_it(site: Site):
    await site.sync(deployment(replicas=5))
    await site.sync(deployment())
    await scale(site, 7)
    live = await site.get(WEB)
    assert "distributor-hand-over" not in managers(live)
    report = await site.sync(deployment(image="web:2"))
    assert report.actuation is Actuation.APPLIED, report.findings
    assert (await site.get(WEB))["spec"]["replicas"] == 7


async def test_it_is_taken_back_when_the_package_sets_it_again(site: Site):
    await site.sync(deployment(replicas=5))
    await site.sync(deployment())
    report = await site.sync(deployment(replicas=2))
    assert report.actuation is Actuation.APPLIED, report.findings
    live = await site.get(WEB)
    assert live["spec"]["replicas"] == 2
    assert "distributor-hand-over" not in managers(live)


async def test_any_field_can_be_handed_over_by_annotation(site: Site):
    settings = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
        "data": {"kept": "1", "plain": "2", "ours": "3"},
    }  # fmt: skip
    await site.sync(settings)
    notes = {"distributor.dev/handed-over": "/data/kept"}
    await site.sync(
        {**settings, "metadata": {"name": "a", "annotations": notes}, "data": {"ours": "3"}}
    )
    assert (await site.get("v1 configmaps/a"))["data"] == {"kept": "1", "ours": "3"}


async def test_a_field_that_another_owns_needs_no_hand_over(site: Site):
    await site.sync(deployment(replicas=5))
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    await site.send(
        "PATCH", f"{WEB}?fieldManager=scaler", {**body, "spec": {"replicas": 5}}, kind=APPLY
    )
    await site.sync(deployment())
    live = await site.get(WEB)
    assert live["spec"]["replicas"] == 5
    assert "distributor-hand-over" not in managers(live)


async def test_an_autoscalers_number_is_never_what_a_conflict_is_about(site: Site):
    await site.sync(deployment(replicas=2))
    await scale(site, 7)
    theirs = {"spec": {"minReadySeconds": 9, "paused": True}}
    merge = "application/merge-patch+json"
    await site.send("PATCH", f"{WEB}?fieldManager=an-operator", theirs, kind=merge)
    newer = deployment(replicas=2, minReadySeconds=3)
    report = await site.sync(newer)
    (finding,) = report.findings
    assert "an-operator" in finding.message
    assert "replicas" not in finding.message
    newer["metadata"]["annotations"] = {"distributor.dev/take-over": "an-operator"}
    report = await site.sync(newer)
    assert report.actuation is Actuation.APPLIED, report.findings
    spec = (await site.get(WEB))["spec"]
    assert (spec["replicas"], spec["minReadySeconds"]) == (7, 3)


async def test_an_autoscalers_number_stays_though_the_package_sets_another(site: Site):
    await site.sync(deployment(replicas=2))
    await scale(site, 7)
    newer = deployment(replicas=2, image="web:2")
    planned = await site.plan(newer)
    assert "conflict" not in planned.changes[0].reason
    report = await site.sync(newer)
    assert report.actuation is Actuation.APPLIED, report.findings
    live = await site.get(WEB)
    assert live["spec"]["replicas"] == 7
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
