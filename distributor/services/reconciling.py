"""Reconciling one target: read, plan, widen, apply phase by phase, prune, narrow, look at health."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from distributor import metrics
from distributor.errors import DistributorError
from distributor.errors.cluster import (
    ClusterUnreachable,
    Fenced,
    ForeignLedger,
    InventoryBroken,
    TargetNotWritable,
)
from distributor.errors.rollout import DependencySkipped
from distributor.health import absent, health, plain_kinds
from distributor.model.changes import (
    Action,
    Actuation,
    ApplyPlan,
    ChangeSet,
    Inventory,
    InventoryEntry,
    LiveObject,
    Outcome,
    TargetReport,
)
from distributor.model.findings import Finding, errors
from distributor.model.fleet import Cluster
from distributor.model.health import ObjectHealth
from distributor.model.manifest import ManifestSet
from distributor.model.package import PrunePolicy
from distributor.model.refs import Digest, GroupKind, ObjectId, ObjectRef
from distributor.plan import (
    NEVER_OURS,
    apply_plan,
    changes,
    confirmed,
    dependents,
    guard,
    narrowed,
    seen_uids,
    widened,
)
from distributor.ports import TargetConnection
from distributor.services.world import World

_CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one target should hold, and by which verdict.

    ``started_only`` leaves alone a target that this verdict has not reached.
    ``removing`` is true for a removal: then everything in the inventory goes, by the person's request;
    ``former`` is then what the removed revision names, to tell a lost inventory from one never made.
    """

    environment: str
    instance: str
    cluster: Cluster
    sequence: int
    ledger_commit: ObjectId
    revision: str
    desired: ManifestSet
    owner: str
    prune: Mapping[GroupKind, PrunePolicy] = field(default_factory=dict)
    depends_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removing: bool = False
    former: ManifestSet = field(default_factory=lambda: ManifestSet.of(()))
    started_only: bool = False


@dataclass(slots=True)
class _Run:
    """What one reconcile has done so far."""

    inventory: Inventory
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def failed(self) -> frozenset[ObjectRef]:
        return frozenset(o.ref for o in self.outcomes if o.error is not None)


async def plan_target(world: World, work: Work) -> ChangeSet:
    """What a reconcile would change, without changing it."""
    connection = await world.connections.open(work.cluster)
    inventory = await connection.read_inventory(work.environment, work.instance)
    return (await _changes(connection, work, inventory))[0]


BeforeWrite = Callable[[], Awaitable[None]]
"""Called before the first write to a target; what it raises, ``reconcile_target`` raises."""


class _NotOursError(Exception):
    """Carries what ``BeforeWrite`` raised past the errors of the target."""

    def __init__(self, error: DistributorError) -> None:
        super().__init__(str(error))
        self.error = error


async def reconcile_target(
    world: World, work: Work, before_write: BeforeWrite | None = None
) -> TargetReport:
    """Bring one target to its revision and say how that went; no error of the target is raised."""
    begun = world.clock.now()
    try:
        connection = await world.connections.open(work.cluster)
        report = await _reconcile(world, connection, work, before_write)
    except _NotOursError as refused:
        raise refused.error from refused
    except Fenced as error:
        report = _report(world, work, Actuation.FENCED, findings=(Finding.from_error(error),))
    except (ClusterUnreachable, TargetNotWritable) as error:
        report = _report(world, work, Actuation.UNREACHABLE, findings=(Finding.from_error(error),))
    except DistributorError as error:
        report = _report(world, work, Actuation.FAILED, findings=(Finding.from_error(error),))
    metrics.RECONCILES.labels(work.environment, report.actuation.value).inc()
    metrics.RECONCILE_SECONDS.observe((world.clock.now() - begun).total_seconds())
    return report


