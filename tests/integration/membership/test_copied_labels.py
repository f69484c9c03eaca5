"""An operator copies labels and annotations to what it makes; that makes nothing of it the instance's."""

from __future__ import annotations

import pytest

from distributor.model.changes import Actuation
from tests.integration.membership.conftest import Instance, codes, settings

pytestmark = pytest.mark.controlplane
COPY = "v1 configmaps/copy"


async def copied(instance: Instance) -> None:
    """What an operator makes of `a`: another name, the same labels and annotations, its own manager."""
    found = await instance.get("v1 configmaps/a")
    notes = {k: found["metadata"][k] for k in ("labels", "annotations")}
    made = {**settings("copy", made="by operator"), "metadata": {"name": "copy", **notes}}
    await instance.send("POST", "v1 configmaps?fieldManager=an-operator", made)


async def test_a_copy_is_neither_pruned_nor_in_the_way_of_a_removal(instance: Instance):
    await instance.sync(settings("a"), settings("b"))
    await copied(instance)
    assert codes(await instance.sync(settings("a"))) == []
    report = await instance.remove()
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert (await instance.get(COPY))["data"] == {"made": "by operator"}


async def test_a_copy_is_taken_over_only_if_somebody_says_so(instance: Instance):
    await instance.sync(settings("a"))
    await copied(instance)
    report = await instance.sync(settings("a"), settings("copy", ours="1"))
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST430"])
    assert "an-operator" in report.findings[0].message
    for told in (["DST418"], []):  # once: then it is forgotten
        report = await instance.sync(settings("a"))
        assert (report.actuation, codes(report)) == (Actuation.APPLIED, told)
        assert (await instance.get(COPY))["data"] == {"made": "by operator"}


async def test_what_a_backup_brought_back_is_the_instances_still(instance: Instance):
    """Another uid, another manager, and the digest of what was applied."""
    await instance.sync(settings("a", one="1"))
    found = await instance.get("v1 configmaps/a")
    await instance.send("DELETE", "v1 configmaps/a", None)
    kept = {k: found["metadata"][k] for k in ("name", "labels", "annotations")}
    await instance.send(
        "POST", "v1 configmaps?fieldManager=backup", {**settings("a", one="1"), "metadata": kept}
    )
    report = await instance.resync(settings("a", one="1"))
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
