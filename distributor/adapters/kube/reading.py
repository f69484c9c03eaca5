"""Reading what a cluster holds: by list where many of a kind are asked for, else one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distributor.adapters.kube.bodies import live_object, version_of
from distributor.adapters.kube.discovery import Discovery, Resource, Served, addressable
from distributor.adapters.kube.messages import (
    NOT_FOUND,
    TOO_MANY,
    Request,
    error_of,
    proves_absence,
)
from distributor.adapters.kube.presence import Lately, Listing, present
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.together import together
from distributor.adapters.kube.transport import Sender
from distributor.errors import DistributorError, Where
from distributor.errors.cluster import ClusterUnreachable, MissingKind, Throttled
from distributor.model.changes import InventoryEntry, LiveObject
from distributor.model.findings import Finding
from distributor.model.refs import ObjectRef
from distributor.render.applyset import PART_OF


@dataclass(frozen=True, slots=True)
class _Group:
    resource: Resource
    api_version: str
    namespace: str


class Reader:
    """Reads live objects. Kinds, namespaces and objects that are not there are simply absent.

    What cannot be read stands there with the error: a right that is missing, a conversion webhook that is
    down, an API that does not answer stop the objects of that kind alone.
    """

    def __init__(
        self,
        transport: Sender,
        discovery: Discovery,
        limits: Limits,
        lately: Lately | None = None,
    ) -> None:
        self._transport = transport
        self._discovery = discovery
        self._limits = limits
        self._lately = lately

    async def read(
        self, entries: Sequence[InventoryEntry], *, new: bool = False
    ) -> dict[ObjectRef, LiveObject]:
        """Those of the objects that exist, and those of which nobody can tell.

        ``new`` ones may have been looked for a moment ago.
        """
        served = await self._discovery.served()
        if any(
            served.any_version(e.ref.group_kind, version_of(e.api_version)) is None for e in entries
        ):
            served = await self._discovery.refresh(served)
        found, unproven = await self._read(served, entries, self._lately if new else None)
        if unproven:  # their version may be gone, and the objects be there in another one
            again = [e for e in entries if e.ref in unproven]
            more, unproven = await self._read(await self._discovery.refresh(served), again)
            found |= more
        found |= _hidden(await self._discovery.served(), entries)
        versions = {e.ref: e.api_version for e in entries}
        for ref in unproven:
            error = MissingKind(f"{ref}: its API neither shows it nor says that it is gone.")
            found[ref] = _unreadable(ref, versions[ref], error)
        return found

    async def _read(
        self, served: Served, entries: Iterable[InventoryEntry], lately: Lately | None = None
    ) -> tuple[dict[ObjectRef, LiveObject], frozenset[ObjectRef]]:
        """What is there; and what a server without its path said is not."""
        groups = self._groups(served, entries)
        read = await together(self._group(g, refs, lately) for g, refs in groups.items())
        both = [each for group in read for each in group]
        found = {each.ref: each for each in both if isinstance(each, LiveObject)}
        return found, frozenset(each for each in both if isinstance(each, ObjectRef))

    def _groups(
        self, served: Served, entries: Iterable[InventoryEntry]
    ) -> dict[_Group, list[ObjectRef]]:
        groups: dict[_Group, list[ObjectRef]] = defaultdict(list)
        for entry in entries:
            resource = served.any_version(entry.ref.group_kind, version_of(entry.api_version))
            if resource is not None and addressable(entry.ref):
                resource.check_within(entry.ref, self._limits.namespaces)
                api_version = f"{resource.group}/{resource.version}".removeprefix("/")
                namespace = entry.ref.namespace if resource.namespaced else ""
                groups[_Group(resource, api_version, namespace)].append(entry.ref)
        return groups

    async def _group(
        self, group: _Group, refs: list[ObjectRef], lately: Lately | None
    ) -> list[LiveObject | ObjectRef]:
        found: dict[ObjectRef, LiveObject] = {}
        if len(refs) > self._limits.singly:
            found = await self._listed(group, frozenset(refs))
        # What the list did not show may be there without our label, or with another owner's.
        missing = await self._there(group, [ref for ref in refs if ref not in found], lately)
        others = await together(self._one_or_why(group, ref) for ref in missing)
        return [*found.values(), *(one for one in others if one is not None)]

    async def _there(
        self, group: _Group, refs: list[ObjectRef], lately: Lately | None
    ) -> list[ObjectRef]:
        """Those of the objects that may be there: on a first install none is, and one list says so."""
        path = group.resource.path(group.namespace)
        listing = Listing(path=path, group=group.resource.group, namespace=group.namespace)
        known = await lately.present(self._transport, listing, len(refs)) if lately else None
        if known is None:
            known = await present(self._transport, listing, len(refs), self._limits)
        if known is None:
            return refs
        namespaced = group.resource.namespaced
        made = lately if lately is not None else frozenset[ObjectRef]()
        return [
            ref
            for ref in refs
            if (ref.namespace if namespaced else "", ref.name) in known or ref in made
        ]

    async def _one_or_why(self, group: _Group, ref: ObjectRef) -> LiveObject | ObjectRef | None:
        try:
            return await self._one(group, ref)
        except (ClusterUnreachable, Throttled):  # that is of the whole cluster
            raise
        except DistributorError as error:
            return _unreadable(ref, group.api_version, error)

    async def _one(self, group: _Group, ref: ObjectRef) -> LiveObject | ObjectRef | None:
        """The object; ``None`` where it is not there; its reference where nobody can tell by this path."""
        answer = await self._transport.send(Request(method="GET", path=group.resource.of(ref)))
        if answer.status == NOT_FOUND:
            return None if proves_absence(answer, ref.name) else ref
        if answer.status == TOO_MANY and not answer.of_everybody:
            return _unreadable(ref, group.api_version, error_of(answer, f"Reading {ref}"))
        whole = answer.object(f"Reading {ref}")
        return live_object(ref, group.api_version, whole, answer.date)

    async def _listed(
        self, group: _Group, refs: frozenset[ObjectRef]
    ) -> dict[ObjectRef, LiveObject]:
        found: dict[ObjectRef, LiveObject] = {}
        query = {"labelSelector": PART_OF, "limit": str(self._limits.page)}
        any_ref = next(iter(refs))
        while True:
            request = Request(method="GET", path=group.resource.path(group.namespace), query=query)
            answer = await self._transport.send(request)
            if not answer.good:
                return found  # whatever it is, the rest is read one by one
            page = answer.object(f"Listing {any_ref.group_kind}")
            for item in page.get("items") or ():
                ref = _ref(any_ref, item)
                if ref in refs:
                    found[ref] = live_object(ref, group.api_version, item, answer.date)
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return found
            query = {**query, "continue": following}


def _ref(like: ObjectRef, item: Mapping[str, Any]) -> ObjectRef:
    metadata = item.get("metadata") or {}
    return ObjectRef(like.group, like.kind, metadata.get("namespace", ""), metadata.get("name", ""))


def _hidden(served: Served, entries: Iterable[InventoryEntry]) -> dict[ObjectRef, LiveObject]:
    """Objects of kinds that may be there, behind a server that does not answer."""
    found: dict[ObjectRef, LiveObject] = {}
    for entry in entries:
        ref = entry.ref
        if ref.group in served.stale_groups and not served.kinds.get(ref.group_kind):
            error = MissingKind(f"{entry.api_version} {ref.kind} cannot be looked up.")
            found[ref] = _unreadable(ref, entry.api_version, error)
    return found


def _unreadable(ref: ObjectRef, api_version: str, error: DistributorError) -> LiveObject:
    finding = replace(Finding.from_error(error), where=Where(file=str(ref)))
    return LiveObject(ref=ref, api_version=api_version, error=finding)
