"""What is kept when its instance lets go of it is nobody's, and what another instance is given is never deleted."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import Actuation
from distributor.render.applyset import PART_OF, applyset_id
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import managers

pytestmark = pytest.mark.controlplane
DATA, REST = "v1 configmaps/data", settings("rest")
KEEP = {"helm.sh/resource-policy": "keep"}


def data(home: Instance, value: str = "1", **notes: str) -> dict[str, Any]:
    found = settings("data", value=value)
    found["metadata"] |= {"namespace": home.namespace, "annotations": {**KEEP, **notes}}
    return found


async def names(instance: Instance) -> set[str]:
    kept = await instance.inventory()
    assert kept is not None
    return {ref.name for ref in kept.entries}


async def released(instance: Instance, value: str = "1") -> None:
    """Look at the object: its values are there, and nothing on it is the instance's."""
    found = await instance.get(DATA)
    metadata = found["metadata"]
    assert found["data"] == {"value": value}
    assert PART_OF not in metadata.get("labels", {})
    assert "distributor.dev/applied" not in metadata["annotations"]
    assert metadata["annotations"] == {**KEEP, "distributor.dev/released-by": instance.namespace}
    assert not managers(found).keys() & {"distributor", "distributor-hand-over"}
    assert await names(instance) <= {"rest"}


async def test_it_is_released_with_the_revision_that_drops_it(instance: Instance):
    await instance.sync(data(instance), REST)
    plan = await instance.plan(REST)
    (change,) = [c for c in plan.changes if c.ref.name == "data"]
    assert (change.reason, change.releases) == ("kept, as its prune policy says", True)
    assert not plan.empty
    report = await instance.sync(REST)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    await released(instance)
    before = (await instance.get(DATA))["metadata"]["resourceVersion"]
    assert (await instance.plan(REST)).empty
    await instance.sync(REST)
    assert (await instance.get(DATA))["metadata"]["resourceVersion"] == before


async def test_what_others_set_on_it_stays_theirs(instance: Instance):
    await instance.sync(data(instance), REST)
    patch = {"metadata": {"labels": {"team": "a"}}}
    await instance.send(
        "PATCH", f"{DATA}?fieldManager=person", patch, kind="application/merge-patch+json"
    )
    await instance.sync(REST)
    await released(instance)
    found = await instance.get(DATA)
    assert managers(found) == {"person": "Update", "distributor-release": "Update"}
    assert found["metadata"]["labels"] == {"team": "a"}


async def test_another_takes_it_after_the_removal(instances):
    first, second = instances
    await first.sync(data(first), REST)
    report = await first.remove()
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    await released(first)
    assert await names(first) == set()

    report = await second.sync(data(first, "2"))
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST430"])
    given = data(first, "2", **{"distributor.dev/adopt": f"from/{first.namespace}"})
    report = await second.sync(given)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST429"])
    found = await first.get(DATA)
    assert found["data"] == {"value": "2"}
    assert found["metadata"]["labels"][PART_OF] == applyset_id(second.namespace)
    report = await first.remove()
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    report = await second.sync(given)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])


async def test_its_own_instance_takes_it_back(instance: Instance):
    """As going back to a revision that has it does."""
    for value in ("1", "2"):
        await instance.sync(data(instance, value), REST)
        await instance.sync(REST)
        await released(instance, value)
    report = await instance.sync(data(instance, "3"), REST)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST429"])
    found = await instance.get(DATA)
    assert found["data"] == {"value": "3"}
    assert managers(found) == {"distributor": "Apply"}
    assert "distributor.dev/released-by" not in found["metadata"]["annotations"]
    assert (await instance.plan(data(instance, "3"), REST)).empty


async def test_a_release_that_was_cut_short_is_done_again(instance: Instance):
    """Released, and the inventory still names it."""
    await instance.sync(data(instance), REST)
    connection = await instance.world.connections.open(instance.work().cluster)
    known = await instance.inventory()
    assert known is not None
    kept = [entry for ref, entry in known.entries.items() if ref.name == "data"]
    for _ in range(2):
        (outcome,) = await connection.release(known, kept)
        assert outcome.error is None
    report = await instance.sync(REST)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    await released(instance)


async def test_one_that_is_held_is_handed_over(instances):
    first, second = instances
    mine, theirs = settings("data", value="1", old="1"), settings("data", value="2")
    theirs["metadata"] |= {
        "namespace": first.namespace,
        "annotations": {"distributor.dev/adopt": f"from/{first.namespace}"},
    }
    await first.sync(mine, REST)
    plan = await second.plan(theirs)
    assert [c.reason for c in plan.changes] == [f"adopted: from instance {first.namespace}"]
    report = await second.sync(theirs)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST429"])
    assert first.namespace in report.findings[0].message
    assert (await first.get(DATA))["data"] == {"value": "2"}

    report = await first.resync(mine, REST)
    assert codes(report) == ["DST410"], "two still want it"
    assert "which took it over from" in report.findings[0].message
    report = await first.sync(REST)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST418"])
    assert await names(first) == {"rest"}
    for _ in range(2):
        report = await first.remove()
        assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    report = await second.sync(theirs)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert (await first.get(DATA))["data"] == {"value": "2"}


async def test_the_old_one_is_removed_while_it_still_names_it(instances):
    first, second = instances
    theirs = settings("data", value="2")
    theirs["metadata"] |= {
        "namespace": first.namespace,
        "annotations": {"distributor.dev/adopt": f"from/{first.namespace}"},
    }
    await first.sync(settings("data", value="1"), REST)
    await second.sync(theirs)
    report = await first.remove()
    assert report.actuation is Actuation.APPLIED
    assert await names(first) == set()
    assert (await first.get(DATA))["data"] == {"value": "2"}


@pytest.mark.parametrize("named", ["from/", "from/somebody", "existing", "From/x"])
async def test_nobody_else_is_taken_from(instances, named: str):
    first, second = instances
    theirs = settings("data", value="2")
    theirs["metadata"] |= {
        "namespace": first.namespace, "annotations": {"distributor.dev/adopt": named},
    }  # fmt: skip
    await first.sync(settings("data", value="1"), REST)
    report = await second.sync(theirs)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST410"])
    assert (await first.get(DATA))["data"] == {"value": "1"}
