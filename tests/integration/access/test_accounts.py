"""Instances delivered in the name of a service account: they can do what it may, whoever Distributor is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from distributor.cli.access import access
from distributor.model.tags import Verb
from distributor.services.asking.telling import why
from distributor.services.asking.views import InstanceStage
from distributor.services.service import Service
from tests.integration.access.conftest import Limited, give, take, token, write_config
from tests.integration.mainjob.conftest import LONG, until, view
from tests.integration.mainjob.smallapps import (
    one_cluster,
    settings,
    web,
    write_app,
    write_installation,
)

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]

CENTRAL = "sit-central-1"
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "acct-tenant-grab"},
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "cluster-admin",
    },
    "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": "default"}],
}


@dataclass(frozen=True, kw_only=True)
class Tenancy(Limited):
    """Two namespaces on one API server; Distributor may act as the account of the first one."""

    home: str
    other: str

    @property
    def account(self) -> str:
        return f"{self.home}/deployer"

    def offer(self, *objects: dict[str, Any], version: str = "1.0.0") -> None:
        write_app(self.place.catalog, self.home, version, *objects)

    def deliver_as(self, account: str) -> None:
        write_installation(self.place.catalog, self.home, self.home, serviceAccount=account)


@pytest.fixture
def tenants(tmp_path: Path, control_planes):
    pushed = one_cluster(tmp_path / "play", control_planes, CENTRAL)
    plane = pushed.planes[CENTRAL]
    home, other = plane.new_namespace("acct-home"), plane.new_namespace("acct-other")
    rights = access(accounts=[f"{home}/deployer"])
    give(plane, rights)
    config = write_config(tmp_path / "account", plane, {"token": token(plane)})
    connections = {CENTRAL: {"kubeconfig": str(config)}}
    yield Tenancy(
        place=pushed.place, planes=pushed.planes, connections=connections, home=home, other=other
    )
    take(plane, rights)


async def promoted(pushed: Limited, service: Service, instance: str, version: str) -> InstanceStage:
    return (await pushed.promote(service, "sit", instance, version)).stage


async def told(service: Service, instance: str) -> str:
    chain = await why(service, "sit", instance)
    return " ".join(link.text for link in chain if not link.ok)


def maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


async def test_a_tenant_is_delivered_with_its_own_rights_from_install_to_removal(tenants) -> None:
    many = [settings(f"c{n}", a="b") for n in range(6)]
    tenants.offer(*web(), *many)
    tenants.offer(*web(text="later"), *many[:4], version="1.1.0")
    tenants.deliver_as(tenants.account)
    await tenants.found()
    async with tenants.service() as service:
        assert await promoted(tenants, service, tenants.home, "1.0.0") is InstanceStage.VERIFIED
        assert await promoted(tenants, service, tenants.home, "1.1.0") is InstanceStage.VERIFIED
        assert not await tenants.get(CENTRAL, f"{maps(tenants.home)}/c5")
        await tenants.ask(service, Verb.REMOVE, "sit", tenants.home)

        async def removed() -> bool:
            await asyncio.wait_for(service.sync(), LONG)
            return (await view(service, "sit", tenants.home)).stage is InstanceStage.REMOVED

        await until("it is removed", removed)
    assert not await tenants.get(CENTRAL, f"{maps(tenants.home)}/web")


def escapes(other: str) -> dict[str, tuple[dict[str, Any], str]]:
    """Objects that want out, and where they would be."""
    victim = {**settings("dst-victim", "distributor-system"), "data": {"a": "Yg=="}}
    grabbed = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acct-grabbed"}}
    roles = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    return {
        "another namespace": (settings("stolen", other, a="b"), f"{maps(other)}/stolen"),
        "the cluster": (settings("stolen", "kube-system"), f"{maps('kube-system')}/stolen"),
        "the inventories": (
            {**victim, "kind": "Secret"},
            "/api/v1/namespaces/distributor-system/secrets/dst-victim",
        ),
        "all rights": (ROLE, f"{roles}/acct-tenant-grab"),
        "a namespace more": (grabbed, "/api/v1/namespaces/acct-grabbed"),
    }


@pytest.mark.parametrize("name", escapes(""))
async def test_no_content_of_a_package_gets_out_of_it(name: str, tenants) -> None:
    """Also where Distributor itself could write it, as an instance without an account shows."""
    body, path = escapes(tenants.other)[name]
    tenants.offer(settings("mine", a="b"), body)
    tenants.deliver_as(tenants.account)
    await tenants.found()
    async with tenants.service() as service:
        assert await promoted(tenants, service, tenants.home, "1.0.0") is InstanceStage.FAILED
        said = await told(service, tenants.home)
    assert "DST406" in said
    assert f"system:serviceaccount:{tenants.home}:deployer" in said
    assert not await tenants.get(CENTRAL, path)


async def test_without_an_account_the_same_package_is_delivered(tenants) -> None:
    body, path = escapes(tenants.other)["another namespace"]
    tenants.offer(settings("mine", a="b"), body)
    await tenants.found()
    async with tenants.service() as service:
        assert await promoted(tenants, service, tenants.home, "1.0.0") is InstanceStage.VERIFIED
    assert await tenants.get(CENTRAL, path)


async def test_no_account_may_be_used_that_was_not_printed(tenants) -> None:
    tenants.offer(settings("mine", a="b"))
    tenants.deliver_as("kube-system/namespace-controller")
    await tenants.found()
    async with tenants.service() as service:
        assert await promoted(tenants, service, tenants.home, "1.0.0") is InstanceStage.FAILED
        said = await told(service, tenants.home)
    assert "DST406" in said
    assert "impersonate" in said
    assert not await tenants.get(CENTRAL, f"{maps(tenants.home)}/mine")
