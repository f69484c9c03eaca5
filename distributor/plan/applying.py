"""A change set becomes an apply plan: phases of groups, each edge kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from types import MappingProxyType

from distributor.errors.rollout import DependencyCycle
from distributor.model.changes import (
    Action,
    ApplyGroup,
    ApplyPlan,
    ChangeSet,
    InventoryEntry,
    Phase,
)
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.ownership import ABSENT, Claim
from distributor.model.refs import ObjectRef
from distributor.plan.dependencies import Edges, Needs, needs
from distributor.plan.order import DEFINITION, NAMESPACE, ordered, rank

GROUND = "ground"
"""The phase of what hooks stand on: it comes before the hooks that come before all else."""
_NOTHING: Mapping[str, tuple[str, ...]] = MappingProxyType({})


def apply_plan(
    changes: ChangeSet,
    desired: ManifestSet,
    *,
    depends_on: Mapping[str, tuple[str, ...]] = _NOTHING,
    hooked: bool = False,
) -> ApplyPlan:
    """Order what must be written and deleted.

    ``depends_on`` is the package's ``delivery.dependsOn``. Where hooks run before all else (``hooked``),
    the Namespaces and CRDs that they may need come first, in a phase of their own. Raises ``DependencyCycle`` for objects, or
    phases, that wait for each other, and ``Invalid`` for references and phases that cannot be read.
    """
    said = needs(desired, depends_on)
    edges = said.all()
    refuse_cycles(edges)
    phases = _lowered(said)
    _refuse_contradictions(edges, phases)
    writes = _manifests(changes, Action.CREATED, Action.CONFIGURED)
    ground = _ground(writes, edges) if hooked else ()
    by_phase = sorted((m for m in writes if m not in ground), key=lambda m: phases.get(m.ref, 0))
    numbered = tuple(
        Phase(
            name=str(number),
            groups=tuple(_groups(tuple(members), edges)),
            after=frozenset(ref for ref, earlier in phases.items() if earlier < number),
        )
        for number, members in groupby(by_phase, key=lambda m: phases.get(m.ref, 0))
    )
    first = (Phase(name=GROUND, groups=tuple(_groups(ground, edges))),) if hooked else ()
    return ApplyPlan(
        phases=(*first, *numbered),
        prune=_prune_groups(changes),
        unchanged=ordered(_manifests(changes, Action.UNCHANGED)),
        dependencies={ref: found for ref, found in edges.items() if found},
        awaits={ref: found for ref, found in said.asked.items() if found},
        claims=_claims(changes),
        recreates=frozenset(c.ref for c in changes.changes if c.recreates),
    )


def _claims(changes: ChangeSet) -> dict[ObjectRef, Claim]:
    made = {c.ref: ABSENT for c in changes.of(Action.CREATED)}
    return made | {c.ref: c.claim for c in changes.changes if c.claim is not None}


def dependents(plan: ApplyPlan, failed: frozenset[ObjectRef]) -> frozenset[ObjectRef]:
    """Everything that needs one of ``failed``, at any remove; without ``failed`` itself."""
    return frozenset(blocked_by(plan, failed))


def blocked_by(plan: ApplyPlan, failed: frozenset[ObjectRef]) -> dict[ObjectRef, ObjectRef]:
    """Everything that needs one of ``failed``, at any remove, with the one that it needs."""
    if not failed:
        return {}
    needed_by: dict[ObjectRef, list[ObjectRef]] = {}
    for ref, wanted in plan.dependencies.items():
        for needed in wanted:
            needed_by.setdefault(needed, []).append(ref)
    found: dict[ObjectRef, ObjectRef] = {}
    for cause in sorted(failed):
        pending = [cause]
        while pending:
            fresh = [ref for ref in needed_by.get(pending.pop(), ()) if ref not in found]
            found.update(dict.fromkeys(fresh, cause))
            pending.extend(fresh)
    return {ref: cause for ref, cause in found.items() if ref not in failed}


def refuse_cycles(edges: Edges) -> None:
    """Raise ``DependencyCycle``, naming the circle, if there is one."""
    waiting = {ref: set(wanted) & edges.keys() for ref, wanted in edges.items()}
    while ready := [ref for ref, wanted in waiting.items() if not wanted]:
        for ref in ready:
            del waiting[ref]
        done = set(ready)
        for wanted in waiting.values():
            wanted.difference_update(done)
    if waiting:
        raise DependencyCycle(f"({_circle(waiting)})")


def _circle(waiting: Mapping[ObjectRef, Collection[ObjectRef]]) -> str:
    """One circle among objects that all wait for another of them."""
    walked = [min(waiting)]
    while (following := min(waiting[walked[-1]])) not in walked:
        walked.append(following)
    return " -> ".join(str(ref) for ref in [*walked[walked.index(following) :], following])


def _lowered(said: Needs) -> dict[ObjectRef, int]:
    """Phases, where a Namespace or CRD comes no later than the first object that needs it."""
    phases = dict(said.phases)
    for ref, wanted in said.implied.items():
        for needed in wanted:
            phases[needed] = min(phases[needed], said.phases[ref])
    return phases


def _refuse_contradictions(edges: Edges, phases: Mapping[ObjectRef, int]) -> None:
    wrong = [
        f"{ref} of phase {phases[ref]} needs {needed} of phase {phases[needed]}"
        for ref, wanted in sorted(edges.items())
        for needed in sorted(wanted)
        if phases[needed] > phases[ref]
    ]
    if wrong:
        remedy = "Give the needed object the same phase or an earlier one."
        raise DependencyCycle(f"({'; '.join(wrong)})", remedy=remedy)


def _ground(writes: tuple[Manifest, ...], edges: Edges) -> tuple[Manifest, ...]:
    """Namespaces and CRDs that need nothing that is still to be written but each other."""
    found = {m.ref: m for m in writes if m.ref.group_kind in {NAMESPACE, DEFINITION}}
    later = {m.ref for m in writes} - found.keys()
    while waits := {ref for ref in found if edges.get(ref, frozenset()) & later}:
        later |= waits
        for ref in waits:
            del found[ref]
    return tuple(found.values())


def _manifests(changes: ChangeSet, *actions: Action) -> tuple[Manifest, ...]:
    return tuple(c.manifest for c in changes.of(*actions) if c.manifest is not None)


def _groups(members: tuple[Manifest, ...], edges: Edges) -> Iterator[ApplyGroup]:
    """Always the earliest kind of what is ready; so edges hold, and else the order of kinds does."""
    waiting = {m.ref: m for m in members}
    while waiting:
        ready = [
            m for ref, m in waiting.items() if not (edges.get(ref, frozenset()) & waiting.keys())
        ]
        first = min(rank(m.ref) for m in ready)
        group = ordered(m for m in ready if rank(m.ref) == first)
        for manifest in group:
            del waiting[manifest.ref]
        yield ApplyGroup(manifests=group)


def _prune_groups(changes: ChangeSet) -> tuple[tuple[InventoryEntry, ...], ...]:
    """The kinds in reverse: what was applied last goes first, a Namespace after all else."""
    gone = [c.entry for c in changes.of(Action.PRUNED) if c.entry is not None]
    gone.sort(key=lambda e: (-rank(e.ref), e.ref))
    return tuple(tuple(group) for _, group in groupby(gone, key=lambda e: rank(e.ref)))
