"""Exactly the rights that ``cluster add`` prints carry the main job; without one of them it is named."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from distributor import metrics
from distributor.adapters.kube import KubeConnections, KubeSettings, KubeTarget, Limits
from distributor.adapters.kube.target import KubeCluster
from distributor.cli.access import access
from distributor.cli.playground import PEOPLE
from distributor.errors import DistributorError
from distributor.errors.cluster import OutsideNamespaces
from distributor.metrics import cluster_requests
from distributor.model.changes import Inventory
from distributor.model.promotion import VerdictOutcome
from distributor.model.refs import GroupKind
from distributor.model.tags import Verb
from distributor.services.asking.telling import why
from distributor.services.asking.views import InstanceStage
from distributor.services.promotion.requesting import Ask, make_request
from distributor.services.service import Service
from tests.contract.targets.objects import (
    CLUSTER,
    ENVIRONMENT,
    INSTANCE,
    NAMESPACE,
    config_map,
    entry,
    inventory,
    namespace,
)
from tests.contract.targets.test_kube_faults import PUSHED
from tests.integration.access.conftest import Limited, give, take, token, write_config
from tests.integration.mainjob.conftest import LONG, until, view
from tests.integration.mainjob.smallapps import GOOD, one_cluster, settings, web, write_app

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]

CENTRAL, MERGE = "sit-central-1", "application/merge-patch+json"
INVENTORIES = "/api/v1/namespaces/distributor-system/secrets"


def hook(name: str) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": GOOD}]}
    metadata = {"name": name, "annotations": {"argocd.argoproj.io/hook": "PreSync"}}
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


@pytest.fixture
def limited(tmp_path: Path, control_planes):
    """Make a sit of one API server whose connection is an account with nothing but these rights."""
    given: list[tuple[Any, list[dict[str, Any]]]] = []

    def make(*namespaces: str) -> Limited:
        pushed = one_cluster(tmp_path / "play", control_planes, CENTRAL)
        plane = pushed.planes[CENTRAL]
        rights = access(namespaces=namespaces)
        give(plane, rights)
        given.append((plane, rights))
        config = write_config(tmp_path / "account", plane, {"token": token(plane)})
        entry_ = {"kubeconfig": str(config)}
        entry_ |= {"namespaces": ",".join(namespaces)} if namespaces else {}
        connections = {CENTRAL: entry_}
        return Limited(place=pushed.place, planes=pushed.planes, connections=connections)

    yield make
    for plane, rights in given:
        take(plane, rights)


@asynccontextmanager
async def running(pushed: Limited, *, resync: float) -> AsyncIterator[Service]:
    async with pushed.service() as service:
        task = asyncio.create_task(service.run(poll=60, resync=resync))
        try:
            yield service
        finally:
            await service.stop()
            await task


async def unasked_looks(count: int) -> None:
    """Wait until so many looks in a row needed no request: every watch is on."""

    async def still() -> bool:
        asked, before = cluster_requests(), metrics.UNASKED._value.get()
        async with asyncio.timeout(20):
            while metrics.UNASKED._value.get() < before + count and cluster_requests() == asked:
                await asyncio.sleep(0.05)
        return cluster_requests() == asked

    await until("nothing is asked any more", still, 90)


async def whole_life(pushed: Limited, app: str, *, namespace_goes: bool) -> None:
    """Install with a hook, upgrade with a prune, watch, heal, lose the inventory, remove."""
    work_tree = pushed.place.catalog
    extra = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key"},
        "data": {"k": "dg=="},
    }
    write_app(work_tree, app, "1.0.0", *web(), hook("migrate"), settings("old", a="b"))
    write_app(work_tree, app, "1.1.0", *web(text="later"), hook("migrate"), extra)
    await pushed.found()
    there = f"/api/v1/namespaces/{app}"
    async with pushed.service() as service:
        seen = await pushed.promote(service, "sit", app, "1.0.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        assert (await pushed.get(CENTRAL, f"{there}/configmaps/old"))["data"] == {"a": "b"}
        seen = await pushed.promote(service, "sit", app, "1.1.0")
        assert seen.stage is InstanceStage.VERIFIED, seen
        assert not await pushed.get(CENTRAL, f"{there}/configmaps/old")
        assert seen.clusters[0].health == "Current"
    async with running(pushed, resync=0.3) as service:
        await unasked_looks(5)
        data = {"data": {"text": None}}
        await pushed.send(CENTRAL, "PATCH", f"{there}/configmaps/web", data, kind=MERGE)

        async def healed() -> bool:
            return bool((await pushed.get(CENTRAL, f"{there}/configmaps/web")).get("data"))

        await until("it is healed", healed)
        await unasked_looks(3)
        await pushed.send(CENTRAL, "DELETE", f"{INVENTORIES}/dst-{app}")
        await until("an inventory", lambda: pushed.get(CENTRAL, f"{INVENTORIES}/dst-{app}"))
        await unasked_looks(3)
    async with pushed.service() as service:
        await pushed.ask(service, Verb.REMOVE, "sit", app)
        await asyncio.wait_for(service.sync(), LONG)
        if namespace_goes:  # the account may not list every kind that might be in it
            chain = await why(service, "sit", app)
            assert any("DST409" in x.text and "cannot list" in x.text for x in chain), chain
            for verb in (Verb.CONSENT, Verb.RETRY):
                assert await signed(pushed, service, verb, app) is VerdictOutcome.ACCEPTED

        async def removed() -> bool:
            await asyncio.wait_for(service.sync(), LONG)
            return (await view(service, "sit", app)).stage is InstanceStage.REMOVED

        await until("it is removed", removed)
    assert not await pushed.get(CENTRAL, f"{there}/services/web")
    left = await pushed.get(CENTRAL, there)
    assert (not left or "deletionTimestamp" in left["metadata"]) is namespace_goes


async def signed(pushed: Limited, service: Service, verb: Verb, app: str) -> VerdictOutcome:
    """What is said to a request of somebody who may."""
    snapshot = await service.look()
    ask = Ask(verb=verb, environment="sit", instance=app, version="")
    signer, tagger = pushed.place.key("sre"), PEOPLE["sre"]
    asked = await make_request(service.world, snapshot, ask, tagger=tagger, signer=signer)
    await asyncio.wait_for(service.sync(), LONG)
    return service.book.state.instance("sit", app).last_verdicts[asked.ref].outcome


async def test_the_printed_rights_carry_the_whole_main_job(limited) -> None:
    await whole_life(limited(), "rights-wide", namespace_goes=True)


async def test_so_they_do_where_they_are_for_named_namespaces_alone(
    limited, control_planes
) -> None:
    (plane,) = control_planes(1)
    for name in ("rights-narrow", "rights-other"):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        plane.client.send("POST", "/api/v1/namespaces", body)
    pushed = limited("rights-narrow", "rights-other")
    await whole_life(pushed, "rights-narrow", namespace_goes=False)


@asynccontextmanager
async def with_rights(plane, folder: Path, rights, **entry_: str) -> AsyncIterator[KubeTarget]:
    """A target whose account has these rights."""
    give(plane, rights)
    config = write_config(folder / "account", plane, {"token": token(plane)})
    connections = KubeConnections({"c1": {"kubeconfig": str(config), **entry_}})
    try:
        yield await connections.open(PUSHED)
    finally:
        await connections.aclose()
        take(plane, rights)


def without(verb: str, plural: str, name: str = "") -> list[dict[str, Any]]:
    """What is printed, less one right; of the roles with this name alone, if one is given."""
    rights = copy.deepcopy(access())
    for role in rights:
        rules = role.get("rules", []) if name in ("", role["metadata"]["name"]) else []
        for rule in rules:
            if plural in rule["resources"]:
                others = {**rule, "resources": [p for p in rule["resources"] if p != plural]}
                less = [v for v in rule["verbs"] if v != verb]
                role["rules"] = [r for r in role["rules"] if r is not rule]
                role["rules"] += [{**rule, "resources": [plural], "verbs": less}]
                role["rules"] += [others] if others["resources"] else []
    return rights


async def all_that_is_done(target: KubeTarget) -> list[str]:
    """Everything that is ever asked of a cluster for one instance; the errors of single objects."""
    maps = [config_map(f"m{n}") for n in range(6)]
    await target.read_inventory(ENVIRONMENT, INSTANCE)
    kept = await target.write_inventory(inventory(namespace(), *maps))
    outcomes = list(await target.apply(kept, [namespace()]))
    outcomes += await target.apply(kept, maps)
    entries = [entry(m) for m in (namespace(), *maps)]
    await target.read_live(entries)
    await target.owned(INSTANCE)
    await target.taken_along(kept, [entry(namespace())])
    await target.write_inventory(kept)
    outcomes += await target.delete(kept, [entry(m) for m in maps])
    return [str(o.error) for o in outcomes if o.error is not None]


@pytest.fixture
def bare(control_planes):
    """A server where nothing of this instance is."""
    (plane,) = control_planes(1)
    admin = plane.client
    yield plane
    for path in (f"{INVENTORIES}/dst-{INSTANCE}", f"/api/v1/namespaces/{NAMESPACE}"):
        if admin.answers(path):
            admin.send("DELETE", path)
            gone(admin, path)


def gone(admin, path: str) -> None:
    """Wait until the namespace controller is through with it."""
    end = time.monotonic() + LONG
    while admin.answers(path):
        assert time.monotonic() < end, path
        time.sleep(0.1)


# The right, the role where it is missing, and what the refusal has to say.
MISSING = [
    ("get", "configmaps", "", 'cannot get resource "configmaps"'),
    ("create", "configmaps", "", 'cannot create resource "configmaps"'),
    ("patch", "configmaps", "", 'cannot patch resource "configmaps"'),
    ("delete", "configmaps", "", 'cannot delete resource "configmaps"'),
    ("get", "secrets", "", 'cannot get resource "secrets"'),
    ("list", "secrets", "", 'cannot list resource "secrets"'),
    ("create", "secrets", "", 'cannot create resource "secrets"'),
    ("update", "secrets", "", 'cannot update resource "secrets"'),
]


@pytest.mark.parametrize(("verb", "plural", "role", "told"), MISSING)
async def test_a_right_that_is_missing_is_named(
    verb: str, plural: str, role: str, told: str, bare, tmp_path: Path
) -> None:
    async with with_rights(bare, tmp_path, without(verb, plural, role)) as target:
        try:
            errors = await all_that_is_done(target)
        except DistributorError as error:
            errors = [str(error)]
    assert errors, "it went well without"
    assert all("DST406" in e and told in e for e in errors), errors


async def test_with_all_of_them_everything_is_done(bare, tmp_path: Path) -> None:
    async with with_rights(bare, tmp_path, access()) as target:
        assert await all_that_is_done(target) == []


async def test_an_inventory_in_shards_needs_no_further_right(bare, tmp_path: Path) -> None:
    rights = access(namespaces=["default"])
    async with with_rights(bare, tmp_path, rights):
        cluster = KubeCluster.of(KubeSettings(kubeconfig=tmp_path / "account"), Limits())
        small = KubeTarget(CLUSTER, cluster, shard_bytes=200)
        kept = await small.write_inventory(inventory(*(config_map(f"m{n}") for n in range(40))))
        assert await small.read_inventory(ENVIRONMENT, INSTANCE) == kept
        fewer: Inventory = inventory(config_map("m1"), token=kept.token)
        await small.write_inventory(fewer)
        listed = bare.client.get(INVENTORIES)["items"]
        mine = [s for s in listed if s["metadata"]["name"].startswith(f"dst-{INSTANCE}-")]
        assert len(mine) <= 4, "the shards of the inventory before are gone"
        await cluster.aclose()


async def test_a_connection_for_some_namespaces_touches_no_other(bare, tmp_path: Path) -> None:
    """Not even where the account could."""
    async with with_rights(bare, tmp_path, access(), namespaces="default") as target:
        (outcome,) = await target.apply(inventory(), [config_map("m1")])
        assert outcome.error
        assert outcome.error.code == OutsideNamespaces.code
        with pytest.raises(OutsideNamespaces, match=NAMESPACE):
            await target.read_live([entry(config_map("m1"))])


async def test_a_watch_that_is_not_allowed_vouches_for_nothing(bare, tmp_path: Path) -> None:
    rights = without("watch", "configmaps")
    give(bare, rights)
    config = write_config(tmp_path / "account", bare, {"token": token(bare)})
    connections = KubeConnections({"c1": {"kubeconfig": str(config)}})
    try:
        kinds = [GroupKind("", "ConfigMap"), GroupKind("", "Service")]
        assert [await connections.mark(PUSHED, INSTANCE, kinds) for _ in range(5)] == [""] * 5
        assert await connections.mark(PUSHED, INSTANCE, kinds[1:])
    finally:
        await connections.aclose()
        take(bare, rights)
