"""Short ways to make objects, inventories and live objects; and a target that takes a plan literally."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from distributor.model.changes import (
    Action,
    ApplyPlan,
    ChangeSet,
    Inventory,
    InventoryEntry,
    LiveObject,
)
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import Digest, ObjectRef

OWNER = "applyset-ours-v1"
_VERSIONS = {
    "": "v1",
    "apps": "apps/v1",
    "batch": "batch/v1",
    "apiextensions.k8s.io": "apiextensions.k8s.io/v1",
}


def obj(ref: str, **body: object) -> dict[str, Any]:
    """An object by its written reference; ``annotations`` go where they belong."""
    parsed = ObjectRef.parse(ref)
    metadata: dict[str, Any] = {"name": parsed.name}
    if parsed.namespace:
        metadata["namespace"] = parsed.namespace
    if "annotations" in body:
        metadata["annotations"] = body.pop("annotations")
    version = _VERSIONS.get(parsed.group, f"{parsed.group}/v1")
    return {"apiVersion": version, "kind": parsed.kind, "metadata": metadata, **body}


def manifest(ref: str, **body: object) -> Manifest:
    return Manifest.of(obj(ref, **body))


def manifests(*refs: str | Manifest) -> ManifestSet:
    return ManifestSet.of(manifest(r) if isinstance(r, str) else r for r in refs)


def crd(group: str, kind: str) -> Manifest:
    spec = {"group": group, "names": {"kind": kind}}
    name = f"{kind.lower()}s.{group}"
    return manifest(f"apiextensions.k8s.io/CustomResourceDefinition//{name}", spec=spec)


def entry(ref: str, uid: str = "", digest: str = "") -> InventoryEntry:
    return InventoryEntry(
        ref=ObjectRef.parse(ref), api_version="v1", digest=Digest(digest), uid=uid
    )


def inventory(*entries: InventoryEntry, sequence: int = 0) -> Inventory:
    return Inventory(
        environment="sit",
        instance="shop",
        cluster="one",
        sequence=sequence,
        entries={e.ref: e for e in entries},
    )


def live(
    ref: str,
    *,
    uid: str = "u",
    applied: str = "",
    owner: str = OWNER,
    data: Mapping[str, Any] | None = None,
) -> LiveObject:
    return LiveObject(
        ref=ObjectRef.parse(ref),
        api_version="v1",
        uid=uid,
        applied=Digest(applied),
        owner=owner,
        data=data or {},
    )


def mirrored(wanted: Manifest, uid: str = "") -> LiveObject:
    """The object as a target shows it just after we applied it."""
    return LiveObject(
        ref=wanted.ref,
        api_version=wanted.api_version,
        uid=uid or f"uid-{wanted.ref}",
        applied=wanted.digest,
        owner=OWNER,
        data=wanted.data(),
    )


def by_ref(objects: Iterable[LiveObject]) -> dict[ObjectRef, LiveObject]:
    return {o.ref: o for o in objects}


def carried_out(
    plan: ApplyPlan, there: Mapping[ObjectRef, LiveObject]
) -> dict[ObjectRef, LiveObject]:
    """What the target holds after a plan."""
    after = dict(there)
    for phase in plan.phases:
        for group in phase.groups:
            for wanted in group.manifests:
                after[wanted.ref] = mirrored(wanted)
    for group_of_entries in plan.prune:
        for gone in group_of_entries:
            after.pop(gone.ref, None)
    return after


def said(changes: ChangeSet) -> list[tuple[str, Action, str]]:
    """References, actions and reasons, to compare at a glance."""
    return [(str(c.ref), c.action, c.reason) for c in changes.changes]
