"""A conflict fails its own object and names the manager; by consent, and only by that, it is forced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.model.changes import Actuation
from distributor.model.consents import Deed
from distributor.model.tags import Verb
from tests.integration.ownership.conftest import Site, named

pytestmark = pytest.mark.controlplane
MAP = "v1 configmaps/a"


def settings(*consents: str, **data: str) -> dict[str, Any]:
    found = named("v1", "ConfigMap", "a", data=data)
    if consents:
        found["metadata"]["annotations"] = {"distributor.dev/take-over": ", ".join(consents)}
    return found


async def edit(site: Site, manager: str, **data: str) -> None:
    await site.send(
        "PATCH",
        f"{MAP}?fieldManager={manager}",
        {"data": data},
        kind="application/merge-patch+json",
    )


async def test_one_conflict_stops_one_object(site: Site):
    other = named("v1", "ConfigMap", "b", data={"a": "1"})
    await site.sync(settings(a="1"), other)
    await edit(site, "an-operator", a="2")
    planned = await site.plan(settings(a="3"), other)
    assert "conflicts with an-operator over data.a" in {c.reason for c in planned.changes}
    assert [f.code for f in planned.findings] == ["DST407"]
    assert "an-operator" in planned.findings[0].message
    report = await site.sync(settings(a="3"), named("v1", "ConfigMap", "b", data={"a": "3"}))
    assert report.actuation is Actuation.FAILED
    assert [f.code for f in report.findings] == ["DST407"]
    assert "an-operator" in report.findings[0].message
    assert "distributor.dev/take-over" in report.findings[0].remedy
    assert (await site.get(MAP))["data"] == {"a": "2"}
    assert (await site.get("v1 configmaps/b"))["data"] == {"a": "3"}


async def test_by_consent_the_field_is_taken_and_no_other(site: Site):
    await site.sync(settings(a="1"))
    await edit(site, "an-operator", a="2", theirs="kept")
    planned = await site.plan(settings("an-operator", a="3"))
    assert "conflict" not in planned.changes[0].reason
    report = await site.sync(settings("an-operator", a="3"))
    assert report.actuation is Actuation.APPLIED, report.findings
    assert (await site.get(MAP))["data"] == {"a": "3", "theirs": "kept"}


async def test_by_consent_in_the_ledger_what_the_plan_showed_is_taken(site: Site):
    await site.sync(settings(a="1"))
    await edit(site, "an-operator", a="2", theirs="kept")
    site.sequence += 1
    agreed = frozenset({Verb.CONSENT})
    planned = await site.plan(settings(a="3"), agreed=agreed)
    assert "takes data.a from an-operator, as agreed" in planned.changes[0].reason
    assert planned.findings == ()
    report = await site.resync(settings(a="3"), agreed=agreed)
    assert report.actuation is Actuation.APPLIED, report.findings
    assert (await site.get(MAP))["data"] == {"a": "3", "theirs": "kept"}


async def test_a_consent_is_to_the_manager_that_the_plan_named(site: Site):
    await site.sync(settings(a="1", b="1"))
    await edit(site, "an-operator", a="2")
    asked = await site.sync(settings(a="3", b="3"))
    (question,) = asked.questions
    assert (question.deed, question.over) == (Deed.FORCE, ("an-operator",))
    assert question.uid == (await site.get(MAP))["metadata"]["uid"]

    await edit(site, "somebody", b="2")
    again = await site.resync(settings(a="3", b="3"), answers=asked)
    assert again.actuation is Actuation.FAILED
    assert [q.over for q in again.questions] == [("somebody",)], "an-operator is agreed to already"
    assert "somebody" in again.findings[0].message
    assert (await site.get(MAP))["data"] == {"a": "2", "b": "2"}
    both = replace(again, questions=(*asked.questions, *again.questions))
    report = await site.resync(settings(a="3", b="3"), answers=both)
    assert report.actuation is Actuation.APPLIED, report.findings
    assert (await site.get(MAP))["data"] == {"a": "3", "b": "3"}


async def test_consent_to_one_is_none_to_another(site: Site):
    await site.sync(settings(a="1", b="1"))
    await edit(site, "an-operator", a="2")
    await edit(site, "somebody", b="2")
    report = await site.sync(settings("an-operator", a="3", b="3"))
    assert report.actuation is Actuation.FAILED
    assert "somebody" in report.findings[0].message
    assert (await site.get(MAP))["data"] == {"a": "2", "b": "2"}


async def test_drift_by_a_manager_consented_to_is_healed(site: Site):
    desired = settings("an-operator", a="1")
    await site.sync(desired)
    await edit(site, "an-operator", a="2")
    report = await site.resync(desired)
    assert report.actuation is Actuation.APPLIED, report.findings
    assert (await site.get(MAP))["data"] == {"a": "1"}
