"""Comparing: what one target has and what it should have, as changes, hooks and the inventory to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from distributor.errors.cluster import HooksNotRun, ScopeGuessed
from distributor.model.changes import (
    Action,
    ChangeSet,
    Inventory,
    InventoryEntry,
    LiveObject,
    Taken,
)
from distributor.model.consents import Deed, Question
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import DriftMode
from distributor.model.hooks import HookLog, HookStep, Occasion
from distributor.model.manifest import ManifestSet
from distributor.model.refs import Digest, ObjectRef
from distributor.model.tags import Verb
from distributor.plan import (
    ALREADY_GONE,
    BEING_DELETED,
    DEFINITION,
    NAMESPACE,
    NOTHING_IGNORED,
    REMOVED,
    asks_for_order,
    changes,
    guard,
    held_back,
    left_scaled,
    occasion_of,
    opened,
    widened,
)
from distributor.ports import TargetConnection
from distributor.render import ordinary, split
from distributor.services.targets.hooking import hook_entries
from distributor.services.targets.work import Scope, Work


def scope_of(connection: TargetConnection, work: Work) -> Scope:
    """What this target takes as members, and what as hooks."""
    if not connection.delivered_only:
        apart = split(work.desired, work.hooks)
        return Scope(members=apart.members, hooks=apart.hooks)
    apart = ordinary(work.desired, work.hooks)
    findings = []
    if apart.hooks:
        told = f"({len(apart.hooks)}, such as {apart.hooks[0].ref})"
        findings.append(Finding.of(HooksNotRun, told, severity=Severity.WARNING))
    if work.guessed:
        told = f"({', '.join(sorted(map(str, work.guessed)))})"
        findings.append(Finding.of(ScopeGuessed, told, severity=Severity.WARNING))
    return Scope(members=apart.members, findings=tuple(findings))


async def changes_of(
    connection: TargetConnection,
    work: Work,
    scope: Scope,
    inventory: Inventory | None,
    seen: Mapping[ObjectRef, LiveObject] | None = None,
) -> tuple[ChangeSet, Mapping[ObjectRef, LiveObject]]:
    """What changes among the instance's own objects; hooks are no members, whatever they once were.

    What was ``seen`` there just now is not read again.
    """
    known = _without_hooks(inventory, scope, removing=work.removing) if inventory else None
    entries = dict(known.entries) if known else {}
    for entry in entries_of(scope.members):
        entries.setdefault(entry.ref, entry)
    if seen is None:
        live = await connection.read_live(tuple(entries.values()))
    else:
        live = {ref: seen[ref] for ref in entries if ref in seen}
    consents = _deletable(work, known, live)
    maybe = (
        frozenset[ObjectRef]() if connection.delivered_only else left_scaled(scope.members, live)
    )
    found = changes(
        scope.members,
        known,
        live,
        owner=work.owner,
        prune=work.prune,
        consents=consents,
        adopt=work.adopt,
        ignore=NOTHING_IGNORED if connection.delivered_only else work.ignore,
        adopting=Verb.CONSENT in work.agreed,
        names=work.names,
        undo=work.undo,
        resting=work.resting,
        unscaled=maybe - frozenset(await connection.autoscaled(maybe)) if maybe else maybe,
        permits=work.permits,
    )
    taken = _not_agreed(work, found, await _taken_along(connection, known, found))
    found = guard(
        found,
        desired=scope.members,
        inventory=known,
        consents=consents,
        taken={ref: _bound(each) for ref, each in taken.items()},
        along={ref: each.names for ref, each in taken.items() if not each.barred},
    )
    found = _fitting(connection, work, found)
    return replace(found, findings=(*found.findings, *scope.findings)), live


def _fitting(connection: TargetConnection, work: Work, found: ChangeSet) -> ChangeSet:
    """The changes as this target takes them: what follows a folder takes away whatever it names no more."""
    if connection.delivered_only:
        return replace(found, changes=tuple(replace(c, releases=False) for c in found.changes))
    return found if work.removing else held_back(found, work.may)


def _deletable(
    work: Work, known: Inventory | None, live: Mapping[ObjectRef, LiveObject]
) -> frozenset[ObjectRef]:
    """What may be deleted without asking: all, where everything is to go, or what people agreed to."""
    if known is None or work.removing or Verb.CONSENT in work.agreed:
        return frozenset(known.entries if known else ())
    if not work.permits.known:
        return frozenset()
    return work.permits.deletable({ref: live[ref].uid for ref in known.entries if ref in live})


def _not_agreed(
    work: Work, found: ChangeSet, taken: Mapping[ObjectRef, Taken]
) -> Mapping[ObjectRef, Taken]:
    """What would be taken along and keeps a deletion from being asked for: people did not agree, or cannot."""
    changes_by_ref = {c.ref: c for c in found.of(Action.PRUNED)}
    kept: dict[ObjectRef, Taken] = {}
    for ref, each in taken.items():
        change = changes_by_ref[ref]
        over = tuple(sorted(each.names))
        asked = Question(deed=Deed.DELETE, ref=ref, uid=change.uid, over=over)
        if each.barred or not (change.reason == BEING_DELETED or work.may(asked)):
            kept[ref] = each
    return kept


def _bound(taken: Taken) -> str:
    return taken.what if taken.barred else f"{taken.what}; that needs consent"


def unread(live: Mapping[ObjectRef, LiveObject]) -> tuple[Finding, ...]:
    """Why objects could not be read."""
    return tuple(each.error for each in live.values() if each.error is not None)


def entries_of(members: ManifestSet) -> tuple[InventoryEntry, ...]:
    """What to ask a target for, to see these objects."""
    return tuple(
        InventoryEntry(ref=m.ref, api_version=m.api_version, digest=Digest("")) for m in members
    )


async def _taken_along(
    connection: TargetConnection, inventory: Inventory | None, found: ChangeSet
) -> Mapping[ObjectRef, Taken]:
    """What the Namespaces and definitions that would go hold of others'; asked only where one would."""
    pruned = [c.entry for c in found.of(Action.PRUNED) if c.reason != ALREADY_GONE]
    entries = [e for e in pruned if e is not None and e.ref.group_kind in {NAMESPACE, DEFINITION}]
    if not entries or inventory is None:
        return {}
    return await connection.taken_along(inventory, entries)


