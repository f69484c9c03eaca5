"""The main job against two real API servers with simulated nodes; every claim is asked of the live API."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from distributor import log
from distributor.app import open_service
from distributor.cli.playground import PEOPLE, Playground, create_playground
from distributor.model.tags import Verb
from distributor.services.asking.founding import found_ledger
from distributor.services.asking.views import InstanceStage, instance_views
from distributor.services.promotion.requesting import Ask, make_request
from distributor.settings import load

pytestmark = pytest.mark.controlplane

KINDS = {
    "services": "/api/v1/namespaces/shop/services",
    "configmaps": "/api/v1/namespaces/shop/configmaps",
    "deployments": "/apis/apps/v1/namespaces/shop/deployments",
    "statefulsets": "/apis/apps/v1/namespaces/shop/statefulsets",
}


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """A playground whose two sit clusters are the control planes."""

    place: Playground
    planes: dict[str, object]

    def settings(self):
        found = load({}, {}, self.place.root).settings
        connections = {n: {"kubeconfig": str(p.kubeconfig)} for n, p in self.planes.items()}
        return replace(found, connections=connections)

    async def objects(self, name: str) -> dict[str, dict]:
        """Every object of the shop on a cluster, by kind and name, without what Kubernetes itself makes."""
        found = {}
        for kind, path in KINDS.items():
            answer = await asyncio.to_thread(self.planes[name].client.get, path)
            for item in answer["items"]:
                if item["metadata"]["name"] != "kube-root-ca.crt":
                    found[f"{kind}/{item['metadata']['name']}"] = item
        return found


@pytest.fixture
async def pushed(tmp_path: Path, control_planes) -> Pushed:
    log.configure("error", "json")
    first, second = control_planes(2, fresh=True)
    place = create_playground(tmp_path / "play", datetime.now(UTC))
    planes = {"sit-central-1": first, "sit-slim-1": second}
    for name in planes:
        path = place.catalog / "environments" / "sit" / "clusters" / f"{name}.yaml"
        document = yaml.safe_load(path.read_text())
        document["spec"]["kubernetes"] = "1.36"
        document["spec"]["delivery"] = {"mode": "push", "connection": name}
        path.write_text(yaml.safe_dump(document, sort_keys=False))
    place.commit("Two clusters to push to", datetime.now(UTC))
    result = Pushed(place=place, planes=planes)
    async with open_service(result.settings(), writing=True) as service:
        await found_ledger(service.world)
    return result


async def request(service, verb, version=""):
    snapshot = await service.look()
    ask = Ask(verb=verb, environment="sit", instance="shop", version=version)
    asked = await make_request(service.world, snapshot, ask, tagger=PEOPLE["sre"], signer=None)
    await asyncio.wait_for(service.sync(), 120)
    return asked


async def test_the_shop_comes_up_changes_heals_and_rolls_back(pushed):
    async with open_service(pushed.settings(), writing=True) as service:
        await request(service, Verb.PROMOTE, "1.4.1")
        await ready(pushed, service, "1.4.1")
        first = {name: await pushed.objects(name) for name in pushed.planes}

        await request(service, Verb.PROMOTE, "1.4.2")
        await ready(pushed, service, "1.4.2")
        second = {name: await pushed.objects(name) for name in pushed.planes}
        for name in pushed.planes:
            changed = differing(first[name], second[name])
            assert changed, "the second version changes something"
            kept = set(first[name]) & set(second[name]) - changed
            assert len(kept) > len(changed)
            assert set(first[name]) - set(second[name]), "an object was pruned"
            assert set(second[name]) - set(first[name]), "an object is new"

        name = "sit-central-1"
        path = f"{KINDS['deployments']}/frontend"
        await asyncio.to_thread(pushed.planes[name].client.send, "DELETE", path)
        await asyncio.wait_for(service.sync(), 60)
        healed = await pushed.objects(name)
        assert "deployments/frontend" in healed
        assert not differing(second[name], healed) - {"deployments/frontend"}

        await request(service, Verb.ROLLBACK, "1.4.1")
        await ready(pushed, service, "1.4.1")
        for name in pushed.planes:
            back = await pushed.objects(name)
            assert set(back) == set(first[name])
            assert images(back) == images(first[name])


async def ready(pushed, service, version):
    """The read model says verified, and so does the live API."""
    await service.look()
    view = (await instance_views(service, "sit", "shop"))[0]
    assert (view.version, view.stage) == (version, InstanceStage.VERIFIED), view
    assert (view.in_step, view.health) == (2, "Current"), view
    for name in pushed.planes:
        for key, item in (await pushed.objects(name)).items():
            if key.startswith(("deployments/", "statefulsets/")):
                assert item["status"].get("readyReplicas", 0) == item["spec"]["replicas"], key


def differing(before, after) -> set[str]:
    """Objects whose spec was written: their generation or, without one, their resourceVersion moved."""
    return {key for key in set(before) & set(after) if written(before[key]) != written(after[key])}


def written(item) -> tuple[str, object]:
    """What moves only when somebody writes more than the status."""
    metadata = item["metadata"]
    managed = [m for m in metadata.get("managedFields", ()) if m.get("subresource") != "status"]
    ours = [m["time"] for m in managed if m["manager"] == "distributor"]
    moving = metadata["resourceVersion"] if "status" not in item or not item["status"] else ""
    return metadata["uid"], (metadata.get("generation"), moving, tuple(ours))


def images(items) -> dict[str, list[str]]:
    return {
        key: [c["image"] for c in item["spec"]["template"]["spec"]["containers"]]
        for key, item in items.items()
        if "template" in item.get("spec", {})
    }
