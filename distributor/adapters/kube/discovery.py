"""Which kinds a cluster serves, and under which paths: aggregated discovery, kept until a kind is missing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from distributor.adapters.kube.messages import Request
from distributor.adapters.kube.transport import Transport
from distributor.errors.cluster import ApiRefused, BrokenAnswer, OutsideNamespaces
from distributor.model.refs import GroupKind, ObjectRef

_ACCEPT = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    for version in ("v2", "v2beta1")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """How one kind in one version is addressed."""

    group: str
    version: str
    plural: str
    namespaced: bool
    listable: bool = False
    deletable: bool = False

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of an object, or of all in a namespace, or of all."""
        group = f"/apis/{self.group}" if self.group else "/api"
        parts = [f"{group}/{self.version}"]
        if self.namespaced and namespace:
            parts.append(f"namespaces/{quote(namespace, safe='')}")
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=":"))
        return "/".join(parts)

    def paths(self, namespaces: Collection[str]) -> tuple[str, ...]:
        """Where all objects are listed: in each of these namespaces, or everywhere if none is given."""
        wide = not (self.namespaced and namespaces)
        return (self.path(),) if wide else tuple(self.path(each) for each in namespaces)

    def check_within(self, ref: ObjectRef, namespaces: Collection[str]) -> None:
        """Raise ``OutsideNamespaces`` for an object in another namespace than these, if there are any."""
        if self.namespaced and namespaces and ref.namespace not in namespaces:
            raise OutsideNamespaces(f"{ref}; it has {', '.join(namespaces)}.")

    def of(self, ref: ObjectRef) -> str:
        """The path of one object; raises ``ApiRefused`` for a name that would climb out of it."""
        if not addressable(ref):
            raise ApiRefused(f"{ref}: this cannot be a name.")
        return self.path(ref.namespace, ref.name)


def addressable(ref: ObjectRef) -> bool:
    """Whether name and namespace stay where they stand in a path."""
    return not {ref.namespace, ref.name} & {".", ".."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Everything served; ``stale`` where a server behind the API server could not be asked, for these groups."""

    kinds: Mapping[GroupKind, tuple[Resource, ...]] = field(default_factory=dict)
    stale: bool = False
    stale_groups: frozenset[str] = frozenset()

    def find(self, kind: GroupKind, version: str) -> Resource | None:
        """The resource in exactly this version."""
        return next((r for r in self.kinds.get(kind, ()) if r.version == version), None)

    def mark(self) -> str:
        """A text that is the same for the same kinds in the same versions."""
        versions = sorted((k, r.version) for k, found in self.kinds.items() for r in found)
        return hashlib.sha256(repr((versions, self.stale)).encode()).hexdigest()

    def any_version(self, kind: GroupKind, preferred: str) -> Resource | None:
        """The resource in this version, or in the one that the server likes best."""
        found = self.kinds.get(kind, ())
        return self.find(kind, preferred) or (found[0] if found else None)


def read(*documents: Mapping[str, Any]) -> Served:
    """Read ``APIGroupDiscoveryList`` documents; raises ``BrokenAnswer`` for any other kind.

    Servers give it since Kubernetes 1.27; older ones answer with another kind.
    """
    kinds: dict[GroupKind, list[Resource]] = {}
    stale: set[str] = set()
    for document in documents:
        if document.get("kind") != "APIGroupDiscoveryList":
            raise BrokenAnswer(
                f"Discovery gave a {document.get('kind')!r}; Kubernetes 1.27 or newer is needed."
            )
        for group, version in _versions(document):
            if version.get("freshness") == "Stale":
                stale.add(group)
            for kind, resource in _resources(group, version):
                kinds.setdefault(kind, []).append(resource)
    return Served(
        kinds={kind: tuple(found) for kind, found in kinds.items()},
        stale=bool(stale),
        stale_groups=frozenset(stale),
    )


def _versions(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for item in document.get("items") or ():
        for version in item.get("versions") or ():
            yield item.get("metadata", {}).get("name", ""), version


def _resources(group: str, version: Mapping[str, Any]) -> Iterator[tuple[GroupKind, Resource]]:
    for resource in version.get("resources") or ():
        kind = (resource.get("responseKind") or {}).get("kind", "")
        yield (
            GroupKind(group, kind),
            Resource(
                group=group,
                version=version.get("version", ""),
                plural=resource.get("resource", ""),
                namespaced=resource.get("scope") == "Namespaced",
                listable="list" in (resource.get("verbs") or ()),
                deletable="delete" in (resource.get("verbs") or ()),
            ),
        )


class Discovery:
    """What one cluster serves, asked for once; ``refresh`` asks again."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._served: Served | None = None
        self._asking = asyncio.Lock()

    async def served(self) -> Served:
        """What was served when last asked."""
        async with self._asking:
            return self._served or await self._ask()

    async def refresh(self, known: Served) -> Served:
        """What is served now; one request serves all who knew the same."""
        async with self._asking:
            return self._served if self._served and self._served is not known else await self._ask()

    async def mark(self) -> str:
        """A text that is the same as long as the same kinds are served; it is asked for."""
        async with self._asking:
            return (await self._ask()).mark()

    async def _ask(self) -> Served:
        documents = [
            (await self._transport.send(Request(method="GET", path=path, accept=_ACCEPT))).object(
                "Discovery"
            )
            for path in ("/api", "/apis")
        ]
        self._served = read(*documents)
        return self._served
