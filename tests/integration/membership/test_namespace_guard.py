"""A Namespace that goes takes everything in it along: what is not ours is named first, and goes by consent."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import Actuation, TargetReport
from distributor.model.consents import Deed
from distributor.model.tags import Verb
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import named

pytestmark = pytest.mark.controlplane


def within(home: str, body: dict[str, Any]) -> dict[str, Any]:
    body["metadata"]["namespace"] = home
    return body


def namespace(name: str) -> dict[str, Any]:
    return within("", named("v1", "Namespace", name))


def stateful() -> dict[str, Any]:
    asks = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    labels = {"app": "db"}
    containers = [{"name": "db", "image": "db:1"}]
    pod = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {
        "serviceName": "db", "selector": {"matchLabels": labels}, "template": pod,
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": asks}],
    }  # fmt: skip
    return named("apps/v1", "StatefulSet", "db", spec=spec)


async def removed(instance: Instance, *agreed: Verb, **how: Any) -> TargetReport:
    report = await instance.remove(*agreed, **how)
    while codes(report) == ["DST419"]:  # the controllers empty it
        report = await instance.remove(*agreed, **how)
    return report


async def test_the_volumes_of_a_stateful_set(instance: Instance):
    """Its controller makes them, so no inventory names them; they outlive the StatefulSet, and not the Namespace."""
    home = f"{instance.namespace}-data"
    await instance.sync(namespace(home), within(home, stateful()))
    claims = f"/api/v1/namespaces/{home}/persistentvolumeclaims"
    while not (await instance.root("GET", claims))["items"]:
        await instance.resync(namespace(home), within(home, stateful()))

    for _ in range(2):
        report = await removed(instance)
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
        assert f"PersistentVolumeClaim/{home}/data-db-0" in report.findings[0].message
    (claim,) = (await instance.root("GET", claims))["items"]
    assert "deletionTimestamp" not in claim["metadata"]

    report = await removed(instance, Verb.CONSENT)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    assert not (await instance.root("GET", claims))["items"]


async def test_what_somebody_made_by_hand(instance: Instance):
    home = f"{instance.namespace}-home"
    ours = (namespace(home), within(home, settings("ours")))
    await instance.sync(*ours)
    maps = f"/api/v1/namespaces/{home}/configmaps"
    await instance.root("POST", maps, within(home, settings("notes")))
    report = await removed(instance)
    assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST409"])
    assert f"ConfigMap/{home}/notes" in report.findings[0].message
    assert f"ConfigMap/{home}/ours" not in report.findings[0].message
    there = {item["metadata"]["name"] for item in (await instance.root("GET", maps))["items"]}
    assert "notes" in there

    await instance.root("DELETE", f"{maps}/notes")
    report = await removed(instance)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])


async def test_a_consent_is_to_what_was_in_it(instance: Instance):
    """What comes in later is asked about anew; that something went since is no reason to ask again."""
    home = f"{instance.namespace}-home"
    await instance.sync(namespace(home), within(home, settings("ours")))
    maps = f"/api/v1/namespaces/{home}/configmaps"
    for name in ("notes", "draft"):
        await instance.root("POST", maps, within(home, settings(name)))
    asked = await removed(instance)
    (question,) = asked.questions
    assert (question.deed, question.ref.name) == (Deed.DELETE, home)
    named = {name.partition("@")[0] for name in question.over}
    assert named == {f"ConfigMap/{home}/notes", f"ConfigMap/{home}/draft"}

    await instance.root("DELETE", f"{maps}/draft")
    await instance.root("POST", maps, within(home, settings("late")))
    again = await removed(instance, answers=asked)
    assert (again.actuation, codes(again)) == (Actuation.FAILED, ["DST409"])
    await instance.root("DELETE", f"{maps}/late")
    report = await removed(instance, answers=asked)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])


async def test_an_empty_one_goes_by_itself(instance: Instance):
    """What every Namespace holds from its birth on, and the pods of our own workloads, keep it from nothing."""
    home = f"{instance.namespace}-plain"
    await instance.sync(namespace(home), within(home, settings("ours")))
    while not (await instance.root("GET", f"/api/v1/namespaces/{home}/serviceaccounts"))["items"]:
        await instance.resync(namespace(home), within(home, settings("ours")))
    report = await removed(instance)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
