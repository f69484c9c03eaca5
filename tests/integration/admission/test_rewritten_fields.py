"""A webhook that rewrites a field of ours at every write: a fight that is named, and fought less and less."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distributor.model.package import IgnoreRule
from distributor.model.refs import GroupKind
from distributor.plan import Ignoring
from distributor.services.asking.views import InstanceStage
from distributor.services.targets.reconciling import reconcile_target
from tests.integration.admission.conftest import Admission, changed
from tests.integration.mainjob.smallapps import one_cluster, web, write_app
from tests.integration.membership.conftest import Instance
from tests.integration.ownership.conftest import deployment

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]
CENTRAL = "sit-central-1"
DEPLOYMENT = "/apis/apps/v1/namespaces/fight/deployments/web"


def mirror(asked: dict[str, Any]) -> dict[str, Any]:
    """Every image from a mirror, as registry proxies do it."""

    def change(obj: dict[str, Any]) -> None:
        for container in obj["spec"]["template"]["spec"]["containers"]:
            name = container["image"].rpartition("/")[2]
            container["image"] = f"mirror.example/{name}"

    return changed(asked, change)


async def test_it_is_told_as_a_fight_that_names_the_field(tmp_path: Path, control_planes, hook_certificate):  # fmt: skip
    pushed = one_cluster(tmp_path / "play", control_planes, CENTRAL)
    (plane,) = pushed.planes.values()
    write_app(pushed.place.catalog, "fight", "1.0.0", *web())
    await pushed.found()
    admission = Admission(plane=plane, namespace="fight", certificate=hook_certificate)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fight"}}
    await pushed.send(CENTRAL, "POST", "/api/v1/namespaces", namespace)
    try:
        await admission.hook(mirror, "deployments", mutating=True)
        async with pushed.service() as service:
            seen = await pushed.promote(service, "sit", "fight", "1.0.0")
            assert seen.stage is InstanceStage.VERIFIED, (
                "what the cluster rewrites runs all the same"
            )
            live = await pushed.get(CENTRAL, DEPLOYMENT)
            (container,) = live["spec"]["template"]["spec"]["containers"]
            assert container["image"] == "mirror.example/web:1"
            service.rollouts.unmoved.begin()
            assert await told(service) == []
            for _ in range(4):
                await asyncio.wait_for(service.sync(), 60)
            (line,) = await told(service)
            assert "healed 3 times in a row" in line
            assert "spec.template.spec.containers[name=web].image" in line
            assert "admission webhook" in line
            after = await pushed.get(CENTRAL, DEPLOYMENT)
            assert after["metadata"]["generation"] == live["metadata"]["generation"]
            assert after["status"]["readyReplicas"] == 1, "its pods are left alone meanwhile"
    finally:
        await admission.clear()


async def told(service) -> list[str]:
    return [e.message for e in await service.world.store.events() if e.kind == "fight"]


async def test_an_ignore_rule_ends_it(instance: Instance, admission: Admission):
    await admission.hook(mirror, "deployments", mutating=True)
    await instance.settle(deployment(replicas=0, image="registry.example/web:1"))
    before = await instance.get("apps/v1 deployments/web")
    image = "/spec/template/spec/containers/name=web/image"
    rule = IgnoreRule(kind=GroupKind("apps", "Deployment"), name="web", fields=(image,))
    work = instance.work(deployment(replicas=0, image="registry.example/web:1"))
    report = await reconcile_target(instance.world, replace(work, ignore=Ignoring(rules=(rule,))))
    assert (report.outcomes, report.drift) == ((), ())
    after = await instance.get("apps/v1 deployments/web")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
