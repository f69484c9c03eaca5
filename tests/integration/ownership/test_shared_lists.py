"""Lists of custom resources whose entries have owners of their own: others' entries are no drift of ours."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from distributor.model.changes import Actuation
from tests.integration.ownership.conftest import APPLY, Site, named

pytestmark = pytest.mark.controlplane
GROUP = "lists.example.com"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PATH = f"{GROUP}/v1 gates/g"


def definition() -> dict[str, Any]:
    text = {"type": "string"}
    entry = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": text, "port": {"type": "integer"}},
    }
    spec = {
        "listeners": {
            "type": "array", "items": entry,
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"],
        },
        "tags": {"type": "array", "items": text, "x-kubernetes-list-type": "set"},
    }  # fmt: skip
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}}
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}
    }  # fmt: skip
    names = {"kind": "Gate", "plural": "gates", "singular": "gate", "listKind": "GateList"}
    return named(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"gates.{GROUP}",
        spec={"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    )  # fmt: skip


def gate(tags: list[str], **ports: int) -> dict[str, Any]:
    listeners = [{"id": name, "port": port} for name, port in ports.items()]
    return named(f"{GROUP}/v1", "Gate", "g", spec={"listeners": listeners, "tags": tags})


async def shared(site: Site) -> dict[str, Any]:
    """Ours, with an entry of another manager before each of ours."""
    send = site.plane.client.send
    path = f"{CRDS}/gates.{GROUP}?fieldManager=admin&force=true"
    await asyncio.to_thread(send, "PATCH", path, definition(), kind=APPLY)
    ours = gate(["ours"], b=1)
    for _ in range(100):  # until the new kind is discovered
        report = await site.sync(ours)
        if report.actuation is Actuation.APPLIED:
            break
        await asyncio.sleep(0.2)
    theirs = gate(["more"], a=2)
    theirs["metadata"]["namespace"] = site.namespace
    await site.send("PATCH", f"{PATH}?fieldManager=mesh", theirs, kind=APPLY)
    return ours


async def test_what_others_add_is_neither_drift_nor_written_over(site: Site):
    ours = await shared(site)
    before = await site.get(PATH)
    assert {e["id"] for e in before["spec"]["listeners"]} == {"a", "b"}
    report = await site.resync(ours)
    assert (report.actuation, report.drift, report.findings) == (Actuation.APPLIED, (), ())
    after = await site.get(PATH)
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_what_is_changed_in_ours_is_healed_and_theirs_stays(site: Site):
    ours = await shared(site)
    live = await site.get(PATH)
    listeners = [{"id": "a", "port": 2}]
    patch = {"spec": {"listeners": listeners, "tags": ["more"]}}
    await site.send(
        "PATCH",
        f"{PATH}?fieldManager=kubectl-edit",
        patch,
        kind="application/merge-patch+json",
    )
    planned = await site.plan(ours)
    told = {c.reason for c in planned.changes if c.ref.kind == "Gate"}
    assert told == {"drift: spec.listeners[id=b], spec.tags[=ours]"}
    await site.resync(ours)
    healed = await site.get(PATH)
    assert {e["id"]: e["port"] for e in healed["spec"]["listeners"]} == {"a": 2, "b": 1}
    assert set(healed["spec"]["tags"]) == set(live["spec"]["tags"]) == {"more", "ours"}
