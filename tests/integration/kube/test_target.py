"""Push targets on a real API server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.error
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from distributor.adapters.kube import KubeConnections, KubeTarget, Limits
from distributor.adapters.kube.settings import KubeSettings
from distributor.adapters.kube.target import KubeCluster
from distributor.errors.cluster import ClusterUnreachable, Fenced, Unauthorised
from distributor.model.changes import Action, Inventory
from distributor.model.fleet import Cluster, Mode
from distributor.model.manifest import Manifest
from distributor.model.refs import ObjectRef
from distributor.render.applyset import PART_OF, applyset_id
from tests.contract.targets.objects import (
    CLUSTER,
    ENVIRONMENT,
    INSTANCE,
    NAMESPACE,
    config_map,
    entry,
    inventory,
    namespace,
    owned,
    secret,
)
from tests.contract.targets.suite import Harness, TargetContract

if TYPE_CHECKING:
    from tests.controlplane import ControlPlane
    from tests.integration.conftest import HandOut

pytestmark = pytest.mark.controlplane
PUSHED = Cluster(
    name=CLUSTER, environment=ENVIRONMENT, tier="central", mode=Mode.PUSH, connection="c1"
)
SECRETS = "/api/v1/namespaces/distributor-system/secrets"
MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"


def gone(plane: ControlPlane, path: str) -> None:
    with suppress(urllib.error.HTTPError):  # not there
        plane.client.send("DELETE", path)


@pytest.fixture
def plane(control_planes: HandOut) -> Iterator[ControlPlane]:
    """An API server without controllers: a namespace cannot be removed there, so its content is."""
    (found,) = control_planes(1, controllers=False)
    yield found
    found.start_apiserver()
    for items in (SECRETS, MAPS, f"/api/v1/namespaces/{NAMESPACE}/secrets"):
        gone(found, items)


@pytest.fixture
async def connections(plane: ControlPlane) -> AsyncIterator[KubeConnections]:
    made = KubeConnections({"c1": {"kubeconfig": str(plane.kubeconfig)}})
    yield made
    await made.aclose()


@pytest.fixture
async def target(connections: KubeConnections) -> KubeTarget:
    return await connections.open(PUSHED)


@pytest.fixture
async def harness(connections: KubeConnections) -> Harness:
    return Harness(await connections.open(PUSHED), await connections.open(PUSHED))


class TestContract(TargetContract):
    """The same suite as every target's."""


def kubectl(plane: ControlPlane, *words: str) -> str:
    program = Path(sys.executable).with_name("kubectl")
    where = ["--kubeconfig", str(plane.kubeconfig), "-n", NAMESPACE, "-o", "name"]
    command = [str(program), *words, *where]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return run.stdout


async def install(target: KubeTarget, *manifests: Manifest) -> Inventory:
    return await Harness(target, target).installed(*manifests)


async def test_the_parent_is_an_applyset_that_kubectl_understands(
    plane: ControlPlane, target: KubeTarget
) -> None:
    await install(target, namespace(), config_map("a"))
    parent = plane.client.get(f"{SECRETS}/dst-{INSTANCE}")
    metadata = parent["metadata"]
    assert metadata["labels"]["applyset.kubernetes.io/id"] == applyset_id(INSTANCE)
    notes = {k.partition("/")[2]: v for k, v in metadata["annotations"].items()}
    assert notes["tooling"] == "distributor/v1"
    assert notes["contains-group-kinds"] == "ConfigMap,Job.batch,Namespace"
    assert notes["additional-namespaces"] == NAMESPACE
    selected = f"{PART_OF}={applyset_id(INSTANCE)}"
    listed = await asyncio.to_thread(kubectl, plane, "get", "configmaps", "-l", selected)
    assert listed.split() == ["configmap/a"]


async def test_applying_the_same_again_writes_nothing(
    plane: ControlPlane, target: KubeTarget
) -> None:
    kept = await install(target, namespace(), config_map("a"))
    before = plane.client.get(f"{MAPS}/a")["metadata"]
    (outcome,) = await target.apply(kept, [config_map("a")])
    after = plane.client.get(f"{MAPS}/a")["metadata"]
    assert before["resourceVersion"] == after["resourceVersion"]
    assert outcome.uid == after["uid"]


