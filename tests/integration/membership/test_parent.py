"""The parent of an ApplySet (KEP-3659): what it says, and how seldom it is written."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from distributor.render.applyset import PART_OF, applyset_id
from tests.integration.membership.conftest import Instance, settings
from tests.integration.ownership.conftest import deployment

pytestmark = pytest.mark.controlplane


async def test_labels_and_annotations(instance: Instance):
    await instance.sync(settings("a"), deployment())
    metadata = (await instance.parent())["metadata"]
    assert metadata["labels"]["applyset.kubernetes.io/id"] == applyset_id(instance.namespace)
    notes = metadata["annotations"]
    assert notes["applyset.kubernetes.io/tooling"].startswith("distributor/")
    kinds = notes["applyset.kubernetes.io/contains-group-kinds"]
    assert kinds == "ConfigMap,Deployment.apps"
    assert notes["applyset.kubernetes.io/additional-namespaces"] == instance.namespace
    label = f"{PART_OF}={applyset_id(instance.namespace)}"
    found = await instance.get(f"v1 configmaps?labelSelector={label}")
    assert [item["metadata"]["name"] for item in found["items"]] == ["a"]


async def test_it_is_written_when_membership_or_sequence_number_changes(instance: Instance):
    async def version() -> str:
        return str((await instance.parent())["metadata"]["resourceVersion"])

    await instance.sync(settings("a", one="1"), settings("b"))
    written = await version()
    assert (await instance.inventory()).token == written
    await instance.resync(settings("a", one="1"), settings("b"))
    await instance.send("DELETE", "v1 configmaps/b", None)
    report = await instance.resync(settings("a", one="1"), settings("b"))
    assert [o.action.value for o in report.outcomes] == ["created"]
    assert await version() == written, "a heal writes the object alone"
    report = await instance.sync(settings("a", one="2"), settings("b"))
    assert report.actuation is Actuation.APPLIED
    assert await version() != written
