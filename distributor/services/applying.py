"""Applying: the phases and prune groups of one target's plan, with the fence read before each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from distributor.errors.cluster import DeletePending, ImmutableField, LetGo
from distributor.errors.rollout import DependencySkipped
from distributor.model.changes import Action, ApplyPlan, Outcome, Phase
from distributor.model.findings import Finding, Severity
from distributor.model.health import HealthStatus, ObjectHealth, worst
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import ObjectRef
from distributor.model.tags import Verb
from distributor.plan import NAMESPACE, dependents
from distributor.services.observing import observed
from distributor.services.work import Run


async def apply_phases(run: Run, plan: ApplyPlan, phases: Sequence[Phase]) -> ObjectHealth | None:
    """Apply phase by phase; what depends on a failed object is skipped, its neighbours go on.

    While a change is under way, a phase waits for those before it: then the object that it waits for is
    the answer, and the next reconcile goes on. What was whole once is healed without waiting.
    """
    if not run.connection.ordered:
        everything = [m for phase in phases for group in phase.groups for m in group.manifests]
        if everything:
            run.outcomes.extend(await run.connection.apply(run.inventory, everything))
        return None
    for phase in phases:
        if run.inventory.hooks.occasion is not None and phase.after:
            awaited = await _awaited(run, phase)
            if awaited is not None:
                return awaited
        for group in phase.groups:
            blocked = dependents(plan, run.failed)
            ready = [m for m in group.manifests if m.ref not in blocked]
            run.outcomes.extend(_skipped(m.ref) for m in group.manifests if m.ref in blocked)
            if not ready:
                continue
            if run.outcomes:
                await run.check_fence()
            run.outcomes.extend(await _applied(run, plan, ready))
        if run.failed:
            break
    return None


async def _applied(run: Run, plan: ApplyPlan, ready: Sequence[Manifest]) -> Sequence[Outcome]:
    """Apply; what the server says cannot change is made anew, where the plan said that it may be."""
    outcomes = await run.connection.apply(run.inventory, ready, plan.claims)
    stuck = {o.ref for o in outcomes if _cannot_change(o)} & plan.recreates
    anew = {m.ref: await _made_anew(run, m) for m in ready if m.ref in stuck}
    return [anew.get(outcome.ref, outcome) for outcome in outcomes]


async def _made_anew(run: Run, manifest: Manifest) -> Outcome:
    """Delete and apply again; a crash in between leaves an object that is missing, and so is made."""
    await run.check_fence()
    entry = run.inventory.entries[manifest.ref]
    (gone,) = await run.connection.delete(run.inventory, [entry])
    if gone.error is not None:
        return gone
    (made,) = await run.connection.apply(run.inventory, [manifest])
    return made


def _cannot_change(outcome: Outcome) -> bool:
    return outcome.error is not None and outcome.error.code == ImmutableField.code


async def _awaited(run: Run, phase: Phase) -> ObjectHealth | None:
    """The worst of the objects that a phase waits for, unless all of them are current."""
    members = ManifestSet.of(m for m in run.scope.members if m.ref in phase.after)
    entries = [e for ref, e in run.inventory.entries.items() if ref in phase.after]
    live = await run.connection.read_live(entries)
    seen = await observed(run.world, run.work, run.inventory, members, live)
    status = worst(h.status for h in seen)
    first = next((h for h in seen if h.status is status), None)
    if first is None or status is HealthStatus.CURRENT:
        return None
    return replace(first, message=f"phase {phase.name} waits for it: {first.message}")


async def prune(run: Run, plan: ApplyPlan) -> None:
    """Delete group by group; a Namespace only when everything in it went."""
    for group in plan.prune:
        left = {ref.namespace: ref for ref in run.failed if ref.namespace}
        empty = [e for e in group if e.ref.group_kind != NAMESPACE or e.ref.name not in left]
        run.outcomes.extend(_skipped(e.ref) for e in group if e not in empty)
        if not empty:
            continue
        await run.check_fence()
        deleted = await run.connection.delete(run.inventory, empty)
        run.outcomes.extend(_let_go(run, outcome) for outcome in deleted)


def _let_go(run: Run, outcome: Outcome) -> Outcome:
    """What a finalizer holds is forgotten where a person said so; everything else is as it is."""
    held = outcome.error is not None and outcome.error.code == DeletePending.code
    if not held or Verb.DETACH not in run.work.agreed or outcome.error is None:
        return outcome
    message = f"({outcome.error.message})"
    run.warnings.append(Finding.of(LetGo, message, severity=Severity.WARNING))
    return Outcome(ref=outcome.ref, action=Action.PRUNED)


def _skipped(ref: ObjectRef) -> Outcome:
    return Outcome(ref=ref, action=Action.SKIPPED, error=Finding.of(DependencySkipped, f"({ref})"))
