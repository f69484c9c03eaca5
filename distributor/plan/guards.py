"""Guards: deletions that are not done on the word of a plan alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from distributor.errors import Where
from distributor.errors.cluster import PruneGuard
from distributor.model.changes import Action, Change, ChangeSet, Inventory
from distributor.model.consents import Deed, Question
from distributor.model.findings import Finding, errors
from distributor.model.manifest import ManifestSet
from distributor.model.refs import ObjectRef
from distributor.plan.changing import ALREADY_GONE, BEING_DELETED
from distributor.plan.order import CLAIM, NAMESPACE

FEW = 5
"""As many objects may always go: in small apps it is soon that more go than stay."""
_NOTHING: Mapping[ObjectRef, str] = MappingProxyType({})
_NOBODY: Mapping[ObjectRef, tuple[str, ...]] = MappingProxyType({})


def guard(
    changes: ChangeSet,
    *,
    desired: ManifestSet,
    inventory: Inventory | None,
    consents: frozenset[ObjectRef] = frozenset(),
    taken: Mapping[ObjectRef, str] = _NOTHING,
    along: Mapping[ObjectRef, tuple[str, ...]] = _NOBODY,
) -> ChangeSet:
    """Skip every deletion that needs a consent it does not have, each with a ``DST409`` finding.

    Consent is needed for cluster-wide objects (Namespaces and CRDs among them: they take others along),
    for volume claims (they take data along), for more than ``FEW`` objects where fewer stay, and for
    everything when nothing at all is desired. What is going or gone needs none. Never pruned: what is
    desired, what the inventory does not name, and a Namespace in which something stays. ``taken`` says
    what a Namespace or a definition would take along that is others', ``along`` names it where people may
    agree to that.
    """
    known = inventory.entries.keys() if inventory is not None else frozenset[ObjectRef]()
    wanted = desired.refs()
    everything = (
        _share(changes, len(wanted)) if wanted else "would go because nothing at all is desired"
    )
    staying = _staying(changes)
    kept: list[Change] = []
    findings = list(changes.findings)
    for change in changes.changes:
        reason, asks = "", change.asks
        if change.action is Action.PRUNED:
            reason = _barred(wanted=change.ref in wanted, known=change.ref in known)
            if not reason and change.reason != ALREADY_GONE:
                reason = _occupied(change.ref, staying, taken)
                if reason:
                    asks = _about(change, along[change.ref]) if change.ref in along else None
                elif change.ref not in consents and change.reason != BEING_DELETED:
                    reason, asks = _needs_consent(change.ref, everything), _about(change)
        if reason:
            findings.append(Finding.of(PruneGuard, f"({reason})", Where(file=str(change.ref))))
            kept.append(replace(change, action=Action.SKIPPED, reason=reason, asks=asks))
        else:
            kept.append(change)
    return ChangeSet(changes=tuple(kept), findings=tuple(findings))


def refused(changes: ChangeSet) -> frozenset[ObjectRef]:
    """The desired objects that are left as they are for an error."""
    bad = {f.where.file for f in errors(changes.findings)}
    skipped = (c.ref for c in changes.of(Action.SKIPPED) if c.manifest is not None)
    return frozenset(ref for ref in skipped if str(ref) in bad)


def held_back(changes: ChangeSet, may: Callable[[Question], bool]) -> ChangeSet:
    """Skip every deletion while an object that is wanted is refused, or others hold fields of it.

    What is not wanted any more goes once the new is there; that is not to be before this is mended, unless
    people agreed. Volume claims hold nothing back: they may wait for their first pod.
    """
    conflicting = {c.ref for c in changes.changes if c.conflicts}
    awaited = [r for r in refused(changes) | conflicting if r.group_kind != CLAIM]
    if not awaited:
        return changes
    reason = f"goes once {min(awaited)} is as wanted"
    kept: list[Change] = []
    for change in changes.changes:
        asks = in_a_hurry(change)
        goes = change.action is Action.PRUNED and change.reason != ALREADY_GONE
        held = goes and not may(asks)
        kept.append(
            replace(change, action=Action.SKIPPED, reason=reason, asks=asks) if held else change
        )
    return replace(changes, changes=tuple(kept))


def in_a_hurry(change: Change) -> Question:
    """What people are asked about a deletion that would wait."""
    return Question(deed=Deed.HURRY, ref=change.ref, uid=change.uid)


def _about(change: Change, along: tuple[str, ...] = ()) -> Question:
    over = tuple(sorted(along))
    return Question(deed=Deed.DELETE, ref=change.ref, uid=change.uid, over=over)


def _barred(*, wanted: bool, known: bool) -> str:
    if wanted:
        return "is desired"
    return "" if known else "is not in the inventory"


def _share(changes: ChangeSet, wanted: int) -> str:
    """Why all deletions together need consent, if they do.

    Measured against what stays, not against the inventory: that holds what is new as well once it was
    widened, so a second try would find another share than the first.
    """
    going = len([c for c in changes.of(Action.PRUNED) if c.reason != ALREADY_GONE])
    if going <= FEW or going <= wanted:
        return ""
    return f"is one of {going} objects that would go, and {wanted} stay"


def _staying(changes: ChangeSet) -> dict[str, ObjectRef]:
    """Something that stays, by its namespace."""
    return {
        change.ref.namespace: change.ref
        for change in reversed(changes.changes)
        if change.ref.namespace
        if change.action is not Action.PRUNED
    }


def _occupied(
    ref: ObjectRef, staying: Mapping[str, ObjectRef], taken: Mapping[ObjectRef, str]
) -> str:
    """Why a Namespace, or a definition, may not go, whoever agrees to it."""
    if ref in taken:
        return f"would take along {taken[ref]}"
    if ref.group_kind == NAMESPACE and ref.name in staying:
        return f"would take along {staying[ref.name]}"
    return ""


def _needs_consent(ref: ObjectRef, everything: str) -> str:
    if everything:
        return f"{everything}; that needs consent"
    if not ref.namespace:
        return "is cluster-wide; deleting it needs consent"
    if ref.group_kind == CLAIM:
        return "holds data; deleting it needs consent"
    return ""
