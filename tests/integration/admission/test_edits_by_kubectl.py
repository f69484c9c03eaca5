"""What people do with kubectl to fields that a package sets is undone; what they add beside stays."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from distributor.services.asking.views import InstanceStage
from tests.integration.mainjob.conftest import Pushed
from tests.integration.mainjob.smallapps import GOOD, one_cluster, web, write_app
from tests.integration.ownership.conftest import Site

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]

CENTRAL = "sit-central-1"


@pytest.fixture
def place(tmp_path: Path, control_planes):
    """Make a sit of one API server with one app, and give kubectl in its namespace."""

    def make(app: str, **environment: object) -> tuple[Pushed, Site]:
        pushed = one_cluster(tmp_path / "play", control_planes, CENTRAL, **environment)
        write_app(pushed.place.catalog, app, "1.0.0", *web(replicas=2))
        write_app(pushed.place.catalog, app, "1.1.0", *web(replicas=2, text="newer"))
        (plane,) = pushed.planes.values()
        return pushed, Site(plane=plane, world=None, namespace=app)

    return make


async def begun(pushed: Pushed, service, app: str) -> None:
    seen = await pushed.promote(service, "sit", app, "1.0.0")
    assert seen.stage is InstanceStage.VERIFIED, seen


async def told(service, kind: str) -> list[str]:
    return [e.message for e in await service.world.store.events() if e.kind == kind]


EDITS: tuple[tuple[str, tuple[str, ...], dict[str, Any]], ...] = (
    ("set", ("set", "image", "deployment/web", "web=registry.example/other:9"), {}),
    ("scale", ("scale", "deployment/web", "--replicas=5"), {}),
    ("patch", ("patch", "deployment/web", "-p", '{"spec":{"replicas":4}}'), {}),
    ("edit", ("patch", "deployment/web", "--field-manager=kubectl-edit", "-p", '{"spec":{"replicas":4}}'), {}),
    ("label", ("label", "deployment/web", "app.kubernetes.io/managed-by=me", "--overwrite"), {}),
    ("annotate", ("annotate", "deployment/web", "distributor.dev/applied=no", "--overwrite"), {}),
    ("apply", ("apply", "--server-side", "--force-conflicts", "-f", "-"), {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 6},
    }),
)  # fmt: skip


async def test_every_kind_of_edit_is_healed_and_told(place):
    pushed, by_hand = place("kubectl-heal")
    await pushed.found()
    async with pushed.service() as service:
        await begun(pushed, service, "kubectl-heal")
        before = await by_hand.get("apps/v1 deployments/web")
        for number, (name, words, document) in enumerate(EDITS, 1):
            await by_hand.kubectl(*words, **document)
            assert await by_hand.get("apps/v1 deployments/web") != before, name
            await asyncio.wait_for(service.sync(), 60)
            after = await by_hand.get("apps/v1 deployments/web")
            assert after["spec"] == before["spec"], name
            assert after["metadata"]["labels"] == before["metadata"]["labels"], name
            assert len(await told(service, "healed")) == number, name
        resting = await by_hand.get("apps/v1 deployments/web")
        await asyncio.wait_for(service.sync(), 60)
        assert len(await told(service, "healed")) == len(EDITS)
        after = await by_hand.get("apps/v1 deployments/web")
        assert _version(after) == _version(resting) or after["status"] != resting["status"]


async def test_what_is_added_beside_and_a_restart_stay(place):
    pushed, by_hand = place("kubectl-beside")
    await pushed.found()
    async with pushed.service() as service:
        await begun(pushed, service, "kubectl-beside")
        await by_hand.kubectl("rollout", "restart", "deployment/web")
        await by_hand.kubectl("annotate", "configmap/web", "me/seen=yes")
        await by_hand.kubectl(
            "patch", "configmap/web", "-p", '{"data":{"mine":"1","text":"theirs"}}'
        )
        await asyncio.wait_for(service.sync(), 60)
        settings = await by_hand.get("v1 configmaps/web")
        assert settings["data"] == {"text": "hello", "mine": "1"}
        assert settings["metadata"]["annotations"]["me/seen"] == "yes"
        template = (await by_hand.get("apps/v1 deployments/web"))["spec"]["template"]
        assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
        assert len(await told(service, "healed")) == 1


async def test_a_new_version_goes_over_an_edit(place):
    pushed, by_hand = place("kubectl-version")
    await pushed.found()
    async with pushed.service() as service:
        await begun(pushed, service, "kubectl-version")
        await by_hand.kubectl("patch", "configmap/web", "-p", '{"data":{"text":"theirs"}}')
        seen = await pushed.promote(service, "sit", "kubectl-version", "1.1.0")
        assert (seen.version, seen.stage) == ("1.1.0", InstanceStage.VERIFIED), seen
        assert (await by_hand.get("v1 configmaps/web"))["data"] == {"text": "newer"}


async def test_where_drift_is_only_reported_an_edit_is_too(place):
    pushed, by_hand = place("kubectl-report", defaults={"drift": "report"})
    await pushed.found()
    async with pushed.service() as service:
        await begun(pushed, service, "kubectl-report")
        await by_hand.kubectl("set", "image", "deployment/web", "web=registry.example/other:9")
        await asyncio.wait_for(service.sync(), 60)
        (container,) = (await by_hand.get("apps/v1 deployments/web"))["spec"]["template"]["spec"][
            "containers"
        ]
        assert container["image"] != GOOD
        (line,) = await told(service, "drift")
        assert "spec.template.spec.containers[name=web].image" in line


def _version(found: dict[str, Any]) -> str:
    return found["metadata"]["resourceVersion"]


async def test_another_program_is_no_person(place):
    pushed, by_hand = place("kubectl-not")
    await pushed.found()
    async with pushed.service() as service:
        await begun(pushed, service, "kubectl-not")
        patch = {"data": {"text": "theirs"}}
        where = "v1 configmaps/web?fieldManager=an-operator"
        await by_hand.send("PATCH", where, patch, kind="application/merge-patch+json")
        await asyncio.wait_for(service.sync(), 60)
        assert (await by_hand.get("v1 configmaps/web"))["data"] == {"text": "theirs"}
        assert await told(service, "healed") == []
