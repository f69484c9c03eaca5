"""A cluster-wide custom resource has no namespace, whatever the render gave it, and goes by consent alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.model.changes import Actuation, Inventory, TargetReport
from distributor.model.refs import ObjectRef
from distributor.model.tags import Verb
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import CLUSTER, named

pytestmark = pytest.mark.controlplane
REST = settings("rest")
SCHEMA = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}


def group(instance: Instance) -> str:
    return f"{instance.namespace}.example"


def definition(instance: Instance, scope: str = "Cluster") -> dict[str, Any]:
    spec = {
        "group": group(instance), "scope": scope, "names": {"kind": "Issuer", "plural": "issuers"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": SCHEMA}],
    }  # fmt: skip
    name = f"issuers.{group(instance)}"
    found = named("apiextensions.k8s.io/v1", "CustomResourceDefinition", name, spec=spec)
    found["metadata"]["namespace"] = ""
    return found


def issuer(instance: Instance, value: str = "1", **metadata: str) -> dict[str, Any]:
    """As a render that does not know its kind has it: in the instance's namespace."""
    found = named(f"{group(instance)}/v1", "Issuer", "w", spec={"value": value})
    found["metadata"] |= {"namespace": instance.namespace, **metadata}
    return found


def reference(instance: Instance, namespace: str = "") -> ObjectRef:
    return ObjectRef(group(instance), "Issuer", namespace, "w")


async def live(instance: Instance) -> dict[str, Any]:
    listed = await instance.root("GET", f"/apis/{group(instance)}/v1/issuers")
    return next(iter(listed["items"]), {})


async def defined(instance: Instance, scope: str = "Cluster") -> None:
    """Its kind is there, by somebody else's hand, and served."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await instance.root("POST", path, definition(instance, scope))


async def first(instance: Instance, *objects: dict[str, Any]) -> TargetReport:
    """Installed, as soon as the API server serves the kind."""
    report = await instance.sync(*objects)
    while "DST411" in codes(report):
        report = await instance.sync(*objects)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    return report


async def inventory(instance: Instance) -> Inventory:
    found = await instance.inventory()
    assert found is not None
    return found


async def written_wrongly(instance: Instance, *, twice: bool = False) -> None:
    """An inventory as it was written when nobody asked for the scope."""
    kept, right = await inventory(instance), reference(instance)
    wrong = reference(instance, instance.namespace)
    entries = {ref: e for ref, e in kept.entries.items() if twice or ref != right}
    entries[wrong] = replace(kept.entries[right], ref=wrong)
    connection = await instance.world.connections.open(CLUSTER)
    await connection.write_inventory(replace(kept, entries=entries))


async def test_it_is_pruned_by_consent_alone(instance: Instance):
    await defined(instance)
    await first(instance, issuer(instance), REST)
    assert reference(instance) in (await inventory(instance)).entries
    assert (await instance.plan(issuer(instance), REST)).empty
    plan = await instance.plan(REST)
    assert [finding.code for finding in plan.findings] == ["DST409"]
    for _ in range(2):
        report = await instance.sync(REST)
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
        assert "cluster-wide" in report.findings[0].message
        assert await live(instance)
    report = await instance.sync(REST, agreed=[Verb.CONSENT])
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert await live(instance) == {}


@pytest.mark.parametrize("twice", [False, True])
async def test_an_inventory_with_a_wrong_namespace_is_read_rightly(
    instance: Instance, *, twice: bool
):
    await defined(instance)
    await first(instance, issuer(instance), REST)
    uid = (await live(instance))["metadata"]["uid"]
    await written_wrongly(instance, twice=twice)
    glances = await instance.world.connections.glance(CLUSTER, [instance.namespace])
    assert reference(instance) in glances[instance.namespace].live
    for look in (instance.resync, instance.sync):
        report = await look(issuer(instance), REST)
        assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
        assert {o.action.value for o in report.outcomes} <= {"configured"}
        assert (await live(instance))["metadata"]["uid"] == uid
    refs = (await inventory(instance)).entries.keys()
    assert {ref.namespace for ref in refs if ref.kind == "Issuer"} == {""}

    await written_wrongly(instance, twice=twice)
    report = await instance.sync(REST)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
    assert (await live(instance))["metadata"]["uid"] == uid


async def test_its_definition_comes_with_it_and_goes_with_it(instance: Instance):
    """Its own objects are not others', which the definition would take along."""
    both = (definition(instance), issuer(instance))
    await first(instance, *both, REST)
    assert reference(instance) in (await inventory(instance)).entries
    assert (await instance.plan(*both, REST)).empty
    report = await instance.remove()
    while codes(report) == ["DST419"]:
        report = await instance.remove()
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert not (await inventory(instance)).entries


async def test_its_definition_comes_later(instance: Instance):
    """Until then nobody knows the scope, and the inventory has the namespace."""
    report = await instance.sync(issuer(instance), REST)
    assert codes(report) == ["DST411"]
    await defined(instance)
    await first(instance, issuer(instance), REST)
    refs = (await inventory(instance)).entries.keys()
    assert {ref.namespace for ref in refs if ref.kind == "Issuer"} == {""}
    report = await instance.sync(REST)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
    assert await live(instance)


async def test_two_that_are_one_are_refused(instance: Instance):
    await defined(instance)
    await first(instance, issuer(instance), REST)
    report = await instance.sync(issuer(instance), issuer(instance, namespace="other"), REST)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST316"])
    assert await live(instance)


async def test_one_in_a_namespace_stays_in_it(instance: Instance):
    await defined(instance, "Namespaced")
    await first(instance, issuer(instance), REST)
    assert reference(instance, instance.namespace) in (await inventory(instance)).entries
    report = await instance.sync(REST)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert await live(instance) == {}


async def test_a_removal_without_an_inventory_knows_it_again(instance: Instance):
    """The lost inventory is told by what the revision named, and by labels."""
    await defined(instance)
    await first(instance, issuer(instance), REST)
    parent = f"/api/v1/namespaces/distributor-system/secrets/dst-{instance.namespace}"
    await instance.root("DELETE", parent)
    report = await instance.remove()
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST412"])
    report = await instance.sync(issuer(instance), REST)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    refs = (await inventory(instance)).entries.keys()
    assert refs == {reference(instance), ObjectRef("", "ConfigMap", instance.namespace, "rest")}
