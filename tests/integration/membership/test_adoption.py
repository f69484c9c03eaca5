"""What is there already becomes an instance's own only if somebody says so."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
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
