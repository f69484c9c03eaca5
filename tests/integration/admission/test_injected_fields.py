"""A mutating webhook adds a sidecar, variables, labels and annotations: they stay, and are no drift."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import Actuation
from tests.integration.admission.conftest import changed, written
from tests.integration.ownership.conftest import deployment

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]

SIDECAR = {"name": "mesh", "image": "registry.example/mesh:1", "env": [{"name": "MODE", "value": "strict"}]}  # fmt: skip


def inject(asked: dict[str, Any]) -> dict[str, Any]:
    def change(obj: dict[str, Any]) -> None:
        metadata = obj["metadata"]
        metadata.setdefault("labels", {})["mesh"] = "on"
        metadata.setdefault("annotations", {})["mesh/seen"] = "yes"
        if obj["kind"] != "Deployment":
            return
        template = obj["spec"]["template"]
        template["metadata"].setdefault("annotations", {})["mesh/injected"] = "yes"
        containers = template["spec"]["containers"]
        template["spec"]["containers"] = [
            SIDECAR,
            *(_with_variable(c) for c in containers if c["name"] != "mesh"),
        ]

    return changed(asked, change)


def _with_variable(container: dict[str, Any]) -> dict[str, Any]:
    env = [e for e in container.get("env", []) if e["name"] != "MESH"]
    return {**container, "env": [{"name": "MESH", "value": "on"}, *env]}


def objects(image: str = "registry.example/web:1") -> tuple[dict[str, Any], ...]:
    made = deployment(image=image, replicas=1)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "A", "value": "1"}]
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"a": image}}  # fmt: skip
    return made, config


async def test_what_a_webhook_adds_stays_and_nothing_is_written_again(instance, admission):
    await admission.hook(inject, "deployments", "configmaps", mutating=True)
    assert (await instance.settle(*objects())).actuation is Actuation.APPLIED
    before = await instance.get("apps/v1 deployments/web")
    assert [c["name"] for c in before["spec"]["template"]["spec"]["containers"]] == ["mesh", "web"]

    assert (await instance.plan(*objects())).empty
    for _ in range(3):
        report = await instance.resync(*objects())
        assert (report.actuation, report.outcomes, report.drift, report.findings) == (
            Actuation.APPLIED, (), (), ()
        )  # fmt: skip
    after = await instance.get("apps/v1 deployments/web")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


async def test_a_new_version_changes_its_own_fields_and_keeps_what_was_added(instance, admission):
    await admission.hook(inject, "deployments", "configmaps", mutating=True)
    await instance.settle(*objects())
    newer = objects("registry.example/web:2")
    report = await instance.settle(*newer)
    assert report.actuation is Actuation.APPLIED, report
    live = await instance.get("apps/v1 deployments/web")
    mesh, web = live["spec"]["template"]["spec"]["containers"]
    assert (mesh["name"], web["image"]) == ("mesh", "registry.example/web:2")
    assert [e["name"] for e in web["env"]] == ["MESH", "A"]
    assert live["metadata"]["labels"]["mesh"] == "on"
    assert (await instance.plan(*newer)).empty


async def test_what_was_added_stays_when_the_webhook_has_gone(instance, admission):
    await admission.hook(inject, "deployments", "configmaps", mutating=True)
    await instance.settle(*objects())
    await admission.clear()
    newer = objects("registry.example/web:3")
    report = await instance.sync(*newer)
    assert written(report) == ["ConfigMap/web", "Deployment/web"]
    live = await instance.get("apps/v1 deployments/web")
    names = [c["name"] for c in live["spec"]["template"]["spec"]["containers"]]
    assert names == ["mesh", "web"]
    assert live["metadata"]["annotations"]["mesh/seen"] == "yes"
    assert (await instance.plan(*newer)).empty
