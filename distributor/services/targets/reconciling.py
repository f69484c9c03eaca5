"""Reconciling one target: read, plan, widen, apply phase by phase, prune, narrow, look at health."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace

from distributor import metrics
from distributor.errors import DistributorError
from distributor.errors.cluster import (
    Adopted,
    Fenced,
    ForeignLedger,
)
from distributor.model.changes import (
    Action,
    Actuation,
    ApplyPlan,
    ChangeSet,
    Glance,
    Inventory,
    LiveObject,
    TargetReport,
)
from distributor.model.drift import ObjectDrift, Standing
from distributor.model.findings import Finding, errors
from distributor.model.fleet import DriftMode
from distributor.model.health import HealthStatus, ObjectHealth
from distributor.model.hooks import Moment
from distributor.model.refs import ObjectId, ObjectRef
from distributor.plan import (
    ALREADY_GONE,
    apply_plan,
    made_here,
    overdue,
    refused,
    remaining,
    says_the_same,
    schedule,
)
from distributor.ports import TargetConnection
from distributor.services.targets.applying import apply_phases, prune, release
from distributor.services.targets.awaiting import before_prune, hurried, unended_jobs
from distributor.services.targets.comparing import (
    changes_of,
    entries_of,
    log_of,
    no_inventory,
    occasion_at,
    scope_of,
    wide,
)
from distributor.services.targets.drift_modes import look_for_drift, stays
from distributor.services.targets.hooking import (
    foreseen_hooks,
    run_failure_hooks,
    run_hooks,
)
from distributor.services.targets.narrowing import narrow
from distributor.services.targets.observing import observed
from distributor.services.targets.placing import in_place
from distributor.services.targets.recovering import begun, never_there, recover
from distributor.services.targets.rehearsing import rehearsed
from distributor.services.targets.reporting import ended_by, reported
from distributor.services.targets.taking_back import in_time
from distributor.services.targets.work import Run, Scope, Work
from distributor.services.world import World


async def plan_target(world: World, work: Work) -> ChangeSet:
    """What a reconcile would change, and which hooks it would run, without doing any of it.

    The target is asked what it would say, and keeps nothing.
    """
    connection = await world.connections.open(work.cluster, work.account)
    inventory = await connection.read_inventory(work.environment, work.instance)
    work, inventory = await in_place(connection, work, inventory)
    scope = scope_of(connection, work)
    healing = work.drift is DriftMode.HEAL
    if inventory is not None and not healing and _is_settled(inventory, work, scope):
        return (await look_for_drift(connection, work, scope, inventory)).planned
    found, live = await changes_of(connection, work, scope, inventory)
    occasion = await occasion_at(connection, work, scope, inventory)
    steps = schedule(scope.hooks, occasion)
    log = log_of(work, scope, inventory or no_inventory(work), occasion, steps)
    left = remaining(log, steps)
    hooks = await foreseen_hooks(connection, work, left, log, world.clock.now())
    found = await rehearsed(connection, work, found, live, steps=steps, hooks=hooks)
    told = (hook.told for hook in hooks if hook.told is not None)
    return replace(found, hooks=left, findings=(*found.findings, *told))


BeforeWrite = Callable[[], Awaitable[None]]
"""Called before the first write to a target; what it raises, ``reconcile_target`` raises."""


class _NotOursError(Exception):
    """Carries what ``BeforeWrite`` raised past the errors of the target."""

    def __init__(self, error: DistributorError) -> None:
        super().__init__(str(error))
        self.error = error


async def reconcile_target(
    world: World,
    work: Work,
    before_write: BeforeWrite | None = None,
    glance: Glance | None = None,
) -> TargetReport:
    """Bring one target to its revision and say how that went; no error of the target is raised.

    A ``glance`` at it saves reading it where nothing is to be done.
    """
    begun = world.clock.now()
    try:
        connection = await world.connections.open(work.cluster, work.account)
        report = await _glanced_at(world, connection, work, glance) if glance else None
        report = report or await _reconcile(world, connection, work, before_write)
    except _NotOursError as refused:
        raise refused.error from refused
    except DistributorError as error:
        report = ended_by(world, work, error)
    metrics.RECONCILES.labels(work.environment, report.actuation.value).inc()
    metrics.RECONCILE_SECONDS.observe((world.clock.now() - begun).total_seconds())
    return report


async def _glanced_at(
    world: World, connection: TargetConnection, work: Work, glance: Glance
) -> TargetReport | None:
    """The report of a target that is in step by a glance; for any other nothing: it has to be read."""
    work, inventory = await in_place(connection, work, glance.inventory)
    scope = scope_of(connection, work)
    if (
        inventory != glance.inventory
        or not _is_settled(glance.inventory, work, scope)
        or not scope.members.refs() <= glance.live.keys()
    ):
        return None
    _check_inventory(world, work, glance.inventory)
    return (await _in_step(world, connection, work, scope, glance))[0]


async def _in_step(
    world: World,
    connection: TargetConnection,
    work: Work,
    scope: Scope,
    there: Inventory | Glance,
) -> tuple[TargetReport | None, tuple[ObjectDrift, ...]]:
    """The report of a settled target that nothing is to be done on, and the drift that was found."""
    inventory, seen = (there.inventory, there.live) if isinstance(there, Glance) else (there, None)
    looked = await look_for_drift(connection, work, scope, inventory, seen)
    if not looked.planned.empty:
        return None, looked.drifted
    health: tuple[ObjectHealth, ...] = ()
    if not connection.delivered_only:
        health = await observed(
            world, work, inventory, scope.members, looked.live, astray=looked.astray
        )
    report = _settled(world, work, connection, planned=looked.planned, health=health)
    return _with_drift(report, looked.drifted), looked.drifted


def _with_drift(report: TargetReport, drifted: tuple[ObjectDrift, ...]) -> TargetReport:
    """What is at rest in a fight is told as that, and not as a drift each time."""
    told = tuple(str(one) for one in drifted if one.standing is not Standing.RESTING)
    return replace(report, drift=told, drifted=drifted)


async def _reconcile(
    world: World, connection: TargetConnection, work: Work, before_write: BeforeWrite | None
) -> TargetReport:
    asked = world.clock.now()
    inventory = await connection.read_inventory(work.environment, work.instance)
    work, inventory = await in_place(connection, work, inventory)
    _check_inventory(world, work, inventory)
    if inventory is None and work.removing:
        return await never_there(world, connection, work)
    if work.started_only and (inventory is None or inventory.sequence < work.sequence):
        return reported(world, work, Actuation.PENDING)
    scope = scope_of(connection, work)
    drift: tuple[ObjectDrift, ...] = ()
    if inventory is not None and _is_settled(inventory, work, scope):
        settled, drift = await _in_step(world, connection, work, scope, inventory)
        if settled is not None:
            return settled
    else:
        work = replace(work, resting=frozenset())  # a new revision is applied in full
    await _allowed(before_write)
    occasion = await occasion_at(connection, work, scope, inventory)
    steps = schedule(scope.hooks, occasion)
    first = await _new(connection, work, scope) if inventory is None else None
    begin = begun(wide(work, scope, inventory, occasion, steps), first, work.owner)
    if begin != inventory:
        asked = world.clock.now()
        begin = await connection.write_inventory(begin)
    run = Run(
        world=world,
        connection=connection,
        work=work,
        scope=scope,
        steps=steps,
        inventory=begin,
        occasion=occasion,
        held=asked,
    )
    if run.inventory.recovering:
        inventory, first = await recover(run), None
    # Looked at only now: since that write, whoever came before begins nothing more here.
    planned, live = first or await changes_of(connection, work, scope, inventory)
    run.refused = refused(planned)
    run.gone = frozenset(c.ref for c in planned.of(Action.PRUNED) if c.reason == ALREADY_GONE)
    run.overdue = _overdue(run, live)
    run.uids = {ref: there.uid for ref, there in live.items() if made_here(there, work.owner)}
    return _with_drift(await _told(run, planned), drift)


async def _told(run: Run, planned: ChangeSet) -> TargetReport:
    """The report of what is carried out; what was done before an error stays told."""
    try:
        report = await in_time(run, _carried_out(run, planned))
    except DistributorError as error:
        findings = (*run.failures(), *planned.findings, *run.warnings)
        asked = (*planned.questions, *run.questions)
        done = tuple(run.outcomes)
        report = ended_by(run.world, run.work, error, done, findings, questions=asked)
    for outcome in run.outcomes:
        metrics.OBJECTS.labels(outcome.action.value).inc()
    return report


async def _new(
    connection: TargetConnection, work: Work, scope: Scope
) -> tuple[ChangeSet, Mapping[ObjectRef, LiveObject]]:
    """What changes on a target without an inventory: nothing is expected there yet."""
    seen = await connection.read_live(entries_of(scope.members), new=True)
    return await changes_of(connection, work, scope, None, seen)


async def _carried_out(run: Run, planned: ChangeSet) -> TargetReport:
    """Hooks before, the instance's own objects, and, when these are current, hooks after."""
    at_work = await _apply_all(run, planned)
    later = [s for s in run.steps if s.moment is Moment.POST]
    whole = not (run.failed or at_work or errors(planned.findings))
    await narrow(run, planned, whole=whole and not later)
    seen = await _seen(run, planned, at_work)
    if later and not (run.failed or at_work) and _current(seen):
        at_work = await unended_jobs(run) or await run_hooks(run, Moment.POST)
        await narrow(run, planned, whole=whole and not (at_work or run.failed))
    if any(o.error is not None and not o.retryable for o in run.outcomes):
        at_work = await run_failure_hooks(run) or at_work
    bad = bool(run.failed or errors(planned.findings))
    waits = at_work is not None and at_work.status is not HealthStatus.FAILED
    actuation = Actuation.APPLYING if waits else Actuation.APPLIED
    return reported(
        run.world,
        run.work,
        Actuation.FAILED if bad else actuation,
        health=(*seen, at_work) if at_work else seen,
        delivered=run.connection.delivered_only,
        outcomes=tuple(run.outcomes),
        findings=(*run.failures(), *_true_still(run, planned), *run.warnings),
        questions=(*planned.questions, *run.questions),
    )


