"""Observing: the health of an instance's objects on one target, each bound to the revision that it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from distributor.health import (
    NO_RULES,
    Rulebook,
    absent,
    completion,
    goes_by_itself,
    health,
    plain_kinds,
)
from distributor.model.changes import Inventory, InventoryEntry, LiveObject
from distributor.model.health import HealthStatus, ObjectHealth
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import Digest, GroupKind, ObjectRef
from distributor.plan import NAMESPACE
from distributor.services.targets.endings import Endings, endings, remember
from distributor.services.targets.work import Work
from distributor.services.world import World

_CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
_JOB = GroupKind("batch", "Job")
_ENDED = frozenset({HealthStatus.CURRENT, HealthStatus.FAILED})
_EARLIER = "It is not at this revision yet"
NOTHING_ASTRAY: Mapping[ObjectRef, str] = MappingProxyType({})


async def observed(
    world: World,
    work: Work,
    inventory: Inventory | None,
    desired: ManifestSet,
    live: Mapping[ObjectRef, LiveObject],
    *,
    jobs_to_their_end: bool = False,
    astray: Mapping[ObjectRef, str] = NOTHING_ASTRAY,
) -> tuple[ObjectHealth, ...]:
    """The health of every desired object, there or not; a Job that its TTL took is not missed.

    What an object of an earlier revision looks like says nothing of this one. A Job that goes by itself
    is current when it has come to its end, because nobody can look at it afterwards; any Job is where
    something comes after it. ``astray`` are objects of which fields are not as applied, and which: what they
    look like speaks of no revision.
    """
    now = world.clock.now()
    plain = plain_kinds(m.data() for m in desired if m.ref.group_kind == _CRD)
    known = inventory.entries if inventory else {}
    rulebook = _rulebook(world, work)
    to_an_end = {m.ref for m in desired if goes_by_itself(m)}
    if jobs_to_their_end:
        to_an_end |= {m.ref for m in desired if m.ref.group_kind == _JOB}
    seen = {
        m.ref: _judged(m, live[m.ref], now, plain, rulebook, to_an_end=m.ref in to_an_end)
        for m in desired
        if m.ref in live
    }
    fleeting = [m for m in desired if goes_by_itself(m)]
    ended = {
        live[m.ref].uid: seen[m.ref]
        for m in fleeting
        if m.ref in seen and seen[m.ref].revision and seen[m.ref].status in _ENDED
    }
    missed = any(m.ref not in live for m in fleeting)
    before = await endings(world, work) if ended or missed else {}
    await remember(world, work, before, ended, {entry.uid for entry in known.values()})
    for ref in astray.keys() & seen.keys():
        seen[ref] = _astray(seen[ref], astray[ref])
    for manifest in desired:
        if manifest.ref not in live:
            told = _missing(manifest, known.get(manifest.ref), before)
            seen[manifest.ref] = told if told.observed_at else replace(told, observed_at=now)
    return tuple(seen[manifest.ref] for manifest in desired)


def _missing(manifest: Manifest, entry: InventoryEntry | None, before: Endings) -> ObjectHealth:
    if entry is None or entry.uid == "" or entry.digest != manifest.digest:
        return absent(manifest, applied=False)
    last = before.get(entry.uid)
    bound = last is not None and last.revision == manifest.digest
    return absent(manifest, applied=True, last=last if bound else None)


def _judged(
    manifest: Manifest,
    found: LiveObject,
    now: datetime,
    plain: frozenset[GroupKind],
    rulebook: Rulebook,
    *,
    to_an_end: bool,
) -> ObjectHealth:
    if found.error is not None:
        return ObjectHealth(
            ref=manifest.ref,
            api_version=manifest.api_version,
            status=HealthStatus.UNKNOWN,
            message=f"{found.error.code} {found.error.message}",
            observed_at=now,
        )
    there = found.read_at or now  # its times are its server's, whose clock may be far from ours
    told = replace(health(found.data, there, plain=plain, rulebook=rulebook), ref=manifest.ref)
    told = replace(told, observed_at=now)
    if found.applied != manifest.digest and not _is_used(found):
        if told.status is HealthStatus.TERMINATING:
            return told
        return replace(told, status=HealthStatus.IN_PROGRESS, message=_EARLIER)
    ruled = manifest.ref.group_kind in rulebook.rules
    if to_an_end and not _is_suspended(found) and not ruled:
        told = replace(completion(found.data, there), ref=manifest.ref, observed_at=now)
    return replace(told, revision=manifest.digest)


def _astray(found: ObjectHealth, what: str) -> ObjectHealth:
    told = replace(found, revision=Digest(""))
    if found.status is not HealthStatus.CURRENT:
        return told
    message = f"It runs, but is not as this revision has it: {what}"
    return replace(told, status=HealthStatus.IN_PROGRESS, message=message)


def _rulebook(world: World, work: Work) -> Rulebook:
    if not work.health or world.expressions is None:
        return replace(NO_RULES, rules=work.health)
    return Rulebook(rules=work.health, holds=world.expressions.holds)


def _is_used(found: LiveObject) -> bool:
    """Whether it is a Namespace of nobody's: it is used as it is, and so has no revision to come to."""
    return found.ref.group_kind == NAMESPACE and not (found.owner or found.applied)


def _is_suspended(found: LiveObject) -> bool:
    spec = found.data.get("spec")
    return isinstance(spec, Mapping) and spec.get("suspend") is True
