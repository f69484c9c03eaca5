"""What others set in fields of ours is drift in every mode; what is rightly theirs is none in any."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.model.changes import TargetReport
from distributor.model.fleet import DriftMode
from distributor.model.health import HealthStatus
from distributor.model.package import IgnoreRule
from distributor.model.refs import GroupKind
from distributor.plan import Ignoring
from distributor.services.targets.reconciling import reconcile_target
from tests.integration.mainjob.smallapps import autoscaler
from tests.integration.ownership.conftest import Site, deployment, named

pytestmark = pytest.mark.controlplane
WEB, MAP = "apps/v1 deployments/web", "v1 configmaps/a"
IMAGE = "spec.template.spec.containers[name=web].image"
PEOPLE = frozenset({"kubectl*"})
MERGE = "application/merge-patch+json"
OBJECTS = (deployment(replicas=2), named("v1", "ConfigMap", "a", data={"a": "1"}))


async def look(site: Site, *objects: dict[str, Any], **parts: Any) -> TargetReport:
    """A look at a target in step, as the service has it: what people do with kubectl is undone."""
    work = replace(site.work(*(objects or OBJECTS)), undo=PEOPLE, **parts)
    return await reconcile_target(site.world, work)


async def replace_image(site: Site, manager: str) -> None:
    """By a plain patch, that names its manager or is known by its user agent."""
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil:9"}]
    where = f"{WEB}?fieldManager={manager}" if manager else WEB
    await site.send("PATCH", where, patch, kind="application/json-patch+json")


async def image(site: Site) -> str:
    return (await site.get(WEB))["spec"]["template"]["spec"]["containers"][0]["image"]


@pytest.mark.parametrize("manager", ["kubectl-edit", "an-operator", ""])
async def test_where_it_is_only_reported_the_field_and_its_holder_are_told(
    site: Site, manager: str
):
    await site.sync(*OBJECTS)
    await replace_image(site, manager)
    (holder,) = (
        m["manager"]
        for m in (await site.get(WEB))["metadata"]["managedFields"]
        if m["manager"] != "distributor"
    )
    for mode, code in ((DriftMode.REPORT, "DST440"), (DriftMode.PAUSE, "DST441")):
        report = await look(site, drift=mode)
        (told,) = report.findings
        assert told.code == code
        assert f"{IMAGE} (held by {holder})" in told.message
        seen = {h.ref.kind: h for h in report.health}
        assert seen["Deployment"].revision == ""
        assert seen["Deployment"].status is not HealthStatus.CURRENT
        assert seen["ConfigMap"].status is HealthStatus.CURRENT
        assert seen["ConfigMap"].revision
        assert report.outcomes == ()
    assert await image(site) == "evil:9"


async def test_an_object_that_is_well_is_not_current_at_the_revision_with_anothers_values(
    site: Site,
):
    await site.sync(*OBJECTS)
    await site.send("PATCH", f"{MAP}?fieldManager=somebody", {"data": {"a": "2"}}, kind=MERGE)
    report = await look(site, drift=DriftMode.REPORT)
    (seen,) = (h for h in report.health if h.ref.kind == "ConfigMap")
    assert (seen.status, seen.revision) == (HealthStatus.IN_PROGRESS, "")
    assert "data.a (held by somebody)" in seen.message


async def test_what_people_did_is_healed_and_named(site: Site):
    await site.sync(*OBJECTS)
    await replace_image(site, "kubectl-edit")
    report = await look(site)
    assert await image(site) == "web:1"
    (line,) = report.drift
    assert f"{IMAGE} (held by kubectl-edit)" in line
    assert [(o.ref.kind, o.error) for o in report.outcomes] == [("Deployment", None)]
    assert report.findings == ()
    assert (await look(site)).drift == ()


async def test_what_another_program_did_is_left_and_named_and_its_neighbours_are_healed(
    site: Site,
):
    await site.sync(*OBJECTS)
    await replace_image(site, "an-operator")
    await site.send("PATCH", f"{WEB}?fieldManager=kubectl-edit", {"spec": {"replicas": 7}}, kind=MERGE)  # fmt: skip
    await site.send("DELETE", MAP, None)
    report = await look(site)
    assert await image(site) == "evil:9"
    assert (await site.get(WEB))["spec"]["replicas"] == 2, "in the same object"
    assert (await site.get(MAP))["data"] == {"a": "1"}
    (told,) = report.findings
    assert told.code == "DST442"
    assert f"{IMAGE} (held by an-operator)" in told.message
    assert '"managers":["an-operator"]' in told.remedy
    (seen,) = (h for h in report.health if h.ref.kind == "Deployment")
    assert seen.revision == ""
    before = await site.get(WEB)
    again = await look(site)
    assert [f.code for f in again.findings] == ["DST442"]
    assert again.outcomes == ()
    assert (await site.get(WEB))["metadata"]["resourceVersion"] == (
        before["metadata"]["resourceVersion"]
    )


@pytest.mark.parametrize("mode", list(DriftMode))
async def test_what_is_rightly_anothers_is_quiet(site: Site, mode: DriftMode):
    resources = {"limits": {"cpu": "1000m", "memory": "1024Mi"}}
    web = deployment(replicas=2)
    web["spec"]["template"]["spec"]["containers"][0]["resources"] = resources
    worker = deployment("worker", replicas=3)
    kept = named("v1", "ConfigMap", "a", data={"a": "1"})
    await site.sync(web, worker, kept, autoscaler("web", lowest=2))
    del worker["spec"]["replicas"]
    await site.sync(web, worker, kept, autoscaler("web", lowest=2))  # handed over
    scaler = f"{WEB}/scale?fieldManager=kube-controller-manager"
    await site.send("PATCH", scaler, {"spec": {"replicas": 5}}, kind=MERGE)
    theirs = {"metadata": {"annotations": {"theirs": "1"}}, "data": {"a": "2", "b": "2"}}
    await site.send("PATCH", f"{MAP}?fieldManager=keeper", theirs, kind=MERGE)
    rule = IgnoreRule(kind=GroupKind("", "ConfigMap"), fields=("/data/a",), managers=("keeper",))
    report = await look(
        site, web, worker, kept, autoscaler("web", lowest=2),
        drift=mode, ignore=Ignoring(rules=(rule,)),
    )  # fmt: skip
    assert report.drift == ()
    assert report.outcomes == ()
    told = [f"{f.code} {f.message}" for f in report.findings]
    paused = ["DST441 Drift is not looked at here: what runs may differ from what was applied."]
    assert told == (paused if mode is DriftMode.PAUSE else [])
    assert all(h.revision for h in report.health)
    assert (await site.get(WEB))["spec"]["replicas"] == 5