async def test_another_managers_field_is_a_conflict_that_names_it(
    plane: ControlPlane, target: KubeTarget
) -> None:
    kept = await install(target, namespace(), config_map("a"), config_map("b"))
    change = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"value": "9"},
    }
    plane.client.send(
        "PATCH", f"{MAPS}/a?fieldManager=somebody&force=true", change,
        kind="application/apply-patch+yaml",
    )  # fmt: skip
    refused, done = await target.apply(kept, [config_map("a", "2"), config_map("b", "2")])
    assert refused.error
    assert refused.error.code == "DST407"
    assert "somebody" in refused.error.message
    assert ".data.value" in refused.error.message
    assert not refused.retryable
    assert done.error is None
    assert plane.client.get(f"{MAPS}/a")["data"] == {"value": "9"}


async def test_an_invalid_object_names_its_field(target: KubeTarget) -> None:
    bad = Manifest.of(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "s", "namespace": NAMESPACE},
            "spec": {"ports": [{"port": 99999}]},
        }
    )
    kept = await install(target, namespace())
    (outcome,) = await target.apply(kept, [bad])
    assert outcome.error
    assert outcome.error.code == "DST402"
    assert "spec.ports[0].port" in outcome.error.message
    assert not outcome.retryable


async def test_an_immutable_field_is_named(target: KubeTarget) -> None:
    def frozen(value: str) -> Manifest:
        data = config_map("frozen", value).data()
        return Manifest.of({**data, "immutable": True})

    kept = await install(target, namespace(), frozen("1"))
    (outcome,) = await target.apply(kept, [frozen("2")])
    assert outcome.error
    assert outcome.error.code == "DST416"


async def test_a_removed_key_of_a_secret_goes(plane: ControlPlane, target: KubeTarget) -> None:
    kept = await install(target, namespace(), secret("s", old="1", both="2"))
    await target.apply(kept, [secret("s", both="3")])
    data = plane.client.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/s")["data"]
    assert data == {"both": "Mw=="}


async def test_a_kind_is_there_right_after_its_definition(target: KubeTarget) -> None:
    definition = Manifest.of(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "gadgets.test.distributor.dev", "labels": owned()},
            "spec": {
                "group": "test.distributor.dev",
                "scope": "Namespaced",
                "names": {"kind": "Gadget", "plural": "gadgets"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": {"type": "object"}},
                    }
                ],
            },
        }
    )
    gadget = Manifest.of(
        {
            "apiVersion": "test.distributor.dev/v1",
            "kind": "Gadget",
            "metadata": {"name": "g", "namespace": NAMESPACE, "labels": owned()},
        }
    )
    kept = await install(target, namespace())
    assert await target.read_live([entry(gadget)]) == {}
    (missing,) = await target.apply(kept, [gadget])
    assert missing.error
    assert (missing.error.code, missing.retryable) == ("DST411", True)
    (defined,) = await target.apply(kept, [definition])
    assert defined.error is None
    (applied,) = await target.apply(kept, [gadget])
    assert applied.error is None
    assert set(await target.read_live([entry(gadget)])) == {gadget.ref}
    pruned = await target.delete(kept, [entry(gadget)])
    pruned += await target.delete(kept, [entry(definition)])
    pruned += await target.delete(
        kept, [entry(gadget)]
    )  # the kind is gone, and its objects with it
    assert [(o.action, o.error) for o in pruned] == [(Action.PRUNED, None)] * 3


async def test_a_namespace_that_is_missing_is_named(target: KubeTarget) -> None:
    lost = config_map("a", namespace="dst-absent")
    kept = await install(target)
    (outcome,) = await target.apply(kept, [lost])
    assert outcome.error
    assert outcome.error.code == "DST402"
    assert "dst-absent" in outcome.error.message


async def test_what_lost_our_label_is_not_deleted(plane: ControlPlane, target: KubeTarget) -> None:
    kept = await install(target, namespace(), config_map("a"))
    patch = {"metadata": {"labels": {PART_OF: "applyset-somebody-v1"}}}
    plane.client.send("PATCH", f"{MAPS}/a", patch, kind="application/merge-patch+json")
    (outcome,) = await target.delete(kept, [entry(config_map("a"))])
    assert outcome.error
    assert outcome.error.code == "DST418"
    live = await target.read_live([entry(config_map("a"))])
    assert live[config_map("a").ref].owner == "applyset-somebody-v1"


