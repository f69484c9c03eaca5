"""Observing: the health of an instance's objects on one target, each bound to the revision that it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import orjson

from distributor.health import (
    NO_RULES,
    Rulebook,
    absent,
    completion,
    goes_by_itself,
    health,
    plain_kinds,
)
from distributor.model.changes import Inventory, LiveObject
from distributor.model.health import HealthStatus, ObjectHealth
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import Digest, GroupKind, ObjectRef
from distributor.services.work import Work
from distributor.services.world import World

_CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
_ENDED = frozenset({HealthStatus.CURRENT, HealthStatus.FAILED})
_EARLIER = "It is not at this revision yet"


async def observed(
    world: World,
    work: Work,
    inventory: Inventory | None,
    desired: ManifestSet,
    live: Mapping[ObjectRef, LiveObject],
) -> tuple[ObjectHealth, ...]:
    """The health of every desired object, there or not; a Job that its TTL took is not missed.

    What an object of an earlier revision looks like says nothing of this one. A Job that goes by itself
    is current when it has come to its end, because nobody can look at it afterwards.
    """
    now = world.clock.now()
    plain = plain_kinds(m.data() for m in desired if m.ref.group_kind == _CRD)
    known = inventory.entries if inventory else {}
    rulebook = _rulebook(world, work)
    fleeting = frozenset(m.ref for m in desired if goes_by_itself(m))
    before = await _ended_before(world, work) if fleeting else {}
    seen: dict[ObjectRef, ObjectHealth] = {}
    for manifest in desired:
        found = live.get(manifest.ref)
        if found is not None:
            seen[manifest.ref] = _judged(manifest, found, now, plain, rulebook)
            continue
        entry = known.get(manifest.ref)
        applied = entry is not None and entry.uid != "" and entry.digest == manifest.digest
        last = before.get(manifest.ref)
        last = last if last is not None and last.revision == manifest.digest else None
        told = absent(manifest, applied=applied, last=last)
        seen[manifest.ref] = told if told.observed_at else replace(told, observed_at=now)
    if fleeting:
        await _remember(world, work, before, {r: h for r, h in seen.items() if r in fleeting})
    return tuple(seen.values())


def _judged(
    manifest: Manifest,
    found: LiveObject,
    now: datetime,
    plain: frozenset[GroupKind],
    rulebook: Rulebook,
) -> ObjectHealth:
    told = replace(health(found.data, now, plain=plain, rulebook=rulebook), ref=manifest.ref)
    if found.applied != manifest.digest:
        if told.status is HealthStatus.TERMINATING:
            return told
        return replace(told, status=HealthStatus.IN_PROGRESS, message=_EARLIER)
    ruled = manifest.ref.group_kind in rulebook.rules
    if goes_by_itself(manifest) and not _is_suspended(found) and not ruled:
        told = replace(completion(found.data, now), ref=manifest.ref)
    return replace(told, revision=manifest.digest)


def _rulebook(world: World, work: Work) -> Rulebook:
    if not work.health or world.expressions is None:
        return replace(NO_RULES, rules=work.health)
    return Rulebook(rules=work.health, holds=world.expressions.holds)


def _is_suspended(found: LiveObject) -> bool:
    spec = found.data.get("spec")
    return isinstance(spec, Mapping) and spec.get("suspend") is True


def _key(work: Work) -> str:
    return f"jobs.ended {work.environment}/{work.instance}/{work.cluster.name}"


async def _ended_before(world: World, work: Work) -> dict[ObjectRef, ObjectHealth]:
    """The ends of Jobs as they were seen; the read model that holds them may have been deleted."""
    kept: Mapping[str, list[str]] = orjson.loads(await world.store.get(_key(work)) or "{}")
    return {
        ObjectRef.parse(text): ObjectHealth(
            ref=ObjectRef.parse(text),
            api_version="batch/v1",
            status=HealthStatus(status),
            message=message,
            observed_at=datetime.fromisoformat(at),
            revision=Digest(revision),
        )
        for text, (status, message, revision, at) in kept.items()
    }


async def _remember(
    world: World,
    work: Work,
    before: Mapping[ObjectRef, ObjectHealth],
    seen: Mapping[ObjectRef, ObjectHealth],
) -> None:
    """Keep the ends that were seen now, and those of Jobs that have gone since."""
    ended = {r: h for r, h in seen.items() if h.status in _ENDED and h.revision and h.observed_at}
    again = {r for r, h in seen.items() if h.status is HealthStatus.IN_PROGRESS}
    kept = {**{r: h for r, h in before.items() if r not in again}, **ended}
    if {r: h.revision for r, h in kept.items()} != {r: h.revision for r, h in before.items()}:
        rows = {
            str(r): [h.status.value, h.message, h.revision, h.observed_at.isoformat()]
            for r, h in kept.items()
            if h.observed_at is not None
        }
        await world.store.set(_key(work), orjson.dumps(rows).decode())
