"""What is done about the owners of one object's fields: managed fields moved, fields handed over, conflicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from distributor.adapters.kube.messages import (
    APPLY,
    CONFLICT,
    JSON_PATCH,
    METADATA_ONLY,
    NOT_FOUND,
    Answer,
    Request,
    holders,
)
from distributor.adapters.kube.transport import Sender
from distributor.errors.cluster import ChangedMeanwhile
from distributor.model.manifest import Manifest
from distributor.model.ownership import Claim
from distributor.plan import HAND_OVER_MANAGER, handed_over, rewritten

_TRIES = 4
"""A status written in between makes a guarded write stale; more often in a row is not to be expected."""


async def prepare(transport: Sender, path: str, manifest: Manifest, claim: Claim) -> Claim:
    """Do what a claim asks for before the object itself is applied; raises the errors of the API.

    Nothing of the object changes here but who owns what, so a crash after it loses nothing. The claim that
    is left is bound to the object as it is then, if it was bound to one.
    """
    live = await _taken(transport, path, manifest, claim)
    if live is not None and claim.hands_over:
        fields = handed_over(live, claim.hands_over)
        live = await _hand_over(transport, path, manifest, fields) or live
    if live is None or claim.seen is None:
        return claim
    return replace(claim, seen=_version(live))


async def _taken(
    transport: Sender, path: str, manifest: Manifest, claim: Claim
) -> dict[str, Any] | None:
    """The live object with its managed fields moved, or ``None`` where it is gone."""
    stale = None
    for _ in range(_TRIES):
        live = await _live(transport, path, manifest)
        if claim.seen is not None and (_version(live) if live else "") != claim.seen:
            raise ChangedMeanwhile(f"({manifest.ref})")
        managed = rewritten(live, claim, manifest.api_version) if live is not None else None
        if live is None or managed is None:
            return live
        stale = await transport.send(_moved(path, live, managed))
        if stale.status != CONFLICT:
            return stale.object(f"Taking over fields of {manifest.ref}")
    return stale.object(f"Taking over fields of {manifest.ref}") if stale else None


async def forced(
    transport: Sender, path: str, query: Mapping[str, str], body: bytes, claim: Claim
) -> Answer | None:
    """Apply over conflicts with the managers that a claim allows, or ``None`` where there are others.

    The resourceVersion binds the forced write to the very conflicts that were looked at.
    """
    answer = None
    for _ in range(_TRIES):
        seen = await transport.send(Request(method="GET", path=path, accept=METADATA_ONLY))
        if seen.status == NOT_FOUND:
            return None
        version = _version(seen.object("Reading what is in conflict"))
        if claim.seen not in {None, version}:
            raise ChangedMeanwhile(f"(before its fields were taken: {path})")
        guarded = orjson.loads(body)
        guarded["metadata"]["resourceVersion"] = version
        bound = orjson.dumps(guarded)
        answer = await transport.send(_apply(path, query, bound))
        if answer.status != CONFLICT:
            return answer
        found = holders(answer)
        if not found:
            continue  # somebody wrote it in between
        if not found <= claim.over:
            return None
        answer = await transport.send(_apply(path, {**query, "force": "true"}, bound))
        if answer.status != CONFLICT:
            return answer
    return answer


async def _live(transport: Sender, path: str, manifest: Manifest) -> dict[str, Any] | None:
    answer = await transport.send(Request(method="GET", path=path))
    return None if answer.status == NOT_FOUND else answer.object(f"Reading {manifest.ref}")


async def _hand_over(
    transport: Sender, path: str, manifest: Manifest, fields: dict[str, Any]
) -> dict[str, Any] | None:
    if not fields:
        return None
    identity = {"name": manifest.ref.name}
    if manifest.ref.namespace:
        identity["namespace"] = manifest.ref.namespace
    metadata = {**fields.get("metadata", {}), **identity}
    body = {"apiVersion": manifest.api_version, "kind": manifest.ref.kind, **fields}
    query = {"fieldManager": HAND_OVER_MANAGER, "force": "false"}
    request = _apply(path, query, orjson.dumps({**body, "metadata": metadata}))
    return (await transport.send(request)).object(f"Handing over fields of {manifest.ref}")


def _version(live: Mapping[str, Any]) -> str:
    return str(live["metadata"]["resourceVersion"])


def _moved(path: str, live: Mapping[str, Any], managed: list[Any]) -> Request:
    patch = [
        {"op": "replace", "path": "/metadata/managedFields", "value": managed},
        {"op": "replace", "path": "/metadata/resourceVersion",
         "value": live["metadata"]["resourceVersion"]},
    ]  # fmt: skip
    return Request(method="PATCH", path=path, body=orjson.dumps(patch), content_type=JSON_PATCH)


def _apply(path: str, query: Mapping[str, str], body: bytes) -> Request:
    return Request(
        method="PATCH", path=path, query=query, body=body, content_type=APPLY, accept=METADATA_ONLY
    )
