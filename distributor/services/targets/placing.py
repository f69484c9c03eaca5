"""Placing: the work on a target, and its inventory, with objects where that target has them."""

from __future__ import annotations

from dataclasses import replace

from distributor.model.changes import Inventory
from distributor.model.refs import GroupKind
from distributor.plan import DEFINITION, inventory_placed, placed, ref_placed, unsure
from distributor.ports import TargetConnection
from distributor.render.finishing import refuse_duplicates
from distributor.render.scopes import KNOWN_GROUPS, SCOPE, cluster_wide, defined, stated
from distributor.services.targets.work import Work


async def in_place(
    connection: TargetConnection, work: Work, inventory: Inventory | None
) -> tuple[Work, Inventory | None]:
    """The work and the inventory, without namespaces on what the target says is cluster-wide.

    Both by one answer, or what is wanted would look like another object than what is known. What the
    package defines itself is as it says there, before the target knows of it. Raises ``DuplicateObject``
    where two of its objects are one there.
    """
    known = inventory.entries.keys() if inventory is not None else ()
    kinds = unsure([*work.desired.refs(), *work.former.refs(), *known])
    if not kinds:
        return work, inventory
    definitions = [m.data() for m in work.desired if m.ref.group_kind == DEFINITION]
    wide = set(cluster_wide(definitions))
    asked = kinds - defined(definitions)
    scopes = await connection.scopes(asked) if asked else {}
    wide |= {kind for kind, inside in scopes.items() if not inside}
    desired = placed(work.desired, wide)
    refuse_duplicates(desired)
    hooks = tuple(replace(hook, ref=ref_placed(hook.ref, wide)) for hook in work.hooks)
    guessed = _guessed(work, asked - scopes.keys()) if connection.delivered_only else frozenset()
    work = replace(
        work, desired=desired, former=placed(work.former, wide), hooks=hooks, guessed=guessed
    )
    return work, inventory_placed(inventory, wide) if inventory is not None else None


def _guessed(work: Work, unknown: frozenset[GroupKind]) -> frozenset[GroupKind]:
    """The kinds of desired objects that are taken for namespaced although nothing says so."""
    wanted = {m.ref.group_kind for m in work.desired if m.ref.namespace} & unknown
    wanted = {kind for kind in wanted if kind.group not in KNOWN_GROUPS}
    mark = SCOPE.encode()
    told = stated(m.data() for m in work.desired if m.ref.group_kind in wanted and mark in m.body)
    return frozenset(wanted - told.keys())
