"""What a cluster holds beside an inventory: on the shipped fake and on an API server in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from distributor.adapters.kube import KubeConnections, Limits
from distributor.model.changes import Survey, Taken
from distributor.model.manifest import Manifest
from distributor.testing.targets import MemoryCluster, MemoryTarget
from tests.contract.targets.fake_api import FakeApi, kubeconfig, serve, status
from tests.contract.targets.objects import (
    CLUSTER,
    INSTANCE,
    config_map,
    entry,
    inventory,
    namespace,
)
from tests.contract.targets.suite import Harness
from tests.contract.targets.test_targets import PUSHED

TILL = config_map("till", instance="till")


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture(params=["memory", "kube"])
async def harness(
    request: pytest.FixtureRequest, tmp_path: Path, api: FakeApi
) -> AsyncIterator[Harness]:
    if request.param == "memory":
        shared = MemoryCluster(name=CLUSTER)
        yield Harness(MemoryTarget(shared), MemoryTarget(shared))
        return
    async with serve(api) as url:
        told = {"kubeconfig": str(kubeconfig(tmp_path / "config", url))}
        connections = KubeConnections({"c1": told}, limits=Limits(page=2))
        yield Harness(await connections.open(PUSHED), await connections.open(PUSHED))
        await connections.aclose()


async def test_objects_are_found_by_what_is_on_them(harness: Harness) -> None:
    many = [config_map(f"c{n}") for n in range(5)]
    await harness.installed(namespace(), *many)
    other = inventory(TILL, token="", entries={TILL.ref: entry(TILL)})
    kept = await harness.other.write_inventory(replace(other, instance="till"))
    await harness.other.apply(kept, [TILL])
    found = (await harness.target.owned(INSTANCE)).refs
    assert set(found) == {namespace().ref, *(m.ref for m in many)}
    assert set((await harness.target.owned("till")).refs) == {TILL.ref}
    assert (await harness.target.owned("nobody")) == Survey()


async def test_a_namespace_tells_which_other_instances_it_holds(harness: Harness) -> None:
    kept = await harness.installed(namespace(), config_map("a"))
    assert await harness.target.taken_along(kept, [entry(namespace())]) == {}
    other = inventory(TILL, token="", entries={TILL.ref: entry(TILL)})
    await harness.other.write_inventory(replace(other, instance="till"))
    told = await harness.target.taken_along(kept, [entry(namespace())])
    assert told == {namespace().ref: Taken("objects of instance till", barred=True)}


def definition(plural: str, kind: str) -> Manifest:
    return Manifest.of(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.x.example"},
            "spec": {"group": "x.example", "names": {"kind": kind, "plural": plural}},
        }
    )


def thing(name: str) -> Manifest:
    metadata = {"name": name, "namespace": "dst-contract"}
    return Manifest.of({"apiVersion": "x.example/v1", "kind": "Thing", "metadata": metadata})


@pytest.mark.parametrize("harness", ["kube"], indirect=True)
async def test_a_definition_tells_of_objects_that_are_not_the_instances(
    harness: Harness, api: FakeApi
) -> None:
    api.kinds["x.example"] = [("Thing", "things", "Namespaced"), ("Rest", "rests", "Namespaced")]
    ours, theirs = thing("ours"), thing("theirs")
    kept = await harness.installed(namespace(), ours)
    asked = [entry(definition("things", "Thing")), entry(definition("rests", "Rest"))]
    assert await harness.target.taken_along(kept, asked) == {}
    await harness.other.apply(kept, [theirs])
    (told,) = (await harness.target.taken_along(kept, asked)).items()
    assert (told[0], told[1].what) == (asked[0].ref, str(theirs.ref))
    assert [name.partition("@")[0] for name in told[1].names] == [str(theirs.ref)]
    assert told[1].names[0].partition("@")[2], "what is made anew under the name is another"


@pytest.mark.parametrize("harness", ["kube"], indirect=True)
async def test_a_definition_whose_objects_cannot_be_listed_says_so(
    harness: Harness, api: FakeApi
) -> None:
    api.kinds["x.example"] = [("Thing", "things", "Namespaced"), ("Rest", "rests", "Namespaced")]
    kept = await harness.installed(namespace(), thing("ours"))
    asked = [entry(definition("things", "Thing")), entry(definition("rests", "Rest"))]

    async def broken(request):
        return status(500, "Fault") if request.path.endswith("/things") else None

    api.fault = broken
    ((ref, taken),) = (await harness.target.taken_along(kept, asked)).items()
    assert (ref, taken.barred) == (asked[0].ref, False)
    assert taken.what.startswith("any x.example/Thing (DST404")


@pytest.mark.parametrize("harness", ["kube"], indirect=True)
async def test_copies_and_kinds_that_may_not_be_listed_are_passed_over(
    harness: Harness, api: FakeApi
) -> None:
    first, copy = config_map("a"), config_map("copy")
    await harness.installed(namespace(), first, copy)
    made = api.objects["/api/v1/namespaces/dst-contract/configmaps/copy"]
    made["metadata"]["managedFields"] = [{"manager": "operator", "operation": "Update"}]

    async def forbidden(request):
        return status(403, "Forbidden") if request.path.endswith("/secrets") else None

    api.fault = forbidden
    survey = await harness.target.owned(INSTANCE)
    assert (set(survey.refs), survey.unread) == ({namespace().ref, first.ref}, ())


@pytest.mark.parametrize("harness", ["kube"], indirect=True)
async def test_a_kind_that_cannot_be_listed_now_is_told_and_hides_no_other(
    harness: Harness, api: FakeApi
) -> None:
    first = config_map("a")
    await harness.installed(namespace(), first)

    async def broken(request):
        return status(500, "InternalError") if request.path.endswith("/secrets") else None

    api.fault = broken
    survey = await harness.target.owned(INSTANCE)
    assert set(survey.refs) == {namespace().ref, first.ref}
    assert [text.partition(" ")[0] for text in survey.unread] == ["Secret"]


@pytest.mark.parametrize("harness", ["kube"], indirect=True)
async def test_the_namespace_of_the_inventories_is_never_to_go(harness: Harness) -> None:
    kept = await harness.installed(namespace())
    home = entry(namespace("distributor-system"))
    told = await harness.target.taken_along(kept, [home])
    assert told == {home.ref: Taken("the inventories of every instance", barred=True)}


@pytest.mark.parametrize("harness", ["kube"], indirect=True)
async def test_a_namespace_tells_what_in_it_is_nobodys(harness: Harness, api: FakeApi) -> None:
    """What has an owner goes with that, and what controllers put everywhere is nobody's loss."""
    api.kinds[""] += [("PersistentVolumeClaim", "persistentvolumeclaims", "Namespaced")]
    kept = await harness.installed(namespace(), config_map("a"))
    root = "/api/v1/namespaces/dst-contract"

    def put(path: str, **more: object) -> None:
        name = path.rpartition("/")[2]
        api.objects[f"{root}/{path}"] = {
            "metadata": {"namespace": "dst-contract", "name": name, **more}
        }

    put("configmaps/kube-root-ca.crt")
    put("configmaps/made", ownerReferences=[{"kind": "Deployment", "name": "x", "uid": "1"}])
    put("configmaps/going", deletionTimestamp="2026-01-01T00:00:00Z")
    put("secrets/token", annotations={"kubernetes.io/service-account.name": "default"})
    home = entry(namespace())
    assert await harness.target.taken_along(kept, [home]) == {}

    for name in "pqrst":
        put(f"configmaps/{name}")
    put("persistentvolumeclaims/data-web-0", ownerReferences=[{"kind": "StatefulSet"}])
    told = await harness.target.taken_along(kept, [home])
    claim, *maps = "PersistentVolumeClaim/dst-contract/data-web-0", "p", "q"
    named = ", ".join([claim, *(f"ConfigMap/dst-contract/{name}" for name in maps)])
    everything = (*(f"ConfigMap/dst-contract/{name}@" for name in "pqrst"), f"{claim}@")
    assert told == {home.ref: Taken(f"{named} and 3 more", names=everything)}