async def _reconcile(
    world: World, connection: TargetConnection, work: Work, before_write: BeforeWrite | None
) -> TargetReport:
    inventory = await connection.read_inventory(work.environment, work.instance)
    _check_inventory(world, work, inventory)
    if inventory is None and work.removing:
        await _check_never_there(connection, work)
        return _report(world, work, Actuation.APPLIED, delivered=connection.delivered_only)
    if work.started_only and (inventory is None or inventory.sequence < work.sequence):
        return _report(world, work, Actuation.PENDING)
    if inventory is not None and _is_settled(inventory, work):
        planned, live = await _changes(connection, work, inventory)
        if planned.empty:
            return _settled(
                world, work, connection, planned=planned, inventory=inventory, live=live
            )
    await _allowed(before_write)
    run = _Run(await connection.write_inventory(_wide(work, inventory)))
    # Looked at only now: since that write, whoever came before begins nothing more here.
    planned, live = await _changes(connection, work, inventory)
    plan = apply_plan(planned, work.desired, depends_on=work.depends_on)
    await _apply(connection, work, plan, run)
    if not run.failed:
        await _prune(connection, work, plan, run)
    await _narrow(connection, work, planned, run)
    for outcome in run.outcomes:
        metrics.OBJECTS.labels(outcome.action.value).inc()
    return await _after(world, work, connection, planned, run)


def _is_settled(inventory: Inventory, work: Work) -> bool:
    """Whether the inventory says that all of this was applied before."""
    return (inventory.sequence, inventory.applied) == (work.sequence, work.desired.digest)


async def _allowed(before_write: BeforeWrite | None) -> None:
    if before_write is None:
        return
    try:
        await before_write()
    except DistributorError as error:
        raise _NotOursError(error) from error


async def _check_never_there(connection: TargetConnection, work: Work) -> None:
    """Nothing to remove, or nothing that says what to remove: the labels on the objects tell."""
    entries = [
        InventoryEntry(ref=m.ref, api_version=m.api_version, digest=Digest("")) for m in work.former
    ]
    live = await connection.read_live(entries) if entries else {}
    ours = sorted(str(ref) for ref, found in live.items() if found.owner == work.owner)
    if ours:
        raise InventoryBroken(f"It is gone, but {ours[0]} is there, one of {len(ours)} objects.")


def _check_inventory(world: World, work: Work, inventory: Inventory | None) -> None:
    if inventory is None:
        return
    if inventory.sequence > work.sequence:
        raise Fenced(f"(sequence {inventory.sequence} has started, this is {work.sequence})")
    known = inventory.ledger_commit
    if known and not world.objects.is_ancestor(ObjectId(known), work.ledger_commit):
        raise ForeignLedger(f"(ledger commit {known} is not in this ledger)")


async def _changes(
    connection: TargetConnection, work: Work, inventory: Inventory | None
) -> tuple[ChangeSet, Mapping[ObjectRef, LiveObject]]:
    entries = dict(inventory.entries) if inventory else {}
    for manifest in work.desired:
        entries.setdefault(
            manifest.ref,
            InventoryEntry(ref=manifest.ref, api_version=manifest.api_version, digest=Digest("")),
        )
    live = await connection.read_live(tuple(entries.values()))
    consents = frozenset(inventory.entries if inventory and work.removing else ())
    found = changes(
        work.desired, inventory, live, owner=work.owner, prune=work.prune, consents=consents
    )
    return guard(found, desired=work.desired, inventory=inventory, consents=consents), live


def _wide(work: Work, inventory: Inventory | None) -> Inventory:
    base = inventory or Inventory(
        environment=work.environment, instance=work.instance, cluster=work.cluster.name
    )
    return widened(
        base,
        work.desired,
        sequence=work.sequence,
        ledger_commit=work.ledger_commit,
        revision=work.revision,
    )


async def _apply(connection: TargetConnection, work: Work, plan: ApplyPlan, run: _Run) -> None:
    """Apply phase by phase; what depends on a failed object is skipped, its neighbours go on."""
    if not connection.ordered:
        everything = [m for phase in plan.phases for group in phase.groups for m in group.manifests]
        if everything:
            run.outcomes.extend(await connection.apply(run.inventory, everything))
        return
    first = True
    for phase in plan.phases:
        for group in phase.groups:
            blocked = dependents(plan, run.failed)
            ready = [m for m in group.manifests if m.ref not in blocked]
            run.outcomes.extend(_skipped(m.ref) for m in group.manifests if m.ref in blocked)
            if not ready:
                continue
            if not first:
                await _check_fence(connection, work)
            run.outcomes.extend(await connection.apply(run.inventory, ready))
            first = False
        if run.failed:
            break


