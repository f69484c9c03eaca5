"""An object whose owner label somebody took away stays the one's that applied it, and becomes nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import Actuation
from distributor.model.tags import Verb
from distributor.render.applyset import PART_OF, applyset_id
from tests.integration.membership.conftest import Instance, codes, settings

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