def _true_still(run: Run, planned: ChangeSet) -> Iterator[Finding]:
    """What was found, without what was to be adopted and became another's first."""
    lost = {str(ref) for ref in run.refused}
    return (f for f in planned.findings if f.code != Adopted.code or f.where.file not in lost)


def _overdue(run: Run, live: Mapping[ObjectRef, LiveObject]) -> Mapping[ObjectRef, str]:
    now = run.world.clock.now()
    late = (there for there in live.values() if overdue(there, now, run.work.patience))
    return {there.ref: there.uid for there in late}


async def _apply_all(run: Run, planned: ChangeSet) -> ObjectHealth | None:
    """Apply and prune, after the hooks that come before; what has to be waited for, if anything has."""
    work = run.work
    before = any(s.moment is Moment.PRE for s in run.steps)
    plan = apply_plan(planned, work.desired, depends_on=work.depends_on, hooked=before)
    phases = list(plan.phases)
    if before:
        await apply_phases(run, plan, [phases.pop(0)])
        at_work = None if run.failed else await run_hooks(run, Moment.PRE)
        if at_work is not None or run.failed:
            return at_work
    if run.inventory.hooks.occasion is not None and not run.inventory.hooks.begun:
        log = replace(run.inventory.hooks, begun=True)
        run.inventory = await run.connection.write_inventory(replace(run.inventory, hooks=log))
    awaited = await apply_phases(run, plan, phases)
    if awaited is None and not run.failed:
        await release(run, planned)
    if plan.prune:
        awaited = await _prune(run, plan, planned, awaited)
    if any(o.action is Action.CREATED for o in run.outcomes):
        run.held = None  # what a newer one does not know stands in no inventory: it is taken back
    if run.outcomes:
        await run.hold_fence()
    return awaited


