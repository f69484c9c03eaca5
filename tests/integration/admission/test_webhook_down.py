"""A webhook that must be asked and is down: its objects fail and name it, all others go on, and it comes right."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from tests.integration.admission.conftest import outcomes, told, written
from tests.integration.membership.conftest import settings
from tests.integration.ownership.conftest import deployment, named

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]


@pytest.mark.parametrize("mutating", [True, False])
async def test_what_needs_it_fails_and_names_it_while_the_others_go_on(
    instance, admission, mutating
):
    hook = await admission.hook(lambda _: None, "deployments", mutating=mutating)
    await hook.down()
    objects = (settings("web", a="1"), deployment(replicas=0), named("v1", "ServiceAccount", "web"))
    report = await instance.sync(*objects)
    assert report.actuation is Actuation.FAILED
    assert written(report) == ["ConfigMap/web", "ServiceAccount/web"]
    text = told(report, "Deployment/web")
    assert text.startswith("DST404 "), text
    assert f'failed calling webhook "{hook.name}"' in text
    assert "connection refused" in text, "the cause is not cut off"
    assert outcomes(report)["Deployment/web"].retryable

    again = await instance.resync(*objects)
    assert again.actuation is Actuation.FAILED
    assert written(again) == [], "what went well is not written again"
    await hook.up()
    report = await instance.settle(*objects)
    assert report.actuation is Actuation.APPLIED, report
    assert (await instance.get("apps/v1 deployments/web"))["metadata"]["name"] == "web"


async def test_one_that_may_be_passed_over_stops_nothing(instance, admission):
    hook = await admission.hook(lambda _: None, "configmaps", failurePolicy="Ignore")
    await hook.down()
    report = await instance.sync(settings("web", a="1"))
    assert (report.actuation, written(report)) == (Actuation.APPLIED, ["ConfigMap/web"])


async def test_what_is_pruned_waits_for_it_too(instance, admission):
    objects = (settings("keep", a="1"), settings("go", a="1"))
    await instance.sync(*objects)
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["configmaps"]}  # fmt: skip
    lease = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["leases"]}  # fmt: skip
    hook = await admission.hook(lambda _: None, rules=[rule, lease])
    await hook.down()
    report = await instance.sync(objects[0])
    assert report.actuation is Actuation.FAILED
    text = told(report, "ConfigMap/go")
    assert text.startswith("DST404 ")
    assert hook.name in text
    assert any(e.ref.name == "go" for e in (await instance.inventory()).entries.values())
    await hook.up()
    report = await instance.settle(objects[0])
    assert report.actuation is Actuation.APPLIED, report
    assert await instance.get("v1 configmaps/go") == {}
