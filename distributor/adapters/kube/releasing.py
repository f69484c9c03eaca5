"""Releasing of objects that stay when their instance lets go of them, so that another can take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from distributor.adapters.kube.bodies import APPLIED, FIELD_MANAGER, live_object, version_of
from distributor.adapters.kube.deleting import metadata_of
from distributor.adapters.kube.discovery import Discovery, Resource, Served
from distributor.adapters.kube.messages import (
    CONFLICT,
    JSON_PATCH,
    METADATA_ONLY,
    NOT_FOUND,
    Request,
)
from distributor.adapters.kube.outcomes import failed
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.together import together
from distributor.adapters.kube.transport import Sender
from distributor.errors import DistributorError
from distributor.errors.cluster import ClusterUnreachable, MissingKind
from distributor.model.changes import Action, InventoryEntry, Outcome
from distributor.plan import HAND_OVER_MANAGER, RELEASE_MANAGER, RELEASED_BY, disowned, is_ours
from distributor.plan.dependencies import annotations_of
from distributor.render.applyset import PART_OF, applyset_id

_TRIES = 4
_OURS = frozenset({FIELD_MANAGER, HAND_OVER_MANAGER, RELEASE_MANAGER})


class Releaser:
    """Releases objects side by side, each in one write: label, digest and managed fields go together."""

    def __init__(self, transport: Sender, discovery: Discovery, limits: Limits) -> None:
        self._transport = transport
        self._discovery = discovery
        self._limits = limits

    async def release(
        self, instance: str, entries: Sequence[InventoryEntry]
    ) -> tuple[Outcome, ...]:
        """One outcome each, in order; raises ``ClusterUnreachable`` at the first sign of it."""
        if not entries:
            return ()
        served = await self._discovery.served()
        outcomes = (self._outcome(served, instance, entry) for entry in entries)
        return tuple(await together(outcomes, at_once=self._limits.concurrency))

    async def _outcome(self, served: Served, instance: str, entry: InventoryEntry) -> Outcome:
        try:
            await self._release(served, instance, entry)
        except ClusterUnreachable:
            raise
        except DistributorError as error:
            return failed(entry.ref, error)
        return Outcome(ref=entry.ref, action=Action.SKIPPED)

    async def _release(self, served: Served, instance: str, entry: InventoryEntry) -> None:
        resource = served.any_version(entry.ref.group_kind, version_of(entry.api_version))
        if resource is None:
            raise MissingKind(f"{entry.api_version} {entry.ref.kind} cannot be looked up.")
        path = resource.of(entry.ref)
        answer = None
        for _ in range(_TRIES):
            seen = await metadata_of(self._transport, path, entry.ref)
            patch = _patch(seen, instance, entry, resource) if seen is not None else None
            if patch is None:
                return
            answer = await self._transport.send(_request(path, patch))
            if answer.status == NOT_FOUND:
                return
            if answer.status != CONFLICT:
                break  # else it was written in between
        if answer is not None:
            answer.object(f"Releasing {entry.ref}")


def _patch(
    seen: Mapping[str, Any], instance: str, entry: InventoryEntry, resource: Resource
) -> list[dict[str, Any]] | None:
    """What takes us off an object, or ``None`` where nothing of ours is on it; bound to what was seen."""
    data = {"metadata": seen}
    there, owner = live_object(entry.ref, entry.api_version, data), applyset_id(instance)
    if there.owner != owner and not is_ours(there, owner, entry, entry.digest):
        return None
    if annotations_of(data).get(RELEASED_BY) == instance and not (there.owner or there.applied):
        return None
    labels = {k: v for k, v in (seen.get("labels") or {}).items() if k != PART_OF}
    notes = {k: v for k, v in (seen.get("annotations") or {}).items() if k != APPLIED}
    values = {
        "labels": labels,
        "annotations": {**notes, RELEASED_BY: instance},
        "managedFields": [*disowned(data, _OURS), _note(resource)],
        "resourceVersion": seen.get("resourceVersion"),
    }
    return [{"op": "add", "path": f"/metadata/{k}", "value": v} for k, v in values.items()]


def _note(resource: Resource) -> dict[str, Any]:
    """Who owns the note that says who released an object.

    An object without any managed fields would come to be owned, all of it, by whoever the server takes for
    its maker.
    """
    return {
        "manager": RELEASE_MANAGER,
        "operation": "Update",
        "apiVersion": f"{resource.group}/{resource.version}".removeprefix("/"),
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:annotations": {f"f:{RELEASED_BY}": {}}}},
    }


def _request(path: str, patch: list[dict[str, Any]]) -> Request:
    return Request(
        method="PATCH",
        path=path,
        query={"fieldManager": RELEASE_MANAGER},
        body=orjson.dumps(patch),
        content_type=JSON_PATCH,
        accept=METADATA_ONLY,
    )