async def _prune(
    run: Run, plan: ApplyPlan, planned: ChangeSet, awaited: ObjectHealth | None
) -> ObjectHealth | None:
    """Delete what need not wait: all of it, or, where something failed or is ``awaited``, what was agreed to."""
    behind = awaited
    if behind is None and not run.failed:
        there = any(c.reason != ALREADY_GONE for c in planned.of(Action.PRUNED))
        behind = await before_prune(run) if there else None
    left = False
    if behind is not None or run.failed:
        plan, left = hurried(run, plan, planned)
    await prune(run, plan)
    return behind if left else awaited


async def _seen(
    run: Run, planned: ChangeSet, at_work: ObjectHealth | None
) -> tuple[ObjectHealth, ...]:
    """The health of the instance's own objects; none while something is waited for before they are all applied.

    What an apply has just told of an object is not read again, unless a rule of the package asks for more.
    """
    if run.connection.delivered_only or at_work or run.work.removing:
        return ()
    members = run.scope.members
    refs = members.refs()
    told = {o.ref: o.after for o in run.outcomes if o.after and o.ref in refs}
    told = {ref: there for ref, there in told.items() if ref.group_kind not in run.work.health}
    entries = [e for e in run.inventory.entries.values() if e.ref in refs and e.ref not in told]
    live = {**told, **(await run.connection.read_live(entries) if entries else {})}
    astray = stays(planned.changes)
    return await observed(run.world, run.work, run.inventory, members, live, astray=astray)


def _current(seen: tuple[ObjectHealth, ...]) -> bool:
    return all(h.status is HealthStatus.CURRENT for h in seen)


def _is_settled(inventory: Inventory, work: Work, scope: Scope) -> bool:
    """Whether the inventory says that this was begun, and nothing of it is under way."""
    same = says_the_same(inventory, scope.members)
    return inventory.sequence == work.sequence and same


async def _allowed(before_write: BeforeWrite | None) -> None:
    if before_write is None:
        return
    try:
        await before_write()
    except DistributorError as error:
        raise _NotOursError(error) from error


def _check_inventory(world: World, work: Work, inventory: Inventory | None) -> None:
    if inventory is None:
        return
    if inventory.sequence > work.sequence:
        raise Fenced(f"(sequence {inventory.sequence} has started, this is {work.sequence})")
    known = inventory.ledger_commit if inventory.sequence >= work.renewed_below else ""
    if known and not world.objects.is_ancestor(ObjectId(known), work.ledger_commit):
        raise ForeignLedger(f"(ledger commit {known} is not in this ledger)")


def _settled(
    world: World,
    work: Work,
    connection: TargetConnection,
    *,
    planned: ChangeSet,
    health: tuple[ObjectHealth, ...],
) -> TargetReport:
    """Nothing to write: only health and findings are told."""
    actuation = Actuation.FAILED if errors(planned.findings) else Actuation.APPLIED
    return reported(
        world,
        work,
        actuation,
        health=health,
        delivered=connection.delivered_only,
        findings=planned.findings,
        questions=planned.questions,
    )
