"""Scaling: which objects autoscalers scale, and whose number of replicas one that is gone left behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from distributor.model.changes import LiveObject
from distributor.model.manifest import Manifest
from distributor.model.refs import ObjectRef
from distributor.plan.drift import diff, is_autoscaled

SCALER = "HorizontalPodAutoscaler"


def scaled(autoscalers: Iterable[Mapping[str, Any]]) -> Iterator[ObjectRef]:
    """What autoscalers scale; the group of their own kind's reference is the target's."""
    for obj in autoscalers:
        spec, metadata = obj.get("spec"), obj.get("metadata")
        target = spec.get("scaleTargetRef") if isinstance(spec, Mapping) else None
        if not isinstance(target, Mapping) or not isinstance(metadata, Mapping):
            continue
        group = str(target.get("apiVersion", "")).rpartition("/")[0]
        namespace = str(metadata.get("namespace") or "")
        yield ObjectRef(group, str(target.get("kind", "")), namespace, str(target.get("name", "")))


def left_scaled(
    desired: Iterable[Manifest], live: Mapping[ObjectRef, LiveObject]
) -> frozenset[ObjectRef]:
    """Objects whose number an autoscaler set to another than is desired, and that none of those here scales.

    Another one may: that must be asked before the number counts as left behind.
    """
    wanted = tuple(desired)
    known = set(scaled(m.data() for m in wanted if m.ref.kind == SCALER))
    known |= set(scaled(one.data for ref, one in live.items() if ref.kind == SCALER))
    return frozenset(
        m.ref
        for m in wanted
        if m.ref in live
        and live[m.ref].error is None
        and m.ref not in known
        and any(is_autoscaled(f) for f in diff(m, live[m.ref].data, autoscaled=False))
    )
