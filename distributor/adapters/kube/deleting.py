"""Deletion of objects that are still ours, seen to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from distributor.adapters.kube.bodies import live_object, version_of
from distributor.adapters.kube.discovery import Discovery, Served
from distributor.adapters.kube.messages import (
    METADATA_ONLY,
    NOT_FOUND,
    Answer,
    Request,
    proves_absence,
)
from distributor.adapters.kube.outcomes import failed
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.together import together
from distributor.adapters.kube.transport import Sender
from distributor.errors import DistributorError
from distributor.errors.cluster import ClusterUnreachable, DeletePending, MissingKind, NotOwned
from distributor.model.changes import Action, InventoryEntry, Outcome
from distributor.model.refs import ObjectRef
from distributor.plan import is_ours
from distributor.render.applyset import applyset_id

_FIRST_PAUSE = 0.02


class Deleter:
    """Deletes objects side by side, each only in the state in which it was seen to be ours."""

    def __init__(self, transport: Sender, discovery: Discovery, limits: Limits) -> None:
        self._transport = transport
        self._discovery = discovery
        self._limits = limits

    async def delete(self, instance: str, entries: Sequence[InventoryEntry]) -> tuple[Outcome, ...]:
        """One outcome each, in order; raises ``ClusterUnreachable`` at the first sign of it."""
        if not entries:
            return ()
        served = await self._discovery.served()
        if any(served.any_version(e.ref.group_kind, "") is None for e in entries):
            served = await self._discovery.refresh(served)
        owner = applyset_id(instance)
        outcomes = (self._outcome(served, owner, entry) for entry in entries)
        return tuple(await together(outcomes, at_once=self._limits.concurrency))

    async def _outcome(self, served: Served, owner: str, entry: InventoryEntry) -> Outcome:
        try:
            await self._delete_somewhere(served, owner, entry)
        except ClusterUnreachable:
            raise
        except DistributorError as error:
            return failed(entry.ref, error)
        return Outcome(ref=entry.ref, action=Action.PRUNED)

    async def _delete_somewhere(self, served: Served, owner: str, entry: InventoryEntry) -> None:
        """Delete it in a version that is served: the one that was known may be gone, and the object not."""
        try:
            await self._delete(served, owner, entry)
        except MissingKind:
            await self._delete(await self._discovery.refresh(served), owner, entry)

    async def _delete(self, served: Served, owner: str, entry: InventoryEntry) -> None:
        resource = served.any_version(entry.ref.group_kind, version_of(entry.api_version))
        if resource is None:
            if served.stale:  # the kind may be there, behind a server that does not answer
                raise MissingKind(f"{entry.api_version} {entry.ref.kind} cannot be looked up.")
            return  # objects go with the definition of their kind
        path = resource.of(entry.ref)
        seen = await self._metadata(path, entry.ref)
        if seen is None:
            return
        there = live_object(entry.ref, entry.api_version, {"metadata": seen})
        if there.owner != owner and not is_ours(there, owner, entry, entry.digest):
            raise NotOwned(f"{entry.ref} has the owner {there.owner!r}.")
        uid = str(seen.get("uid", ""))
        if seen.get("deletionTimestamp") or not await self._send(path, entry.ref, uid):
            await self._confirm(path, entry.ref, uid)

    async def _send(self, path: str, ref: ObjectRef, uid: str) -> bool:
        """Ask for the deletion; True where the server says that it is done: a ``Status``, no object."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        answer = await self._transport.send(
            Request(method="DELETE", path=path, body=orjson.dumps(body), accept=METADATA_ONLY)
        )
        if answer.status == NOT_FOUND:
            return _gone(answer, ref)
        said = answer.object(f"Deleting {ref}")
        return (said.get("kind"), said.get("status")) == ("Status", "Success")

    async def _confirm(self, path: str, ref: ObjectRef, uid: str) -> None:
        """See the object gone: only then may the inventory forget it."""
        pause, waited = _FIRST_PAUSE, 0.0
        while (seen := await self._metadata(path, ref)) is not None and seen.get("uid") == uid:
            if waited >= self._limits.confirm:
                holders = ", ".join(seen.get("finalizers") or ()) or "none"
                raise DeletePending(f"{ref} (finalizers: {holders}).")
            await asyncio.sleep(pause)
            waited, pause = waited + pause, pause * 2

    async def _metadata(self, path: str, ref: ObjectRef) -> Mapping[str, Any] | None:
        answer = await self._transport.send(Request(method="GET", path=path, accept=METADATA_ONLY))
        if answer.status == NOT_FOUND and _gone(answer, ref):
            return None
        metadata: Mapping[str, Any] = answer.object(f"Reading {ref}").get("metadata") or {}
        return metadata


def _gone(answer: Answer, ref: ObjectRef) -> bool:
    """True for a 404 that names the object; raises ``MissingKind`` where the path may be what is gone."""
    if not proves_absence(answer, ref.name):
        raise MissingKind(f"{ref}: its API neither shows it nor says that it is gone.")
    return True
