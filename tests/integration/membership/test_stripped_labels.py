"""An object whose owner label somebody took away stays the one's that applied it, and becomes nobody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.model.changes import Actuation
from distributor.model.refs import Digest
from distributor.model.tags import Verb
from distributor.render.applyset import PART_OF, applyset_id
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import CLUSTER

pytestmark = pytest.mark.controlplane
SHARED = "v1 configmaps/shared"
MERGE = "application/merge-patch+json"


def shared(first: Instance, of: str) -> dict[str, Any]:
    found = settings("shared", of=of)
    labels = {"app.kubernetes.io/instance": first.namespace}
    found["metadata"] |= {"namespace": first.namespace, "labels": labels}
    return found


async def stripped(instance: Instance, **metadata: Any) -> None:
    await instance.send("PATCH", SHARED, {"metadata": metadata}, kind=MERGE)


async def test_another_instance_does_not_take_it(instances):
    first, second = instances
    await first.sync(shared(first, "first"))
    await stripped(first, labels={PART_OF: None})
    plan = await second.plan(shared(first, "second"))
    assert [finding.code for finding in plan.findings] == ["DST430"]
    for _ in range(2):
        report = await second.sync(shared(first, "second"))
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST430"])
        assert f"instance {first.namespace} applied it" in report.findings[0].message
        assert (await first.get(SHARED))["data"] == {"of": "first"}

    report = await first.resync(shared(first, "first"))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    labels = (await first.get(SHARED))["metadata"]["labels"]
    assert labels[PART_OF] == applyset_id(first.namespace)
    report = await second.sync(settings("own"))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert (await first.get(SHARED))["data"] == {"of": "first"}


async def test_its_own_instance_goes_on_with_it(instance: Instance):
    await instance.sync(shared(instance, "1"))
    await stripped(instance, labels=None)
    report = await instance.sync(shared(instance, "2"))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert (await instance.get(SHARED))["data"] == {"of": "2"}


async def test_where_nothing_tells_whose_it_is_people_say_so(instance: Instance):
    await instance.sync(shared(instance, "1"))
    await stripped(instance, labels=None, annotations=None)
    report = await instance.sync(shared(instance, "2"))
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST430"])
    report = await instance.sync(shared(instance, "2"), agreed=[Verb.CONSENT])
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST429"])
    assert (await instance.get(SHARED))["data"] == {"of": "2"}


REST = settings("rest")
UNNAMED = ({"labels": {PART_OF: None}}, {"labels": None})


@pytest.mark.parametrize("metadata", UNNAMED)
async def test_it_goes_with_the_revision_that_drops_it(instance: Instance, metadata):
    await instance.sync(shared(instance, "1"), REST)
    await stripped(instance, **metadata)
    report = await instance.sync(REST)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert await instance.get(SHARED) == {}
    assert await names(instance) == {"rest"}


async def test_it_goes_after_a_change_that_was_cut_short(instance: Instance):
    """The inventory has the digest of what was to come, and the object that of what was there."""
    await instance.sync(shared(instance, "1"), REST)
    await stripped(instance, labels={PART_OF: None})
    before = await instance.inventory()
    assert before is not None
    entries = {
        ref: replace(entry, digest=Digest(f"sha256:{'1' * 64}"), uid="")
        for ref, entry in before.entries.items()
    }
    connection = await instance.world.connections.open(CLUSTER)
    await connection.write_inventory(replace(before, entries=entries))
    report = await instance.sync(REST)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert await instance.get(SHARED) == {}


async def test_it_goes_with_its_instance(instance: Instance):
    await instance.sync(shared(instance, "1"))
    await stripped(instance, labels={PART_OF: None})
    report = await instance.remove()
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert await instance.get(SHARED) == {}


async def test_somebody_elses_of_its_name_is_left_and_forgotten(instance: Instance):
    """Theirs came in its place: another uid, written by another."""
    await instance.sync(shared(instance, "1"), REST)
    await instance.sync(shared(instance, "1"), REST, settings("more"))
    await instance.send("DELETE", SHARED, None)
    theirs = settings("shared", of="somebody")
    await instance.send("POST", "v1 configmaps?fieldManager=somebody", theirs)
    report = await instance.sync(REST, settings("more"))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert (await instance.get(SHARED))["data"] == {"of": "somebody"}
    assert await names(instance) == {"rest", "more"}


async def test_what_another_took_is_told_once_and_forgotten(instance: Instance):
    await instance.sync(shared(instance, "1"), REST)
    await stripped(instance, labels={PART_OF: "applyset-somebody-v1"})
    await seen(instance)
    report = await instance.sync(REST)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST418"])
    assert "applyset-somebody-v1" in report.findings[0].message
    assert (await instance.get(SHARED))["data"] == {"of": "1"}
    assert await names(instance) == {"rest"}
    report = await instance.resync(REST)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])


async def test_what_another_instance_lost_is_not_deleted_by_one_that_wanted_it(instances):
    """The second's inventory names it as well: it once asked for it, and was refused."""
    first, second = instances
    await first.sync(shared(first, "first"))
    await second.sync(shared(first, "second"), REST)
    assert len(await names(second)) == 2
    for metadata in (*UNNAMED, {"labels": None, "annotations": None}):
        await stripped(first, **metadata)
        report = await second.sync(REST)
        assert report.actuation is Actuation.APPLIED
        assert (await first.get(SHARED))["data"] == {"of": "first"}
        assert await names(second) == {"rest"}
        await second.sync(shared(first, "second"), REST)


async def names(instance: Instance) -> set[str]:
    kept = await instance.inventory()
    assert kept is not None
    return {ref.name for ref in kept.entries}


async def seen(instance: Instance) -> None:
    """Write the uids into the inventory, as a change with hooks or prunes does."""
    kept = await instance.inventory()
    assert kept is not None
    uid = (await instance.get(SHARED))["metadata"]["uid"]
    entries = {
        ref: replace(entry, uid=uid) if ref.name == "shared" else entry
        for ref, entry in kept.entries.items()
    }
    connection = await instance.world.connections.open(CLUSTER)
    await connection.write_inventory(replace(kept, entries=entries))
