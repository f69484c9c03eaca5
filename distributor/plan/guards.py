"""Guards: deletions that are not done on the word of a plan alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from distributor.errors import Where
from distributor.errors.cluster import PruneGuard
from distributor.model.changes import Action, Change, ChangeSet, Inventory
from distributor.model.findings import Finding, errors
from distributor.model.manifest import ManifestSet
from distributor.model.refs import ObjectRef
from distributor.plan.changing import ALREADY_GONE
from distributor.plan.order import CLAIM, NAMESPACE

FEW = 5
"""As many objects may always go: in small apps it is soon that more go than stay."""
_NOTHING: Mapping[ObjectRef, str] = MappingProxyType({})


def guard(
    changes: ChangeSet,
    *,
    desired: ManifestSet,
    inventory: Inventory | None,
    consents: frozenset[ObjectRef] = frozenset(),
    taken: Mapping[ObjectRef, str] = _NOTHING,
) -> ChangeSet:
    """Skip every deletion that needs a consent it does not have, each with a ``DST409`` finding.

    Consent is needed for cluster-wide objects (Namespaces and CRDs among them: they take others along),
    for volume claims (they take data along), for more than ``FEW`` objects where fewer stay, and for
    everything when nothing at all is desired. What is already gone needs none. Never pruned: what is
    desired, what the inventory does not name, and a Namespace in which something stays. ``taken`` says
    what a Namespace or a definition would take along that is others'.
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
        reason = ""
        if change.action is Action.PRUNED:
            reason = _barred(wanted=change.ref in wanted, known=change.ref in known)
            if not reason and change.reason != ALREADY_GONE:
                reason = _occupied(change.ref, staying, taken)
                if not reason and change.ref not in consents:
                    reason = _needs_consent(change.ref, everything)
        if reason:
            findings.append(Finding.of(PruneGuard, f"({reason})", Where(file=str(change.ref))))
            kept.append(replace(change, action=Action.SKIPPED, reason=reason))
        else:
            kept.append(change)
    return ChangeSet(changes=tuple(kept), findings=tuple(findings))


def held_back(changes: ChangeSet) -> ChangeSet:
    """Skip every deletion while an object that is wanted is refused, or others hold fields of it.

    What is not wanted any more goes once the new is there; that is not to be before this is mended.
    Volume claims hold nothing back: they may wait for their first pod.
    """
    bad = {f.where.file for f in errors(changes.findings)}
    refused = [
        c.ref
        for c in changes.of(Action.SKIPPED)
        if c.manifest is not None and str(c.ref) in bad and c.ref.group_kind != CLAIM
    ]
    refused += [c.ref for c in changes.changes if c.conflicts]
    if not refused:
        return changes
    reason = f"goes once {refused[0]} is as wanted"
    kept = tuple(
        replace(change, action=Action.SKIPPED, reason=reason)
        if change.action is Action.PRUNED and change.reason != ALREADY_GONE
        else change
        for change in changes.changes
    )
    return replace(changes, changes=kept)


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
