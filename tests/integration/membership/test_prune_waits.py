"""What a new version has no more goes only when the new version is there: until then old pods may need it."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from distributor.model.consents import Deed
from distributor.model.tags import Verb
from tests.integration.membership.conftest import Instance, settings
from tests.integration.ownership.conftest import deployment

pytestmark = pytest.mark.controlplane
BROKEN = "registry.example/fail:1"


async def there(instance: Instance, name: str) -> bool:
    return bool(await instance.get(f"v1 configmaps/{name}"))


async def test_a_version_that_does_not_start_takes_nothing_from_the_one_before(instance: Instance):
    report = await instance.settle(settings("web-1"), deployment())
    assert report.actuation is Actuation.APPLIED, report
    broken = (settings("web-2"), deployment(image=BROKEN))
    for report in (await instance.sync(*broken), await instance.resync(*broken)):
        assert report.actuation is Actuation.APPLYING, report
        assert "goes when this is current" in report.health[-1].message
    assert await there(instance, "web-1"), "pods of the old version still need it"
    assert await there(instance, "web-2")
    good = (settings("web-3"), deployment(image="web:3"))
    report = await instance.settle(*good)
    assert report.actuation is Actuation.APPLIED, report
    assert [await there(instance, f"web-{n}") for n in (1, 2, 3)] == [False, False, True]
    inventory = await instance.inventory()
    assert inventory is not None
    assert sorted(ref.name for ref in inventory.entries) == ["web", "web-3"]


async def test_a_person_may_let_it_go_before(instance: Instance):
    await instance.settle(settings("web-1"), deployment())
    broken = (settings("web-2"), deployment(image=BROKEN))
    await instance.sync(*broken)
    assert await there(instance, "web-1")
    report = await instance.resync(*broken, agreed=frozenset({Verb.CONSENT}))
    assert report.actuation is Actuation.APPLIED, report
    assert not await there(instance, "web-1")


async def test_what_a_person_lets_go_before_is_named(instance: Instance):
    await instance.settle(settings("web-1"), settings("web-2"), deployment())
    broken = (settings("web-2"), deployment(image=BROKEN))
    asked = await instance.sync(*broken)
    assert [(q.deed, q.ref.name) for q in asked.questions] == [(Deed.HURRY, "web-1")]
    report = await instance.sync(deployment(image=BROKEN), answers=asked)
    assert report.actuation is Actuation.APPLYING, report
    assert [(q.deed, q.ref.name) for q in report.questions] == [(Deed.HURRY, "web-2")]
    assert [await there(instance, f"web-{n}") for n in (1, 2)] == [False, True]


async def test_a_removal_waits_for_nothing(instance: Instance):
    await instance.sync(settings("web-1"), deployment(image=BROKEN))
    report = await instance.remove()
    assert report.actuation is Actuation.APPLIED, report
    assert not await there(instance, "web-1")