async def test_a_finalizer_keeps_the_deletion_pending(
    plane: ControlPlane, target: KubeTarget
) -> None:
    cluster = KubeCluster.of(KubeSettings(kubeconfig=plane.kubeconfig), Limits(confirm=0.05))
    quick = KubeTarget(CLUSTER, cluster)
    kept = await install(target, namespace(), config_map("a"))
    patch: dict[str, Any] = {"metadata": {"finalizers": ["distributor.dev/test"]}}
    plane.client.send("PATCH", f"{MAPS}/a", patch, kind="application/merge-patch+json")
    (outcome,) = await quick.delete(kept, [entry(config_map("a"))])
    assert outcome.error
    assert (outcome.error.code, outcome.retryable) == ("DST419", True)
    assert "distributor.dev/test" in outcome.error.message
    patch = {"metadata": {"finalizers": []}}
    plane.client.send("PATCH", f"{MAPS}/a", patch, kind="application/merge-patch+json")
    (outcome,) = await quick.delete(kept, [entry(config_map("a"))])
    assert (outcome.action, outcome.error) == (Action.PRUNED, None)
    await cluster.transport.aclose()


async def test_a_large_inventory_is_sharded_and_tidied(
    plane: ControlPlane, target: KubeTarget
) -> None:
    cluster = KubeCluster.of(KubeSettings(kubeconfig=plane.kubeconfig), Limits())
    small = KubeTarget(CLUSTER, cluster, shard_bytes=2_000)
    many = [config_map(f"c{n}", str(n)) for n in range(200)]
    first = await small.write_inventory(inventory(*many))
    shards = {i["metadata"]["name"] for i in plane.client.get(SECRETS)["items"]}
    assert len(shards) > 3
    assert await target.read_inventory(ENVIRONMENT, INSTANCE) == first
    second = await small.write_inventory(replace(first, sequence=2))
    with pytest.raises(Fenced):
        await small.write_inventory(replace(first, sequence=3, revision="lost"))
    assert await target.read_inventory(ENVIRONMENT, INSTANCE) == second
    last = await small.write_inventory(replace(second, entries={}))
    assert await target.read_inventory(ENVIRONMENT, INSTANCE) == last
    names = {i["metadata"]["name"] for i in plane.client.get(SECRETS)["items"]}
    assert names & shards == {f"dst-{INSTANCE}"}
    await cluster.transport.aclose()


async def test_ten_thousand_entries_fit(target: KubeTarget) -> None:
    many = {
        ref: replace(entry(config_map(f"c{n}", str(n))), ref=ref, uid=f"{n:032x}")
        for n in range(10_000)
        for ref in [ObjectRef("", "ConfigMap", NAMESPACE, f"c{n}")]
    }
    written = await target.write_inventory(inventory(entries=many))
    assert await target.read_inventory(ENVIRONMENT, INSTANCE) == written


async def test_a_stopped_server_is_unreachable_and_comes_back(
    plane: ControlPlane, target: KubeTarget
) -> None:
    kept = await install(target, namespace(), config_map("a"))
    plane.stop_apiserver()
    with pytest.raises(ClusterUnreachable):
        await target.apply(kept, [config_map("a", "2")])
    with pytest.raises(ClusterUnreachable):
        await target.read_inventory(ENVIRONMENT, INSTANCE)
    plane.start_apiserver()
    (outcome,) = await target.apply(kept, [config_map("a", "2")])
    assert outcome.error is None


async def test_without_rights_it_says_so(plane: ControlPlane) -> None:
    stranger = str(plane.kubeconfig_for("stranger"))
    connections = KubeConnections({"c1": {"kubeconfig": stranger}})
    target = await connections.open(PUSHED)
    with pytest.raises(Unauthorised, match="stranger"):
        await target.read_inventory(ENVIRONMENT, INSTANCE)
    (outcome,) = await target.apply(inventory(), [config_map("a")])
    assert outcome.error
    assert outcome.error.code == "DST406"
    await connections.aclose()
