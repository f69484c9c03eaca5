"""What is not deleted on the word of a plan alone, against a real API server."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import Actuation
from distributor.model.consents import Deed
from distributor.model.tags import Verb
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import named

pytestmark = pytest.mark.controlplane


def claim(name: str = "data") -> dict[str, Any]:
    asks = {"requests": {"storage": "1Mi"}}
    return named("v1", "PersistentVolumeClaim", name,
                 spec={"accessModes": ["ReadWriteOnce"], "resources": asks})  # fmt: skip


def namespace(name: str) -> dict[str, Any]:
    found = named("v1", "Namespace", name)
    found["metadata"]["namespace"] = ""
    return found


async def test_a_volume_claim_goes_by_consent(instance: Instance):
    await instance.sync(settings("a"), claim())
    for _ in range(2):
        report = await instance.sync(settings("a"))
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
        found = await instance.get("v1 persistentvolumeclaims/data")
        assert "deletionTimestamp" not in found["metadata"]
    report = await instance.sync(settings("a"), agreed=[Verb.CONSENT])
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert await instance.get("v1 persistentvolumeclaims/data") == {}


async def test_a_consent_is_to_the_claim_that_was_named(instance: Instance):
    await instance.sync(settings("a"), claim(), claim("more"))
    asked = await instance.sync(settings("a"), claim("more"))
    assert [(q.deed, q.ref.name) for q in asked.questions] == [(Deed.DELETE, "data")]
    report = await instance.sync(settings("a"), answers=asked)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
    assert [(q.deed, q.ref.name) for q in report.questions] == [(Deed.DELETE, "more")]
    assert await instance.get("v1 persistentvolumeclaims/data") == {}
    assert (
        "deletionTimestamp"
        not in (await instance.get("v1 persistentvolumeclaims/more"))["metadata"]
    )


async def test_a_large_share_goes_by_consent(instance: Instance):
    many = [settings(f"c{n}") for n in range(8)]
    await instance.sync(*many)
    for _ in range(2):
        report = await instance.sync(many[0])
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"] * 7)
    assert all([await instance.get(f"v1 configmaps/c{n}") for n in range(8)])
    report = await instance.sync(many[0], agreed=[Verb.CONSENT])
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert await instance.get("v1 configmaps/c7") == {}


async def test_an_empty_source_deletes_nothing(instance: Instance):
    await instance.sync(settings("a"))
    report = await instance.sync()
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
    assert await instance.get("v1 configmaps/a")


async def test_a_namespace_stays_while_another_instance_is_in_it(instances):
    first, second = instances
    name = f"{first.namespace}-shared"
    theirs = settings("theirs")
    theirs["metadata"]["namespace"] = name
    assert (await first.sync(namespace(name), settings("a"))).actuation is Actuation.APPLIED
    assert (await second.sync(theirs)).actuation is Actuation.APPLIED
    for agreed in ((), (Verb.CONSENT,)):
        report = await first.remove(*agreed)
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
        assert f"objects of instance {second.namespace}" in report.findings[0].message
    home = await first.root("GET", f"/api/v1/namespaces/{name}")
    assert "deletionTimestamp" not in home["metadata"]

    await second.remove()
    report = await first.remove()
    while codes(report) == ["DST419"]:  # the controllers empty it
        report = await first.remove()
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    kept = await first.inventory()
    assert kept is not None
    assert not kept.entries


async def test_a_definition_stays_while_others_have_objects_of_it(instance: Instance):
    group = f"{instance.namespace}.example"
    kind: dict[str, Any] = {
        "group": group, "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {
            "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}],
    }  # fmt: skip
    definition = named(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{group}", spec=kind
    )
    definition["metadata"]["namespace"] = ""
    ours = named(f"{group}/v1", "Thing", "ours")
    assert (await instance.sync(definition, ours)).actuation is Actuation.APPLIED
    await instance.send("POST", f"{group}/v1 things", named(f"{group}/v1", "Thing", "theirs"))
    report = await instance.remove()
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
    assert f"Thing/{instance.namespace}/theirs" in report.findings[0].message
    assert await instance.get(f"{group}/v1 things/theirs")
    report = await instance.remove(Verb.CONSENT)
    while codes(report) == ["DST419"]:
        report = await instance.remove(Verb.CONSENT)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
