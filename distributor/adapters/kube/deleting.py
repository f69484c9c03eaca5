"""Deletion of objects that are still ours, seen to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from distributor.adapters.kube.bodies import live_object, version_of
from distributor.adapters.kube.discovery import Discovery, Served
from distributor.adapters.kube.messages import (
    CONFLICT,
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
from distributor.errors.cluster import (
    ClusterUnreachable,
    DeletePending,
    MissingKind,
    NotOwned,
    ServerFault,
)
from distributor.model.changes import Action, InventoryEntry, Outcome
from distributor.model.refs import ObjectRef
from distributor.plan import is_ours
from distributor.render.applyset import applyset_id

_FIRST_PAUSE = 0.02
_TRIES = 4
"""A status written in between makes a guarded deletion stale; more often in a row is not to be expected."""


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
        uid = await self._asked(path, owner, entry)
        if uid:
            await self._confirm(path, entry.ref, uid)

    async def _asked(self, path: str, owner: str, entry: InventoryEntry) -> str:
        """Ask for the deletion; the uid that is to be seen gone, empty where nothing is there any more."""
        first = ""
        for _ in range(_TRIES):
            seen = await metadata_of(self._transport, path, entry.ref)
            if seen is None:
                return ""
            there = live_object(entry.ref, entry.api_version, {"metadata": seen})
            if there.owner != owner and not is_ours(there, owner, entry, entry.digest):
                raise NotOwned(f"{entry.ref} has the owner {there.owner!r}.")
            if first not in {"", there.uid}:
                raise ServerFault(f"{entry.ref} was made anew while it was deleted.")
            if seen.get("deletionTimestamp"):
                return there.uid
            first = there.uid
            answer = await self._send(path, seen)
            if answer.status != CONFLICT:  # else it was written in between: is it ours still?
                return "" if _is_done(answer, entry.ref) else there.uid
        raise ServerFault(f"Deleting {entry.ref}: somebody writes it all the time.")

    async def _send(self, path: str, seen: Mapping[str, Any]) -> Answer:
        """Ask for the deletion of what was seen, as it was seen: by then another may have taken it."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {name: seen.get(name) for name in ("uid", "resourceVersion")},
        }
        return await self._transport.send(
            Request(method="DELETE", path=path, body=orjson.dumps(body), accept=METADATA_ONLY)
        )

    async def _confirm(self, path: str, ref: ObjectRef, uid: str) -> None:
        """See the object gone: only then may the inventory forget it."""
        pause, waited = _FIRST_PAUSE, 0.0
        while (seen := await metadata_of(self._transport, path, ref)) is not None and seen.get(
            "uid"
        ) == uid:
            if waited >= self._limits.confirm:
                holders = ", ".join(seen.get("finalizers") or ()) or "none"
                raise DeletePending(f"{ref} (finalizers: {holders}).")
            await asyncio.sleep(pause)
            waited, pause = waited + pause, pause * 2


async def metadata_of(transport: Sender, path: str, ref: ObjectRef) -> Mapping[str, Any] | None:
    """An object's metadata, ``None`` where it is gone; raises ``MissingKind`` where that cannot be known."""
    answer = await transport.send(Request(method="GET", path=path, accept=METADATA_ONLY))
    if answer.status == NOT_FOUND and _gone(answer, ref):
        return None
    metadata: Mapping[str, Any] = answer.object(f"Reading {ref}").get("metadata") or {}
    return metadata


def _is_done(answer: Answer, ref: ObjectRef) -> bool:
    """Whether the server says that the deletion is done: a ``Status``, no object."""
    if answer.status == NOT_FOUND:
        return _gone(answer, ref)
    said = answer.object(f"Deleting {ref}")
    return (said.get("kind"), said.get("status")) == ("Status", "Success")


def _gone(answer: Answer, ref: ObjectRef) -> bool:
    """True for a 404 that names the object; raises ``MissingKind`` where the path may be what is gone."""
    if not proves_absence(answer, ref.name):
        raise MissingKind(f"{ref}: its API neither shows it nor says that it is gone.")
    return True
