"""A definition that has just been applied: its objects are tried until the server goes by the new schema."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import orjson

from distributor.adapters.kube.applying import Applier
from distributor.adapters.kube.discovery import Discovery, Served, read
from distributor.adapters.kube.messages import Answer, Request
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.transport import Transport
from distributor.model.changes import Action
from distributor.model.manifest import Manifest

REFUSAL = "failed to create typed patch object (n/w; e.com/v1, Kind=Widget): .spec.b: field not declared in schema"
LIMITS = replace(Limits(), establish=0.1)


class Server:
    """Refuses widgets so many times, and takes all else."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.asked = 0

    async def send(self, request: Request) -> Answer:
        if "widgets/" not in request.path:
            return Answer(status=200, body=b'{"metadata": {}}')
        self.asked += 1
        if self.asked > self.refusals:
            return Answer(status=200, body=b'{"metadata": {}}')
        body = {"kind": "Status", "code": 500, "message": REFUSAL}
        return Answer(status=500, body=orjson.dumps(body))

    async def served(self) -> Served:
        def items(group: str, resource: str, kind: str) -> dict[str, Any]:
            found = {"resource": resource, "scope": "Cluster", "responseKind": {"kind": kind}}
            return {
                "metadata": {"name": group},
                "versions": [{"version": "v1", "resources": [found]}],
            }

        crd = items("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition")
        known = [crd, items("e.com", "widgets", "Widget")]
        return read({"kind": "APIGroupDiscoveryList", "items": known})


def widget() -> Manifest:
    metadata = {"name": "w"}
    return Manifest.of({"apiVersion": "e.com/v1", "kind": "Widget", "metadata": metadata})


def definition() -> Manifest:
    return Manifest.of(
        {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.e.com"},
            "spec": {"group": "e.com", "names": {"kind": "Widget"}},
        }
    )  # fmt: skip


def applier(server: Server) -> Applier:
    return Applier(cast("Transport", server), cast("Discovery", server), LIMITS)


async def test_the_new_schema_is_waited_for():
    server = Server(refusals=2)
    made = applier(server)
    await made.apply([definition()])
    (outcome,) = await made.apply([widget()])
    assert (outcome.action, server.asked) == (Action.CONFIGURED, 3)


async def test_what_stays_refused_is_waited_for_once():
    server = Server(refusals=99)
    made = applier(server)
    await made.apply([definition()])
    for most in (99, 1):
        before = server.asked
        (outcome,) = await made.apply([widget()])
        assert outcome.error is not None
        assert (outcome.error.code, outcome.retryable) == ("DST402", False)
        assert server.asked - before <= most
    assert server.asked > 2


async def test_without_a_new_definition_nothing_is_waited_for():
    server = Server(refusals=1)
    (outcome,) = await applier(server).apply([widget()])
    assert (outcome.error is not None, server.asked) == (True, 1)
