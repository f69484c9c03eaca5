"""Guards: deletions that are not done on the word of a plan alone."""

from __future__ import annotations

from dataclasses import replace

from distributor.errors import Where
from distributor.errors.cluster import PruneGuard
from distributor.model.changes import Action, Change, ChangeSet, Inventory
from distributor.model.findings import Finding
from distributor.model.manifest import ManifestSet
from distributor.model.refs import ObjectRef
from distributor.plan.changing import ALREADY_GONE
from distributor.plan.order import CLAIM


def guard(
    changes: ChangeSet,
    *,
    desired: ManifestSet,
    inventory: Inventory | None,
    consents: frozenset[ObjectRef] = frozenset(),
) -> ChangeSet:
    """Skip every deletion that needs a consent it does not have, each with a ``DST409`` finding.

    Consent is needed for cluster-wide objects (Namespaces and CRDs among them: they take others along),
    for volume claims (they take data along), and for everything when nothing at all is desired. What
    is already gone needs none. Never pruned: what is desired, and what the inventory does not name.
    """
    known = inventory.entries.keys() if inventory is not None else frozenset[ObjectRef]()
    wanted = desired.refs()
    kept: list[Change] = []
    findings = list(changes.findings)
    for change in changes.changes:
        reason = ""
        if change.action is Action.PRUNED:
            reason = _barred(wanted=change.ref in wanted, known=change.ref in known)
            if not reason and change.ref not in consents and change.reason != ALREADY_GONE:
                reason = _needs_consent(change.ref, nothing_wanted=not wanted)
        if reason:
            findings.append(Finding.of(PruneGuard, f"({reason})", Where(file=str(change.ref))))
            kept.append(replace(change, action=Action.SKIPPED, reason=reason))
        else:
            kept.append(change)
    return ChangeSet(changes=tuple(kept), findings=tuple(findings))


def _barred(*, wanted: bool, known: bool) -> str:
    if wanted:
        return "is desired"
    return "" if known else "is not in the inventory"


def _needs_consent(ref: ObjectRef, *, nothing_wanted: bool) -> str:
    if nothing_wanted:
        return "would go because nothing at all is desired; that needs consent"
    if not ref.namespace:
        return "is cluster-wide; deleting it needs consent"
    if ref.group_kind == CLAIM:
        return "holds data; deleting it needs consent"
    return ""