def _without_hooks(inventory: Inventory, scope: Scope, *, removing: bool) -> Inventory:
    """The inventory of members alone; a removal takes the objects of hooks along."""
    hooks = {hook.ref for hook in scope.hooks}
    entries = {ref: entry for ref, entry in inventory.entries.items() if ref not in hooks}
    if removing:
        entries = {**hook_entries(inventory.hooks), **entries}
    return replace(inventory, entries=entries)


async def occasion_at(
    connection: TargetConnection, work: Work, scope: Scope, inventory: Inventory | None
) -> Occasion | None:
    """What this change is to the target, asked only where there are hooks or a section to keep."""
    if work.removing:
        return None
    found = False
    if inventory is None and scope.hooks:
        live = await connection.read_live(entries_of(scope.members))
        found = any(there.owner == work.owner for there in live.values())
    return occasion_of(
        inventory,
        change=work.change or work.revision,
        revision=work.revision,
        rolling_back=work.rolling_back,
        found=found,
    )


def no_inventory(work: Work) -> Inventory:
    """The inventory of a target that has none yet."""
    return Inventory(
        environment=work.environment, instance=work.instance, cluster=work.cluster.name
    )


def log_of(
    work: Work,
    scope: Scope,
    inventory: Inventory,
    occasion: Occasion | None,
    steps: tuple[HookStep, ...],
) -> HookLog:
    """The hooks' section as it is once this change began."""
    return opened(
        inventory,
        steps,
        change=REMOVED if work.removing else work.change or work.revision,
        revision=work.revision,
        occasion=occasion,
        sequence=work.sequence,
        members=scope.members.refs(),
        hooks=scope.hooks,
    )


def wide(
    work: Work,
    scope: Scope,
    inventory: Inventory | None,
    occasion: Occasion | None,
    steps: tuple[HookStep, ...],
) -> Inventory:
    """The inventory to write before anything else is."""
    base = inventory or no_inventory(work)
    log = log_of(work, scope, base, occasion, steps)
    if base.hooks.occasion is None and not _waits(work, steps):
        log = replace(log, occasion=None)
    return widened(
        base,
        scope.members,
        sequence=work.sequence,
        ledger_commit=work.ledger_commit,
        revision=work.revision,
        hooks=log,
    )


def _waits(work: Work, steps: tuple[HookStep, ...]) -> bool:
    """Whether an inventory must say that a change is under way, and so be written at its end once more.

    Else the objects tell how far it came. Where drift is not healed, what is missing must be told apart
    from what was not made yet.
    """
    ordered = bool(work.depends_on) or asks_for_order(work.desired)
    return bool(steps) or ordered or work.drift is not DriftMode.HEAL
