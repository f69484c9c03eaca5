"""Inhabitants: what lives in a Namespace beside an instance's own objects, and would go along with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from distributor.adapters.kube.discovery import Served
from distributor.adapters.kube.messages import METADATA_LIST, NOT_FOUND, Request
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.together import together
from distributor.adapters.kube.transport import Sender
from distributor.errors import DistributorError
from distributor.errors.cluster import ClusterUnreachable
from distributor.model.changes import Taken
from distributor.model.refs import GroupKind, ObjectRef

_CLAIM = GroupKind("", "PersistentVolumeClaim")
_PASSING = frozenset(
    {
        GroupKind("", "Event"),
        GroupKind("events.k8s.io", "Event"),
        GroupKind("", "Endpoints"),
        GroupKind("coordination.k8s.io", "Lease"),
    }
)
"""Kinds that say what happens, and hold nothing of anybody's."""
_FURNITURE = frozenset(
    {
        ("ServiceAccount", "default"),
        ("ConfigMap", "kube-root-ca.crt"),
        ("ConfigMap", "istio-ca-root-cert"),
        ("ConfigMap", "openshift-service-ca.crt"),
    }
)
"""What controllers put into every Namespace."""
NAMED = 1000
"""So many strangers of a kind are named one by one; the rest are counted."""
_SILENT = "objects of an API that does not answer"
_ACCOUNT = "kubernetes.io/service-account.name"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Found:
    """What one list showed: the first strangers, how many there are, or why nobody can tell.

    ``names`` say which of all objects of their names they are.
    """

    first: tuple[ObjectRef, ...] = ()
    count: int = 0
    hidden: str = ""
    names: tuple[str, ...] = ()


async def inhabitants(
    transport: Sender,
    served: Served,
    limits: Limits,
    namespace: str,
    ours: Collection[ObjectRef],
) -> Taken | None:
    """What is in a Namespace that nothing of ``ours`` owns; ``None`` where there is nothing.

    An object that has an owner goes with that one, but for volume claims: they hold data. A kind that
    cannot be listed is told as well, for nobody knows what goes along then.
    """
    kinds = [(kind, found[0]) for kind, found in served.kinds.items() if kind not in _PASSING]
    asked = [
        (kind, one) for kind, one in kinds if one.namespaced and one.listable and one.deletable
    ]
    found = await together(
        _listed(transport, limits, kind, one.path(namespace), ours) for kind, one in asked
    )
    lists = list(found)
    what = _told(lists, served)
    return Taken(what, names=_names(lists, served)) if what else None


def named(kind: GroupKind, metadata: Mapping[str, Any]) -> str:
    """An object by its name and uid: one that is made anew under the name is another."""
    return f"{_ref(kind, metadata)}@{metadata.get('uid') or ''}"


def _names(lists: Iterable[_Found], served: Served) -> tuple[str, ...]:
    """All that a consent has to know of."""
    names = sorted(name for each in lists for name in each.names)
    return (*names, _SILENT) if served.stale else tuple(names)


def _told(found: Iterable[_Found], served: Served) -> str:
    lists = list(found)
    refs = sorted(chain.from_iterable(each.first for each in lists), key=_data_first)
    more = sum(each.count for each in lists) - len(refs[:_SHOWN])
    words = [", ".join(map(str, refs[:_SHOWN])) + (f" and {more} more" if more else "")]
    words += [each.hidden for each in lists if each.hidden]
    if served.stale:
        words.append(_SILENT)
    return "; ".join(word for word in words if word)


def _data_first(ref: ObjectRef) -> tuple[bool, ObjectRef]:
    return (ref.group_kind != _CLAIM, ref)


async def _listed(
    transport: Sender, limits: Limits, kind: GroupKind, path: str, ours: Collection[ObjectRef]
) -> _Found:
    """The strangers of one kind, read a page at a time."""
    first: list[ObjectRef] = []
    names: list[str] = []
    count, query = 0, {"limit": str(limits.page)}
    while True:
        request = Request(method="GET", path=path, query=query, accept=METADATA_LIST)
        try:
            answer = await transport.send(request)
            if answer.status == NOT_FOUND:
                return _found(kind, first, names, count)
            page = answer.object(f"Listing {path}")
        except ClusterUnreachable:
            raise
        except DistributorError as error:
            found = _found(kind, first, [*names, f"any {kind} that cannot be listed"], count + 1)
            return replace(found, count=count, hidden=f"any {kind} ({error})")
        for item in page.get("items") or ():
            metadata = item.get("metadata") or {}
            if _stranger(kind, metadata, ours):
                count += 1
                first += [_ref(kind, metadata)] if len(first) < _SHOWN else []
                names += [named(kind, metadata)] if len(names) < NAMED else []
        following = (page.get("metadata") or {}).get("continue")
        if not following:
            return _found(kind, first, names, count)
        query = {**query, "continue": following}


def _found(kind: GroupKind, first: list[ObjectRef], names: list[str], count: int) -> _Found:
    more = count - len(names)
    rest = [f"{more} more of {kind}"] if more > 0 else []
    return _Found(first=tuple(first), count=count, names=(*names, *rest))


def _stranger(kind: GroupKind, metadata: Mapping[str, Any], ours: Collection[ObjectRef]) -> bool:
    if _ref(kind, metadata) in ours or metadata.get("deletionTimestamp"):
        return False
    if metadata.get("ownerReferences") and kind != _CLAIM:
        return False
    if not kind.group and (kind.kind, metadata.get("name")) in _FURNITURE:
        return False
    return _ACCOUNT not in (metadata.get("annotations") or {})


def _ref(kind: GroupKind, metadata: Mapping[str, Any]) -> ObjectRef:
    namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name", ""))
    return ObjectRef(kind.group, kind.kind, namespace, name)
