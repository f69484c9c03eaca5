"""What is there already becomes an instance's own only if somebody says so."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from distributor.model.consents import Deed
from distributor.model.tags import Verb
from tests.integration.membership.conftest import Instance, codes, settings

pytestmark = pytest.mark.controlplane
MAP = "v1 configmaps/a"


async def test_by_consent(instance: Instance):
    await instance.send("POST", "v1 configmaps", settings("a", theirs="1"))
    for _ in range(2):
        report = await instance.sync(settings("a", ours="1"), settings("b"))
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST430"])
        assert (await instance.get(MAP))["data"] == {"theirs": "1"}
        assert await instance.get("v1 configmaps/b"), "its neighbour goes on"
    report = await instance.sync(settings("a", ours="1"), settings("b"), agreed=[Verb.CONSENT])
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST429"])
    assert (await instance.get(MAP))["data"] == {"theirs": "1", "ours": "1"}
    report = await instance.sync(settings("a", ours="2"), settings("b"))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, []), "it is ours since then"


async def test_a_consent_is_to_the_object_that_was_there(instance: Instance):
    await instance.send("POST", "v1 configmaps", settings("a", theirs="1"))
    wanted = (settings("a", ours="1"), settings("b"))
    asked = await instance.sync(*wanted)
    assert [(q.deed, q.ref.name) for q in asked.questions] == [(Deed.ADOPT, "a")]
    assert asked.questions[0].uid == (await instance.get(MAP))["metadata"]["uid"]

    await instance.send("DELETE", MAP, None)
    await instance.send("POST", "v1 configmaps", settings("a", theirs="2"))
    again = await instance.resync(*wanted, answers=asked)
    assert (again.actuation, codes(again)) == (Actuation.FAILED, ["DST430"]), "another of that name"
    assert (await instance.get(MAP))["data"] == {"theirs": "2"}
    report = await instance.resync(*wanted, answers=again)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST429"])
    assert (await instance.get(MAP))["data"] == {"theirs": "2", "ours": "1"}


async def test_one_consent_names_whose_fields_are_taken_with_the_object(instance: Instance):
    await instance.send("POST", "v1 configmaps?fieldManager=their-tool", settings("a", key="1"))
    asked = await instance.sync(settings("a", key="2"))
    (question,) = asked.questions
    assert (question.deed, question.over) == (Deed.ADOPT, ("their-tool",))
    merge = {"kind": "application/merge-patch+json"}
    edit = f"{MAP}?fieldManager=somebody-else"
    await instance.send("PATCH", edit, {"data": {"key": "3"}}, **merge)
    again = await instance.resync(settings("a", key="2"), answers=asked)
    assert (again.actuation, codes(again)) == (Actuation.FAILED, ["DST430"])
    assert again.questions[0].over == ("somebody-else",)
    report = await instance.resync(settings("a", key="2"), answers=again)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST429"])
    assert (await instance.get(MAP))["data"] == {"key": "2"}


async def test_by_the_packages_word(instance: Instance):
    await instance.send("POST", "v1 configmaps", settings("a", theirs="1"))
    wanted = settings("a", ours="1")
    wanted["metadata"]["annotations"] = {"distributor.dev/adopt": "existing"}
    report = await instance.sync(wanted)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, ["DST429"])


async def test_what_was_not_taken_over_stays(instance: Instance):
    """The namespace that was there, and somebody's object in it."""
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": instance.namespace}}
    home["metadata"]["namespace"] = ""
    await instance.send("POST", "v1 configmaps", settings("a", theirs="1"))
    report = await instance.sync(home, settings("a"), settings("b"))
    assert codes(report) == ["DST430", "DST431"]
    report = await instance.remove()
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert (await instance.get(MAP))["data"] == {"theirs": "1"}
    assert await instance.get("v1 configmaps/b") == {}
    kept = await instance.inventory()
    assert kept is not None
    assert not kept.entries
