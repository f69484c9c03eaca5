"""An object that our account may read and not write: it is named with the right that is missing, and all others go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from distributor.adapters.kube import KubeConnections
from distributor.model.changes import Actuation
from tests.integration.admission.conftest import told, written
from tests.integration.membership.conftest import Instance, settings
from tests.integration.ownership.conftest import deployment, named

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]
RBAC = "/apis/rbac.authorization.k8s.io/v1"
EVERYTHING = ["get", "list", "watch", "create", "update", "patch", "delete"]


@pytest.fixture
async def limited(instance: Instance) -> AsyncIterator[Instance]:
    """The instance in the name of an account that may do what a Role of its namespace says."""
    user = f"robot-{instance.namespace}"
    rules = [
        {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": EVERYTHING},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": EVERYTHING},
    ]
    await instance.root("POST", "/api/v1/namespaces", named("v1", "Namespace", f"{user}-other"))
    home = named("v1", "Namespace", "distributor-system")
    try:
        await instance.root("POST", "/api/v1/namespaces", home)
    except OSError as error:
        error.close()  # another test made it
    look = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    rights = {
        instance.namespace: [*rules, *look],
        "distributor-system": rules,
        f"{user}-other": look,
    }
    for namespace, allowed in rights.items():
        where = f"{RBAC}/namespaces/{namespace}"
        role = named("rbac.authorization.k8s.io/v1", "Role", user, rules=allowed)
        await instance.root("POST", f"{where}/roles", role)
        binding = named(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            user,
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
            subjects=[{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        )
        await instance.root("POST", f"{where}/rolebindings", binding)
    kubeconfig = str(instance.plane.kubeconfig_for(user))
    connections = KubeConnections({"c1": {"kubeconfig": kubeconfig}})
    yield replace(instance, world=replace(instance.world, connections=connections))
    await connections.aclose()


async def test_a_kind_that_is_forbidden_is_named_and_the_others_go_on(limited):
    objects = (
        settings("web", a="1"),
        deployment(replicas=0),
        named("v1", "ServiceAccount", "web"),
    )
    report = await limited.sync(*objects)
    assert report.actuation is Actuation.FAILED, report
    assert written(report) == ["ConfigMap/web", "Deployment/web"]
    text = told(report, "ServiceAccount/web")
    assert text.startswith("DST406 ")
    assert f'User "robot-{limited.namespace}" cannot' in text
    assert "serviceaccounts" in text
    report = await limited.settle(*objects[:2])
    assert report.actuation is Actuation.APPLIED, report


async def test_a_namespace_that_is_forbidden_is_named_and_the_others_go_on(limited):
    other = settings("there", a="1")
    other["metadata"]["namespace"] = f"robot-{limited.namespace}-other"
    report = await limited.sync(settings("web", a="1"), other)
    assert report.actuation is Actuation.FAILED, report
    assert written(report) == ["ConfigMap/web"]
    text = told(report, "ConfigMap/there")
    assert text.startswith("DST406 ")
    assert f'in the namespace "robot-{limited.namespace}-other"' in text


async def test_a_deletion_that_is_forbidden_keeps_the_object_in_the_inventory(instance, limited):
    account = named("v1", "ServiceAccount", "web")
    await instance.settle(settings("web", a="1"), account)
    limited.sequence = instance.sequence
    report = await limited.sync(settings("web", a="1"))
    assert report.actuation is Actuation.FAILED, report
    text = told(report, "ServiceAccount/web")
    assert text.startswith("DST406 ")
    names = {entry.ref.kind for entry in (await limited.inventory()).entries.values()}
    assert names == {"ConfigMap", "ServiceAccount"}
