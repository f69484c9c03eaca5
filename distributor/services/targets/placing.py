"""Placing: the work on a target with its objects where that target has them."""

from __future__ import annotations

from dataclasses import replace

from distributor.plan import DEFINITION, placed, ref_placed, unsure
from distributor.ports import TargetConnection
from distributor.render.finishing import refuse_duplicates
from distributor.render.scopes import cluster_wide, defined
from distributor.services.targets.work import Work


async def in_place(connection: TargetConnection, work: Work) -> Work:
    """The work, without namespaces on what the target says is cluster-wide.

    What the package defines itself is as it says there, before the target knows of it. Raises
    ``DuplicateObject`` where two of its objects are one there.
    """
    kinds = unsure([*work.desired.refs(), *work.former.refs()])
    if not kinds:
        return work
    definitions = [m.data() for m in work.desired if m.ref.group_kind == DEFINITION]
    wide = set(cluster_wide(definitions))
    asked = kinds - defined(definitions)
    if asked:
        scopes = await connection.scopes(asked)
        wide |= {kind for kind, inside in scopes.items() if not inside}
    desired = placed(work.desired, wide)
    refuse_duplicates(desired)
    hooks = tuple(replace(hook, ref=ref_placed(hook.ref, wide)) for hook in work.hooks)
    return replace(work, desired=desired, former=placed(work.former, wide), hooks=hooks)
