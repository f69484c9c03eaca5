"""Applying: the phases and prune groups of one target's plan, with the fence read before each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distributor.errors.cluster import DeletePending, ImmutableField, LetGo
from distributor.errors.rollout import DependencySkipped
from distributor.model.changes import Action, ApplyGroup, ApplyPlan, ChangeSet, Outcome, Phase
from distributor.model.consents import Deed, Question
from distributor.model.findings import Finding, Severity
from distributor.model.health import ObjectHealth
from distributor.model.manifest import Manifest
from distributor.model.ownership import ABSENT
from distributor.model.refs import ObjectRef
from distributor.plan import DEFINITION, NAMESPACE, blocked_by, left_out
from distributor.services.targets.awaiting import asked_for, earlier_phases
from distributor.services.targets.looking_again import judged_again
from distributor.services.targets.work import Run, changed_meanwhile


async def apply_phases(run: Run, plan: ApplyPlan, phases: Sequence[Phase]) -> ObjectHealth | None:
    """Apply phase by phase; what depends on a failed object is skipped, its neighbours go on.

    While a change is under way, a phase waits for those before it, and an object for those that it asks
    for: then the object that is waited for is the answer, and the next reconcile goes on.
    """
    if not run.connection.ordered:
        everything = [m for phase in phases for group in phase.groups for m in group.manifests]
        if everything:
            run.outcomes.extend(await run.connection.apply(run.inventory, everything))
        return None
    held: dict[ObjectRef, ObjectHealth] = {}
    for phase in phases:
        stopped = sorted((_broken(run) | run.refused) & phase.after)
        if stopped:
            why = f"phase {phase.name} comes after {stopped[0]}"
            run.outcomes.extend(_skipped(m.ref, why) for g in phase.groups for m in g.manifests)
            continue
        awaited = _first(held) or await earlier_phases(run, phase)
        if awaited is not None:
            return awaited
        if run.outcomes:
            run.held = None  # whatever was known: it is read again before each phase
        for group in phase.groups:
            held.update(await _apply_group(run, plan, group, held))
    return _first(held)


def _broken(run: Run) -> frozenset[ObjectRef]:
    """What failed by itself, and not because of another, nor because it is another's."""
    bad = ((o.ref, o.error) for o in run.outcomes if o.ref not in run.refused)
    return frozenset(r for r, error in bad if error and error.code != DependencySkipped.code)


def _first(held: Mapping[ObjectRef, ObjectHealth]) -> ObjectHealth | None:
    return next(iter(held.values()), None)


async def _apply_group(
    run: Run, plan: ApplyPlan, group: ApplyGroup, held: Mapping[ObjectRef, ObjectHealth]
) -> dict[ObjectRef, ObjectHealth]:
    """Apply what may be applied now; what has to wait, with what it waits for.

    A Namespace or definition that was left as it is serves those that need it none the worse.
    """
    left = (r for r in run.refused if r.group_kind not in {NAMESPACE, DEFINITION})
    blocked = blocked_by(plan, _broken(run).union(left))
    for manifest in group.manifests:
        if manifest.ref in blocked:
            run.outcomes.append(_skipped(manifest.ref, f"it needs {blocked[manifest.ref]}"))
    rest = [m for m in group.manifests if m.ref not in blocked]
    behind = blocked_by(plan, frozenset(held))
    waiting = {m.ref: held[behind[m.ref]] for m in rest if m.ref in behind}
    waiting |= await asked_for(run, plan, [m for m in rest if m.ref not in waiting])
    ready = [m for m in rest if m.ref not in waiting]
    if ready:
        await run.hold_fence()
        run.outcomes.extend(await _applied(run, plan, ready))
    return waiting


async def _applied(run: Run, plan: ApplyPlan, ready: Sequence[Manifest]) -> Sequence[Outcome]:
    """Apply; what the server says cannot change is made anew, where the plan said that it may be.

    What another made or took since it was looked at is judged once more, by whose it is now.
    """
    outcomes = await run.connection.apply(run.inventory, ready, plan.claims)
    stuck = {o.ref for o in outcomes if _cannot_change(o)} & plan.recreates
    anew = {m.ref: await _made_anew(run, m) for m in ready if m.ref in stuck}
    outcomes = tuple(anew.get(outcome.ref, outcome) for outcome in outcomes)
    moved = {o.ref for o in outcomes if changed_meanwhile(o)}
    again = await judged_again(run, [m for m in ready if m.ref in moved]) if moved else {}
    return [again.get(outcome.ref, outcome) for outcome in outcomes]


async def _made_anew(run: Run, manifest: Manifest) -> Outcome:
    """Delete and apply again; a crash in between leaves an object that is missing, and so is made."""
    await run.check_fence()
    entry = run.inventory.entries[manifest.ref]
    (gone,) = await run.connection.delete(run.inventory, [entry])
    if gone.error is not None:
        return gone
    (made,) = await run.connection.apply(run.inventory, [manifest], {manifest.ref: ABSENT})
    return made


def _cannot_change(outcome: Outcome) -> bool:
    return outcome.error is not None and outcome.error.code == ImmutableField.code


async def release(run: Run, planned: ChangeSet) -> None:
    """Let go of what stays although the revision has it no more, so that others may take it."""
    kept = [c.entry for c in planned.changes if c.releases and c.entry is not None]
    if kept:
        await run.check_fence()
        run.outcomes.extend(await run.connection.release(run.inventory, kept))


async def prune(run: Run, plan: ApplyPlan) -> None:
    """Delete group by group; a Namespace only when everything in it went.

    What was gone when it was looked for is only looked for again: what is there now was never judged.
    """
    for group in plan.prune:
        left = {ref.namespace: ref for ref in run.failed if ref.namespace}
        empty = [e for e in group if e.ref.group_kind != NAMESPACE or e.ref.name not in left]
        full = (e.ref for e in group if e.ref.group_kind == NAMESPACE and e.ref.name in left)
        run.outcomes.extend(_skipped(ref, f"it holds {left[ref.name]}") for ref in full)
        if absent := [entry for entry in empty if entry.ref in run.gone]:
            there = await run.connection.read_live(absent)
            away = (entry.ref for entry in absent if entry.ref not in there)
            run.outcomes.extend(Outcome(ref=ref, action=Action.PRUNED) for ref in away)
        if present := [entry for entry in empty if entry.ref not in run.gone]:
            await run.check_fence()
            deleted = await run.connection.delete(run.inventory, present)
            run.outcomes.extend(_let_go(run, outcome) for outcome in deleted)


def _let_go(run: Run, outcome: Outcome) -> Outcome:
    """What should be gone and is held is forgotten where a person said so; everything else is as it is."""
    held = outcome.error is not None and outcome.error.code == DeletePending.code
    if not held or outcome.error is None or outcome.ref not in run.overdue:
        return outcome
    if not run.may(Question(deed=Deed.FORGET, ref=outcome.ref, uid=run.overdue[outcome.ref])):
        return outcome
    message = f"({outcome.error.message})"
    run.warnings.append(Finding.of(LetGo, message, severity=Severity.WARNING))
    return Outcome(ref=outcome.ref, action=Action.PRUNED)


def _skipped(ref: ObjectRef, why: str) -> Outcome:
    return Outcome(ref=ref, action=Action.SKIPPED, error=left_out(ref, why))
