"""Races around field owners: what is written is bound to what was looked at, and looked at again if it moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from distributor.adapters.kube.messages import APPLY, JSON_PATCH, Answer, Request
from distributor.adapters.kube.owning import forced, prepare
from distributor.errors.cluster import ServerFault
from distributor.model.manifest import Manifest
from distributor.model.ownership import Claim

PATH = "/apis/apps/v1/namespaces/shop/deployments/web"
CLIENT, QUERY = "kubectl-client-side-apply", {"fieldManager": "distributor", "force": "false"}
WEB = Manifest.of(
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
    }
)
BODY = orjson.dumps({"metadata": {"name": "web"}, "spec": {"a": 1}})


class Script:
    """A server that answers by a function, and keeps what it was asked; versions count its reads."""

    def __init__(self, answer: Callable[[Request, int], Answer]) -> None:
        self._answer = answer
        self.asked: list[Request] = []
        self.reads = 0

    async def send(self, request: Request) -> Answer:
        self.asked.append(request)
        self.reads += request.method == "GET"
        return self._answer(request, self.reads)

    def bodies(self, kind: str) -> list[Any]:
        return [
            orjson.loads(r.body or b"") for r in self.asked if r.content_type == kind and r.body
        ]


def ok(**body: Any) -> Answer:
    return Answer(status=200, body=orjson.dumps(body))


def stale() -> Answer:
    body = {"kind": "Status", "reason": "Conflict", "message": "the object has been modified"}
    return Answer(status=409, body=orjson.dumps(body))


def held_by(*managers: str) -> Answer:
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{m}"', "field": ".spec.a"}
        for m in managers
    ]
    return Answer(status=409, body=orjson.dumps({"kind": "Status", "details": {"causes": causes}}))


def web(version: int, manager: str = CLIENT) -> Answer:
    entry = {
        "manager": manager, "operation": "Update", "apiVersion": "apps/v1",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
    }  # fmt: skip
    metadata = {"name": "web", "resourceVersion": str(version), "managedFields": [entry]}
    return ok(metadata=metadata, spec={"replicas": 5})


TAKES = Claim(takes=frozenset({CLIENT}), hands_over=(("spec", "replicas"),))


async def test_what_moved_in_between_is_looked_at_again():
    """A status that is written between the look and the write costs one more look."""

    def answer(request: Request, reads: int) -> Answer:
        if request.method == "GET":
            return web(reads)
        return stale() if request.content_type == JSON_PATCH and reads < 3 else web(reads)

    script = Script(answer)
    await prepare(script, PATH, WEB, TAKES)
    versions = [patch[1]["value"] for patch in script.bodies(JSON_PATCH)]
    assert versions == ["1", "2", "3"]
    (handed,) = script.bodies(APPLY)
    assert handed["spec"] == {"replicas": 5}
    assert handed["metadata"] == {"name": "web", "namespace": "shop"}


async def test_what_never_holds_still_is_tried_again_later():
    script = Script(lambda request, reads: web(reads) if request.method == "GET" else stale())
    with pytest.raises(ServerFault):
        await prepare(script, PATH, WEB, TAKES)
    assert script.reads == 4


async def test_an_object_that_is_gone_has_no_owners():
    script = Script(lambda _request, _reads: Answer(status=404, body=b"{}"))
    await prepare(script, PATH, WEB, TAKES)
    assert len(script.asked) == 1


async def test_nothing_to_move_is_nothing_to_write():
    script = Script(lambda _request, reads: web(reads, "op"))
    await prepare(script, PATH, WEB, Claim(takes=frozenset({CLIENT})))
    assert [r.method for r in script.asked] == ["GET"]


async def test_force_is_bound_to_the_conflicts_that_were_seen():
    def answer(request: Request, reads: int) -> Answer:
        if request.method == "GET":
            return web(reads)
        return ok() if request.query["force"] == "true" else held_by("op")

    script = Script(answer)
    done = await forced(script, PATH, QUERY, BODY, Claim(over=frozenset({"op"})))
    assert done is not None
    assert done.good
    first, second = script.bodies(APPLY)
    assert first == second
    assert first["metadata"]["resourceVersion"] == "1"


async def test_somebody_who_came_in_between_is_not_forced_over():
    def answer(request: Request, reads: int) -> Answer:
        if request.method == "GET":
            return web(reads)
        if request.query["force"] == "true":
            return stale()
        return held_by("op") if reads == 1 else held_by("op", "somebody")

    script = Script(answer)
    assert await forced(script, PATH, QUERY, BODY, Claim(over=frozenset({"op"}))) is None
    assert [r.query["force"] for r in script.asked if r.body] == ["false", "true", "false"]


async def test_a_conflict_that_went_away_needs_no_force():
    script = Script(lambda request, reads: web(reads) if request.method == "GET" else ok())
    done = await forced(script, PATH, QUERY, BODY, Claim(over=frozenset({"op"})))
    assert done is not None
    assert [r.query.get("force") for r in script.asked if r.body] == ["false"]


async def test_an_object_that_went_away_is_not_forced_into_being():
    script = Script(lambda _request, _reads: Answer(status=404, body=b"{}"))
    assert await forced(script, PATH, QUERY, BODY, Claim(over=frozenset({"op"}))) is None
