"""The old keeps the new out: a quota is full until what a revision drops is gone. A consent lets it go before."""

from __future__ import annotations

import pytest

from distributor.model.changes import Action, Actuation
from distributor.model.consents import Deed
from tests.integration.admission.conftest import until
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import named

pytestmark = pytest.mark.controlplane


def secret(name: str) -> dict:
    return named("v1", "Secret", name, data={"a": "YQ=="})


async def full(instance: Instance) -> None:
    """A quota in force that the one Secret of the old revision fills."""
    hard = {"count/secrets": "1"}
    body = named("v1", "ResourceQuota", "tight", spec={"hard": hard})
    await instance.send("POST", "v1 resourcequotas", body)

    async def counted() -> bool:
        status = (await instance.get("v1 resourcequotas/tight")).get("status", {})
        return status.get("used") == hard

    await until("the quota is counted", counted)


async def test_what_fills_a_quota_goes_by_consent_although_the_new_is_refused(instance: Instance):
    await instance.settle(secret("old"), settings("a"))
    await full(instance)
    wanted = (secret("new"), settings("a"))
    planned = await instance.plan(*wanted)
    assert (planned.findings[0].code, list(planned.of(Action.PRUNED))) == ("DST402", [])
    assert [(q.deed, q.ref.name) for q in planned.questions] == [(Deed.HURRY, "old")]
    report = await instance.sync(*wanted)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST402"])
    assert report.questions == planned.questions
    assert await instance.get("v1 secrets/old")

    planned = await instance.plan(*wanted, answers=report)
    assert [c.ref.name for c in planned.of(Action.PRUNED)] == ["old"]
    agreed = await instance.resync(*wanted, answers=report)
    assert [o.ref.name for o in agreed.outcomes if o.action is Action.PRUNED] == ["old"]
    assert not await instance.get("v1 secrets/old")

    async def there() -> bool:
        again = await instance.resync(*wanted, answers=report)
        return again.actuation is Actuation.APPLIED

    await until("the quota has room", there)
    assert await instance.get("v1 secrets/new")