async def _check_fence(connection: TargetConnection, work: Work) -> None:
    """Read the sequence number again: a worker that woke late stops here."""
    inventory = await connection.read_inventory(work.environment, work.instance)
    if inventory is None or inventory.sequence > work.sequence:
        raise Fenced(f"(in the middle of sequence {work.sequence})")


def _skipped(ref: ObjectRef) -> Outcome:
    return Outcome(ref=ref, action=Action.SKIPPED, error=Finding.of(DependencySkipped, f"({ref})"))


async def _prune(connection: TargetConnection, work: Work, plan: ApplyPlan, run: _Run) -> None:
    for group in plan.prune:
        await _check_fence(connection, work)
        run.outcomes.extend(await connection.delete(run.inventory, group))


async def _narrow(connection: TargetConnection, work: Work, planned: ChangeSet, run: _Run) -> None:
    """Take confirmed deletions out of the inventory, and say what is now applied in full."""
    applied = work.desired.digest if not run.failed and not errors(planned.findings) else Digest("")
    never = {c.ref for c in planned.changes if c.reason == NEVER_OURS}
    gone = confirmed(run.outcomes) | never
    narrow = narrowed(run.inventory, gone, applied, seen_uids(run.outcomes))
    if narrow != run.inventory:
        run.inventory = await connection.write_inventory(narrow)


def _settled(
    world: World,
    work: Work,
    connection: TargetConnection,
    *,
    planned: ChangeSet,
    inventory: Inventory | None,
    live: Mapping[ObjectRef, LiveObject],
) -> TargetReport:
    """Nothing to write: only health and findings are told."""
    seen = () if connection.delivered_only else _health(world, inventory, work.desired, live)
    actuation = Actuation.FAILED if errors(planned.findings) else Actuation.APPLIED
    return _report(
        world,
        work,
        actuation,
        health=seen,
        delivered=connection.delivered_only,
        findings=planned.findings,
    )


async def _after(
    world: World, work: Work, connection: TargetConnection, planned: ChangeSet, run: _Run
) -> TargetReport:
    seen: tuple[ObjectHealth, ...] = ()
    if not connection.delivered_only and not run.failed and not work.removing:
        entries = [e for e in run.inventory.entries.values() if e.ref in work.desired.refs()]
        seen = _health(world, run.inventory, work.desired, await connection.read_live(entries))
    failures = tuple(o.error for o in run.outcomes if o.error is not None)
    bad = bool(failures or errors(planned.findings))
    return _report(
        world,
        work,
        Actuation.FAILED if bad else Actuation.APPLIED,
        health=seen,
        delivered=connection.delivered_only,
        outcomes=tuple(run.outcomes),
        findings=(*failures, *planned.findings),
    )


def _health(
    world: World,
    inventory: Inventory | None,
    desired: ManifestSet,
    live: Mapping[ObjectRef, LiveObject],
) -> tuple[ObjectHealth, ...]:
    """The health of every desired object, there or not; a Job that its TTL took is not missed."""
    now = world.clock.now()
    plain = plain_kinds(m.data() for m in desired if m.ref.group_kind == _CRD)
    known = inventory.entries if inventory else {}
    seen: list[ObjectHealth] = []
    for manifest in desired:
        found = live.get(manifest.ref)
        if found is not None:
            seen.append(replace(health(found.data, now, plain=plain), ref=manifest.ref))
            continue
        entry = known.get(manifest.ref)
        applied = entry is not None and entry.uid != "" and entry.digest == manifest.digest
        seen.append(absent(manifest, applied=applied))
    return tuple(seen)


def _report(
    world: World,
    work: Work,
    actuation: Actuation,
    *,
    health: tuple[ObjectHealth, ...] = (),
    delivered: bool = False,
    outcomes: tuple[Outcome, ...] = (),
    findings: Sequence[Finding] = (),
) -> TargetReport:
    return TargetReport(
        environment=work.environment,
        instance=work.instance,
        cluster=work.cluster.name,
        sequence=work.sequence,
        actuation=actuation,
        health=health,
        delivered=delivered,
        outcomes=outcomes,
        findings=tuple(findings),
        observed_at=world.clock.now(),
        ledger_commit=work.ledger_commit,
    )
