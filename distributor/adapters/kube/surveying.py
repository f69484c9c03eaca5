"""Surveying: what a cluster holds that the inventory at hand does not say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any

from distributor.adapters.kube import parents
from distributor.adapters.kube.bodies import FIELD_MANAGER
from distributor.adapters.kube.discovery import Discovery, Resource, Served
from distributor.adapters.kube.inhabitants import NAMED, inhabitants, named
from distributor.adapters.kube.messages import (
    FORBIDDEN,
    METADATA_ONLY,
    NOT_ALLOWED,
    NOT_FOUND,
    Request,
)
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.together import together
from distributor.adapters.kube.transport import Sender
from distributor.errors import DistributorError
from distributor.errors.cluster import ClusterUnreachable, Throttled
from distributor.model.changes import Inventory, InventoryEntry, Survey, Taken
from distributor.model.refs import GroupKind, ObjectRef
from distributor.plan import scaled
from distributor.render.applyset import (
    PARENT_NAMESPACE,
    PART_OF,
    applyset_id,
    parent_name,
)

_LIST = METADATA_ONLY.replace("PartialObjectMetadata", "PartialObjectMetadataList")
_SECRETS = f"/api/v1/namespaces/{PARENT_NAMESPACE}/secrets"
_NAMESPACE = GroupKind("", "Namespace")
_AUTOSCALER = GroupKind("autoscaling", "HorizontalPodAutoscaler")
_UNLISTED = frozenset({NOT_FOUND, FORBIDDEN, NOT_ALLOWED})


class Surveyor:
    """Asks by label, and only in the rare cases where an inventory is not enough."""

    def __init__(self, transport: Sender, discovery: Discovery, limits: Limits) -> None:
        self._transport = transport
        self._discovery = discovery
        self._limits = limits

    async def owned(self, instance: str) -> Survey:
        """Every object of any kind that carries the instance's label and that we applied; sorted.

        A kind that we may not list is passed over: what may not be read was never compared either. One
        that cannot be listed now is told.
        """
        served = await self._discovery.refresh(await self._discovery.served())
        label = f"{PART_OF}={applyset_id(instance)}"
        kinds = ((kind, found[0]) for kind, found in served.kinds.items())
        found = await together(
            self._labelled(kind, resource, label) for kind, resource in kinds if resource.listable
        )
        unread = [each for each in found if isinstance(each, str)]
        if served.stale:
            unread.append("kinds of an API that does not answer")
        lists = (each for each in found if not isinstance(each, str))
        return Survey(refs=tuple(sorted(r for refs in lists for r in refs)), unread=tuple(unread))

    async def _labelled(
        self, kind: GroupKind, resource: Resource, label: str
    ) -> list[ObjectRef] | str:
        """The objects of one kind, or why they cannot be listed."""
        found: list[ObjectRef] = []
        try:
            for path in resource.paths(self._limits.namespaces):
                listed = self._listed(path, {"labelSelector": label})
                found += [_ref(kind, m) async for m in listed if _applied_here(m)]
        except ClusterUnreachable:
            raise
        except DistributorError as error:
            return f"{kind} ({error})"
        return found

    async def taken_along(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> dict[ObjectRef, Taken]:
        """What deleting Namespaces and definitions would take along that is not this instance's."""
        found: dict[ObjectRef, Taken] = {}
        ours = inventory.entries.keys() | {run.ref for run in inventory.hooks.runs.values()}
        namespaces = [e.ref for e in entries if e.ref.group_kind == _NAMESPACE]
        inhabited = await self._inhabited(inventory.instance) if namespaces else {}
        served = await self._discovery.refresh(await self._discovery.served())
        for ref in namespaces:
            if ref.name in inhabited:
                found[ref] = Taken(inhabited[ref.name], barred=True)
            elif what := await inhabitants(self._transport, served, self._limits, ref.name, ours):
                found[ref] = what
        for ref in (e.ref for e in entries if e.ref.group_kind != _NAMESPACE):
            kept = await self._kept(served, ref.name, inventory.entries.keys())
            if kept is not None:
                found[ref] = kept
        return found

    async def _inhabited(self, instance: str) -> dict[str, str]:
        """Namespaces that hold objects of other instances, as their ApplySet parents say."""
        found = {PARENT_NAMESPACE: "the inventories of every instance"}
        label = {"labelSelector": parents.ID}
        async for metadata in self._listed(_SECRETS, label, strictly=True):
            name = str(metadata.get("name", ""))
            if name == parent_name(instance):
                continue
            held = str((metadata.get("annotations") or {}).get(parents.NAMESPACES, ""))
            owner = name.removeprefix(parent_name(""))
            found |= {ns: f"objects of instance {owner}" for ns in held.split(",") if ns}
        return found

    async def _kept(
        self, served: Served, definition: str, known: Iterable[ObjectRef]
    ) -> Taken | None:
        """The objects of the defined kind that this instance does not own, as far as they are named."""
        plural, _, group = definition.partition(".")
        for kind, resources in served.kinds.items():
            if kind.group != group or resources[0].plural != plural:
                continue
            ours = {ref for ref in known if ref.group_kind == kind}
            first, names = "", list[str]()
            try:
                async for metadata in self._listed(resources[0].path(), {}, strictly=True):
                    if (ref := _ref(kind, metadata)) not in ours:
                        first = first or str(ref)
                        names.append(named(kind, metadata))
                    if len(names) > NAMED:
                        names[-1] = "more of them"
                        break
            except (ClusterUnreachable, Throttled):
                raise
            except DistributorError as error:
                hidden = f"any {kind}"
                return Taken(f"{hidden} ({error})", names=(hidden,))
            if first:
                return Taken(first, names=tuple(names))
        return None

    async def autoscaled(self, refs: Collection[ObjectRef]) -> frozenset[ObjectRef]:
        """Those that an autoscaler names; all of a namespace whose autoscalers we may not list."""
        resource = (await self._discovery.served()).any_version(_AUTOSCALER, "v2")
        if resource is None:
            return frozenset()
        places = sorted({ref.namespace for ref in refs})
        found = await together(self._autoscaled_in(resource, place, refs) for place in places)
        return frozenset(ref for here in found for ref in here)

    async def _autoscaled_in(
        self, resource: Resource, namespace: str, refs: Collection[ObjectRef]
    ) -> frozenset[ObjectRef]:
        here = frozenset(ref for ref in refs if ref.namespace == namespace)
        named: set[ObjectRef] = set()
        query = {"limit": str(self._limits.page)}
        while True:
            request = Request(method="GET", path=resource.path(namespace), query=query)
            answer = await self._transport.send(request)
            if not answer.good:
                return here
            page = answer.object("Listing autoscalers")
            named |= set(scaled(page.get("items") or ()))
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return here & named
            query = {**query, "continue": following}

    async def _listed(
        self, path: str, query: Mapping[str, str], *, strictly: bool = False
    ) -> AsyncIterator[Mapping[str, Any]]:
        """The metadata of everything in a list, page by page; nothing where it cannot be listed.

        ``strictly``: raises ``Unauthorised`` where it may not be listed.
        """
        asked = {**query, "limit": str(self._limits.page)}
        while True:
            request = Request(method="GET", path=path, query=asked, accept=_LIST)
            answer = await self._transport.send(request)
            if answer.status in ({NOT_FOUND, NOT_ALLOWED} if strictly else _UNLISTED):
                return
            page = answer.object(f"Listing {path}")
            for item in page.get("items") or ():
                yield item.get("metadata") or {}
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return
            asked = {**asked, "continue": following}


def _ref(kind: GroupKind, metadata: Mapping[str, Any]) -> ObjectRef:
    namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name", ""))
    return ObjectRef(kind.group, kind.kind, namespace, name)


def _applied_here(metadata: Mapping[str, Any]) -> bool:
    """Whether we applied it; operators copy labels to what they make."""
    entries = metadata.get("managedFields") or ()
    return not entries or any(
        (e.get("manager"), e.get("operation")) == (FIELD_MANAGER, "Apply") for e in entries
    )
