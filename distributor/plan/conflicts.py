"""Conflicts to come: fields that a change sets and that another manager holds, as the API server will see them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from distributor.errors import Where
from distributor.errors.cluster import FieldConflict
from distributor.model.changes import ChangeSet, LiveObject
from distributor.model.consents import Deed, Question
from distributor.model.findings import Finding
from distributor.model.manifest import Manifest
from distributor.model.ownership import Claim
from distributor.plan.claims import HAND_OVER_MANAGER, claim, version_seen
from distributor.plan.drift import diff

Held = Mapping[str, tuple[str, ...]]
"""Fields by the manager that holds them."""


def held(manifest: Manifest, there: LiveObject, allowed: Collection[str]) -> Held:
    """What is in the way of a change; ``allowed`` managers give way and are not told."""
    found: dict[str, tuple[str, ...]] = {}
    for field in diff(manifest, there.data):
        others = set(field.manager.split(", ")) - set(allowed)
        for manager in others if not field.ours else ():
            found[manager] = (*found.get(manager, ()), field.path)
    return found


def adoption(manifest: Manifest, there: LiveObject, adopt: frozenset[str]) -> Question:
    """What is asked of people about an object that is nobody's: itself, and the fields that others hold."""
    fields = held(manifest, there, claim(manifest, there, adopt).over | {HAND_OVER_MANAGER})
    return Question(deed=Deed.ADOPT, ref=there.ref, uid=there.uid, over=tuple(sorted(fields)))


def agreed_claim(
    manifest: Manifest,
    there: LiveObject,
    adopt: frozenset[str],
    *,
    agreed: bool,
    over: frozenset[str] = frozenset(),
) -> Claim:
    """The claim on an object that becomes ours; forced over the managers in ``over``, if ``agreed`` over all."""
    found = claim(manifest, there, adopt)
    fields = held(manifest, there, found.over | {HAND_OVER_MANAGER})
    forced = fields.keys() if agreed else fields.keys() & over
    return replace(found, over=found.over | forced, seen=version_seen(there))


def foreseen(changes: ChangeSet) -> tuple[Finding, ...]:
    """What applying the changes would fail with, for those who do not apply them."""
    return tuple(
        Finding.of(FieldConflict, f"({change.conflicts})", Where(file=str(change.ref)))
        for change in changes.changes
        if change.conflicts
    )


def told(fields: Held, *, agreed: bool) -> str:
    """In words: what will fail, or what people agreed to."""
    form = "takes {1} from {0}, as agreed" if agreed else "conflicts with {0} over {1}"
    return "; ".join(form.format(who, ", ".join(what)) for who, what in sorted(fields.items()))
