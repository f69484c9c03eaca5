"""What webhooks and policies refuse: shown with who refused it and why, whatever code they answer with."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from distributor.model.changes import Actuation
from tests.integration.admission.conftest import NAME, Admission, outcomes, told, until, written
from tests.integration.membership.conftest import settings
from tests.integration.ownership.conftest import deployment

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]

WHY = "images must come from registry.example, says team platform"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((answered, "DST402") for answered in (None, 400, 401, 403, 404, 409, 410, 422)),
        (429, "DST403"),
        (500, "DST404"),  # how controller-runtime answers where it cannot decide
        (503, "DST404"),
    ],
)
async def test_a_webhook_that_refuses_is_named_whatever_it_answers(
    instance, admission, status, code
):
    said: dict[str, Any] = {"message": WHY, **({"code": status} if status else {})}
    hook = await admission.hook(lambda _: {"allowed": False, "status": said}, "deployments")
    report = await instance.sync(settings("web", a="1"), deployment(replicas=0))
    assert report.actuation is Actuation.FAILED, report
    assert written(report) == ["ConfigMap/web"]
    text = told(report, "Deployment/web")
    assert text.startswith(f"{code} "), text
    assert f'admission webhook "{hook.name}" denied the request: {WHY}' in text
    assert outcomes(report)["Deployment/web"].retryable == (code != "DST402")


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_refused_deletion_is_no_deletion(instance, admission, status):
    await instance.sync(settings("keep", a="1"), settings("go", a="1"))
    said = {"allowed": False, "status": {"message": WHY, "code": status}}
    rule = {"apiGroups": ["*"], "apiVersions": ["*"]}
    rules = [
        {**rule, "operations": ["DELETE"], "resources": ["configmaps"]},
        {**rule, "operations": ["CREATE"], "resources": ["leases"]},
    ]
    await admission.hook(lambda _: said, rules=rules)
    report = await instance.sync(settings("keep", a="1"))
    assert report.actuation is Actuation.FAILED
    assert WHY in told(report, "ConfigMap/go")
    refs = {entry.ref.name for entry in (await instance.inventory()).entries.values()}
    assert refs == {"keep", "go"}, "what is there is not forgotten"
    await admission.clear()
    report = await instance.settle(settings("keep", a="1"))
    assert report.actuation is Actuation.APPLIED, report
    assert await instance.get("v1 configmaps/go") == {}


async def policy(admission: Admission, expression: str, message: str, **validation: Any) -> str:
    """A policy for the Deployments of the namespace, in force when this returns; its name."""
    name = f"{admission.namespace}-rule"
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}  # fmt: skip
    await admission.make(
        "ValidatingAdmissionPolicy",
        "rule",
        spec={
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": expression, "message": message, **validation}],
        },
    )
    where = {"namespaceSelector": {"matchLabels": {NAME: admission.namespace}}}
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": where}
    await admission.make("ValidatingAdmissionPolicyBinding", "rule", spec=binding)
    return name


@pytest.mark.parametrize("reason", ["Invalid", "Forbidden"])
@pytest.mark.parametrize("message", [WHY, "replicas is immutable, says team platform"])
async def test_a_policy_that_refuses_is_named_with_its_message(
    instance, admission, reason, message
):
    name = await policy(admission, "object.spec.replicas > 0", message, reason=reason)

    async def refused() -> str:
        report = await instance.sync(settings("web", a="1"), deployment(replicas=0))
        if report.actuation is Actuation.APPLIED:  # it is not in force yet
            await asyncio.to_thread(
                admission.plane.client.send, "DELETE", instance.path("apps/v1 deployments/web")
            )
            return ""
        return told(report, "Deployment/web")

    text = await until("the policy refuses", refused)
    assert text.startswith("DST402 "), text
    assert f"ValidatingAdmissionPolicy '{name}'" in text
    assert message in text
