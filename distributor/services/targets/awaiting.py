"""Awaiting: what objects still to be applied wait for, by its name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from distributor.errors.rollout import DependencySkipped
from distributor.model.changes import Action, ApplyPlan, ChangeSet, Phase
from distributor.model.health import HealthStatus, ObjectHealth, worst
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import GroupKind, ObjectRef
from distributor.model.tags import Verb
from distributor.plan import ALREADY_GONE, in_a_hurry
from distributor.services.targets.observing import observed
from distributor.services.targets.work import Run

_JOB = GroupKind("batch", "Job")
_CLAIM = GroupKind("", "PersistentVolumeClaim")
"""It may wait for its first pod, so none waits for it."""


async def earlier_phases(run: Run, phase: Phase) -> ObjectHealth | None:
    """The worst of the objects that a phase waits for, unless all of them are current.

    Only while a change is under way: what was whole once is healed without waiting.
    """
    if run.inventory.hooks.occasion is None or not phase.after:
        return None
    first = _worst(await _not_current(run, phase.after))
    if first is None:
        return None
    return replace(first, message=f"phase {phase.name} waits for it: {first.message}")


async def asked_for(
    run: Run, plan: ApplyPlan, manifests: Iterable[Manifest]
) -> dict[ObjectRef, ObjectHealth]:
    """The objects that must wait, each with what it waits for: a ``depends-on`` that is not current."""
    if run.inventory.hooks.occasion is None:
        return {}
    asked = {m.ref: plan.awaits[m.ref] for m in manifests if m.ref in plan.awaits}
    if not asked:
        return {}
    late = {h.ref: h for h in await _not_current(run, frozenset().union(*asked.values()))}
    found: dict[ObjectRef, ObjectHealth] = {}
    for ref, wanted in asked.items():
        first = _worst([late[w] for w in sorted(wanted) if w in late])
        if first is not None:
            found[ref] = replace(first, message=f"{ref} waits for it: {first.message}")
    return found


async def before_prune(run: Run) -> ObjectHealth | None:
    """What keeps objects that are not wanted any more from going: a member that is not current yet.

    Until the new is there, pods of the old may still start, and need what they were made with. Nobody waits
    where all is taken away, where nothing can be seen, or where a person said so.
    """
    work = run.work
    if work.removing or run.connection.delivered_only or Verb.CONSENT in work.agreed:
        return None
    members = {m.ref for m in run.scope.members if m.ref.group_kind != _CLAIM}
    first = _worst(await _not_current(run, members, jobs_to_their_end=False))
    text = "what is not wanted any more goes when this is current"
    return replace(first, message=f"{text}: {first.message}") if first else None


def hurried(run: Run, plan: ApplyPlan, planned: ChangeSet) -> tuple[ApplyPlan, bool]:
    """The plan with those deletions alone that people agreed not to wait for; whether others are left.

    People are asked about these, unless all that failed is tried again by itself.
    """
    failed = [o for o in run.outcomes if o.error and o.error.code != DependencySkipped.code]
    passing = bool(failed) and all(outcome.retryable for outcome in failed)
    may = run.work.may if passing else run.may
    asks = [in_a_hurry(c) for c in planned.of(Action.PRUNED) if c.reason != ALREADY_GONE]
    waiting = frozenset(question.ref for question in asks if not may(question))
    groups = (tuple(e for e in group if e.ref not in waiting) for group in plan.prune)
    return replace(plan, prune=tuple(group for group in groups if group)), bool(waiting)


async def unended_jobs(run: Run) -> ObjectHealth | None:
    """A Job of the instance that has not come to its end, for which the hooks after must wait."""
    jobs = {m.ref for m in run.scope.members if m.ref.group_kind == _JOB}
    first = _worst(await _not_current(run, jobs)) if jobs else None
    return (
        replace(first, message=f"the hooks after wait for it: {first.message}") if first else None
    )


async def _not_current(
    run: Run, refs: Collection[ObjectRef], *, jobs_to_their_end: bool = True
) -> list[ObjectHealth]:
    members = ManifestSet.of(m for m in run.scope.members if m.ref in refs)
    entries = [e for ref, e in run.inventory.entries.items() if ref in refs]
    live = await run.connection.read_live(entries)
    seen = await observed(
        run.world, run.work, run.inventory, members, live, jobs_to_their_end=jobs_to_their_end
    )
    return [h for h in seen if h.status is not HealthStatus.CURRENT]


def _worst(seen: list[ObjectHealth]) -> ObjectHealth | None:
    status = worst(h.status for h in seen)
    return next((h for h in seen if h.status is status), None)
