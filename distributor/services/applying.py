"""Applying: the phases and prune groups of one target's plan, with the fence read before each group."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.errors.rollout import DependencySkipped
from distributor.model.changes import Action, ApplyPlan, Outcome, Phase
from distributor.model.findings import Finding
from distributor.model.refs import ObjectRef
from distributor.plan import dependents
from distributor.services.work import Run


async def apply_phases(run: Run, plan: ApplyPlan, phases: Sequence[Phase]) -> None:
    """Apply phase by phase; what depends on a failed object is skipped, its neighbours go on."""
    if not run.connection.ordered:
        everything = [m for phase in phases for group in phase.groups for m in group.manifests]
        if everything:
            run.outcomes.extend(await run.connection.apply(run.inventory, everything))
        return
    for phase in phases:
        for group in phase.groups:
            blocked = dependents(plan, run.failed)
            ready = [m for m in group.manifests if m.ref not in blocked]
            run.outcomes.extend(_skipped(m.ref) for m in group.manifests if m.ref in blocked)
            if not ready:
                continue
            if run.outcomes:
                await run.check_fence()
            run.outcomes.extend(await run.connection.apply(run.inventory, ready))
        if run.failed:
            break


async def prune(run: Run, plan: ApplyPlan) -> None:
    """Delete group by group."""
    for group in plan.prune:
        await run.check_fence()
        run.outcomes.extend(await run.connection.delete(run.inventory, group))


def _skipped(ref: ObjectRef) -> Outcome:
    return Outcome(ref=ref, action=Action.SKIPPED, error=Finding.of(DependencySkipped, f"({ref})"))
