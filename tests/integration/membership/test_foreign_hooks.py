"""A hook of the name of somebody's object takes nothing over and deletes nothing, unless somebody says so."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import Actuation
from distributor.model.consents import Deed
from distributor.model.tags import Verb
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import named

pytestmark = pytest.mark.controlplane
DATABASE = "v1 secrets/db"
THEIRS = {"password": "cHJlY2lvdXM=", "url": "b2xk"}


def hook(**notes: str) -> dict[str, Any]:
    found = named("v1", "Secret", "db", stringData={"url": "x"})
    when = {"helm.sh/hook": "pre-install,pre-upgrade"}
    said = {f"helm.sh/hook-{key.replace('_', '-')}": value for key, value in notes.items()}
    found["metadata"]["annotations"] = when | said
    return found


async def theirs(instance: Instance) -> str:
    made = await instance.send("POST", "v1 secrets", named("v1", "Secret", "db", data=THEIRS))
    return made["metadata"]["uid"]


@pytest.mark.parametrize("notes", [{}, {"delete_policy": "hook-succeeded"}])
async def test_without_a_word_it_is_left_as_it_is(instance: Instance, notes):
    uid = await theirs(instance)
    objects = (hook(**notes), settings("a"))
    plan = await instance.plan(*objects)
    assert [finding.code for finding in plan.findings] == ["DST430"]
    for _ in range(2):
        report = await instance.sync(*objects)
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST430"])
        found = await instance.get(DATABASE)
        assert (found["metadata"]["uid"], found["data"]) == (uid, THEIRS)
    await instance.remove()
    assert (await instance.get(DATABASE))["metadata"]["uid"] == uid


@pytest.mark.parametrize("notes", [{}, {"delete_policy": "hook-succeeded"}])
async def test_by_consent_it_is_applied_over_and_still_never_deleted_by_a_policy(
    instance: Instance, notes
):
    uid = await theirs(instance)
    report = await instance.sync(hook(**notes), settings("a"), agreed=[Verb.CONSENT])
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST429"])
    report = await instance.sync(hook(**notes), settings("a", next="1"))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    found = await instance.get(DATABASE)
    assert found["metadata"]["uid"] == uid
    assert found["data"] == THEIRS | {"url": "eA=="}


async def test_a_consent_is_to_the_object_in_the_hooks_place(instance: Instance):
    uid = await theirs(instance)
    asked = await instance.sync(hook(), settings("a"))
    assert [(q.deed, q.ref.name, q.uid) for q in asked.questions] == [(Deed.ADOPT, "db", uid)]
    await instance.send("DELETE", DATABASE, None)
    other = await theirs(instance)
    again = await instance.resync(hook(), settings("a"), answers=asked)
    assert (again.actuation, codes(again)) == (Actuation.FAILED, ["DST430"])
    report = await instance.resync(hook(), settings("a"), answers=again)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST429"])
    found = await instance.get(DATABASE)
    assert (found["metadata"]["uid"], found["data"]) == (other, THEIRS | {"url": "eA=="})


async def test_what_a_run_made_goes_as_its_policy_says(instance: Instance):
    report = await instance.sync(hook(), settings("a"))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    uid = (await instance.get(DATABASE))["metadata"]["uid"]
    report = await instance.sync(hook(), settings("a", next="1"))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert (await instance.get(DATABASE))["metadata"]["uid"] != uid, "made anew"
    short = hook(delete_policy="hook-succeeded")
    report = await instance.sync(short, settings("a", next="2"))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert await instance.get(DATABASE) == {}