@pytest.mark.parametrize("harness", ["kube"], indirect=True)
async def test_what_may_not_be_listed_in_a_namespace_is_told(
    harness: Harness, api: FakeApi
) -> None:
    kept = await harness.installed(namespace())

    async def forbidden(request):
        return status(403, "Forbidden") if request.path.endswith("/deployments") else None

    api.fault = forbidden
    told = await harness.target.taken_along(kept, [entry(namespace())])
    (taken,) = told.values()
    assert taken.what.startswith("any apps/Deployment (")
    assert not taken.barred
    assert taken.names == ("any apps/Deployment that cannot be listed",)
    api.fault, api.stale = None, True
    (taken,) = (await harness.target.taken_along(kept, [entry(namespace())])).values()
    silent = "objects of an API that does not answer"
    assert taken == Taken(silent, names=(silent,))


@pytest.mark.parametrize("harness", ["kube"], indirect=True)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_404_that_does_not_name_the_object_is_no_proof_of_its_absence(
    harness: Harness, api: FakeApi, method: str
) -> None:
    first = config_map("a")
    kept = await harness.installed(namespace(), first)

    async def unserved(request):
        moved = request.method == method and request.path.endswith("/configmaps/a")
        return web.Response(status=404, text="404 page not found") if moved else None

    api.fault = unserved
    (outcome,) = await harness.target.delete(kept, [entry(first)])
    assert outcome.error is not None
    assert (outcome.error.code, outcome.retryable) == ("DST411", True)
    if method == "GET":
        there = await harness.target.read_live([entry(first), entry(config_map("never"))])
        told = {ref: found.error and found.error.code for ref, found in there.items()}
        assert told == {first.ref: "DST411"}, "nobody can tell"
    api.fault = None
    assert set(await harness.target.read_live([entry(first), entry(config_map("never"))])) == {
        first.ref
    }
