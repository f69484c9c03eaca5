"""A kind that cannot be read stops its own objects alone: they are told, left as they are, and never forgotten."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distributor.adapters.kube import KubeConnections
from distributor.model.changes import Action, Actuation, TargetReport
from distributor.model.health import HealthStatus
from tests.integration.admission.conftest import health_of, until, written
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import named

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
NOBODY = "https://127.0.0.1:9/"
"""A port of loopback on which nothing listens."""


def _definition(group: str, conversion: Mapping[str, Any]) -> dict[str, Any]:
    """Things in two versions: they lie in v1, so whoever asks for v2 needs the conversion."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    versions = [{"name": name, "served": True, "storage": name == "v1"} for name in ("v1", "v2")]
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things"},
        "conversion": conversion,
        "versions": [{**v, "schema": {"openAPIV3Schema": schema}} for v in versions],
    }
    return named(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{group}", spec=spec
    )


@pytest.fixture
async def broken(instance: Instance, hook_certificate: Path) -> AsyncIterator[Any]:
    """Breaks the kind: from then on its conversion is a webhook's that is down."""
    group = f"{instance.namespace}.example"
    path = f"{CRDS}/things.{group}"
    await instance.root("POST", CRDS, _definition(group, {"strategy": "None"}))
    bundle = base64.b64encode(await asyncio.to_thread(hook_certificate.read_bytes)).decode()
    client = {"url": NOBODY, "caBundle": bundle}
    webhook = {"conversionReviewVersions": ["v1"], "clientConfig": client}

    async def breaks() -> None:
        there = await instance.root("GET", path)
        there["spec"]["conversion"] = {"strategy": "Webhook", "webhook": webhook}
        await instance.root("PUT", path, there)

        async def refuses() -> bool:
            try:
                await instance.root("GET", instance.path(f"{group}/v2 things/one"))
            except OSError as error:
                error.close()
                return error.code == 500
            return False

        await until("the conversion fails", refuses)

    yield breaks
    await instance.root("DELETE", path)


def _thing(instance: Instance) -> dict[str, Any]:
    return named(f"{instance.namespace}.example/v2", "Thing", "one")


async def _names(instance: Instance) -> set[str]:
    inventory = await instance.inventory()
    assert inventory is not None
    return {f"{ref.kind}/{ref.name}" for ref in inventory.entries}


def _done(report: TargetReport) -> dict[str, Action]:
    return {f"{o.ref.kind}/{o.ref.name}": o.action for o in report.outcomes}


async def _installed(instance: Instance) -> None:
    objects = (_thing(instance), settings("web", a="1"), settings("old", a="1"))

    async def applied() -> bool:
        return (await instance.resync(*objects)).actuation is Actuation.APPLIED

    await instance.sync(*objects)
    await until("all is there", applied)


async def test_the_others_go_on_while_its_conversion_is_down(instance, broken):
    await _installed(instance)
    await broken()
    needs = settings("needs", a="1")
    asked = f"{instance.namespace}.example/namespaces/{instance.namespace}/Thing/one"
    needs["metadata"]["annotations"] = {"config.kubernetes.io/depends-on": asked}
    objects = (_thing(instance), settings("web", a="2"), settings("old", a="1"), needs)
    instance.sequence += 1
    planned = await instance.plan(*objects)
    assert "DST404" in [f.code for f in planned.findings]
    assert [c.ref.name for c in planned.of(Action.SKIPPED)] == ["needs", "one"]
    report = await instance.resync(*objects)
    assert report.actuation is Actuation.FAILED
    assert written(report) == ["ConfigMap/web"]
    assert (await instance.get("v1 configmaps/web"))["data"] == {"a": "2"}
    assert codes(report) == ["DST404", "DST507"]
    (told,) = [f for f in report.findings if f.code == "DST404"]
    assert "conversion webhook" in told.message
    assert told.remedy
    status, message = health_of(report, "Thing")
    assert (status, message.partition(" ")[0]) == (HealthStatus.UNKNOWN, "DST404")
    assert await _names(instance) >= {"Thing/one", "ConfigMap/needs"}


async def test_a_revision_without_it_is_applied_and_does_not_forget_it(instance, broken):
    await _installed(instance)
    await broken()
    report = await instance.sync(settings("web", a="2"))
    assert report.actuation is Actuation.FAILED
    assert _done(report) == {"ConfigMap/web": Action.CONFIGURED, "ConfigMap/old": Action.PRUNED}
    assert codes(report) == ["DST404"]
    assert await _names(instance) == {"ConfigMap/web", "Thing/one"}
    removed = await instance.remove()
    assert _done(removed) == {"ConfigMap/web": Action.PRUNED}
    assert (removed.actuation, codes(removed)) == (Actuation.FAILED, ["DST404"])
    assert await _names(instance) == {"Thing/one"}


@pytest.fixture
async def blind(instance: Instance) -> AsyncIterator[Instance]:
    """The instance in the name of an account that may do everything but read ServiceAccounts."""
    user = f"blind-{instance.namespace}"
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
    rules = [
        {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": verbs},
        {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["create", "patch", "delete"]},
    ]  # fmt: skip
    home = named("v1", "Namespace", "distributor-system")
    try:
        await instance.root("POST", "/api/v1/namespaces", home)
    except OSError as error:
        error.close()  # another test made it
    for namespace in (instance.namespace, "distributor-system"):
        where = f"{RBAC}/namespaces/{namespace}"
        role = named("rbac.authorization.k8s.io/v1", "Role", user, rules=rules)
        await instance.root("POST", f"{where}/roles", role)
        binding = named(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            user,
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
            subjects=[{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        )
        await instance.root("POST", f"{where}/rolebindings", binding)
    kubeconfig = await asyncio.to_thread(instance.plane.kubeconfig_for, user)
    connections = KubeConnections({"c1": {"kubeconfig": str(kubeconfig)}})
    yield replace(instance, world=replace(instance.world, connections=connections))
    await connections.aclose()


async def test_the_others_go_on_where_it_may_not_be_read(instance, blind):
    account = named("v1", "ServiceAccount", "web")
    await instance.settle(settings("web", a="1"), account)
    blind.sequence = instance.sequence + 1
    changed = {**account, "automountServiceAccountToken": False}
    planned = await blind.plan(settings("web", a="2"), changed)
    assert [f.code for f in planned.findings] == ["DST406"]
    report = await blind.resync(settings("web", a="2"), changed)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST406"])
    assert written(report) == ["ConfigMap/web"]
    assert 'cannot get resource "serviceaccounts"' in report.findings[0].message
    assert health_of(report, "ServiceAccount")[0] is HealthStatus.UNKNOWN
    assert "automountServiceAccountToken" not in await instance.get("v1 serviceaccounts/web")
    report = await blind.sync(settings("web", a="3"))
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST406"])
    assert await instance.get("v1 serviceaccounts/web")
    assert await _names(blind) == {"ConfigMap/web", "ServiceAccount/web"}
