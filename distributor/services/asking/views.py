"""Views: what people ask about instances and targets, answered from the ledger and the read model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

import orjson

from distributor.catalog.digests import config_digest
from distributor.errors import DistributorError
from distributor.errors.service import NotFound
from distributor.ledger import left_behind, refused_ack, released, standing_holds, stopped
from distributor.model.changes import Actuation
from distributor.model.findings import Finding, errors
from distributor.model.fleet import ALL
from distributor.model.health import HealthStatus, worst
from distributor.model.ledger import InstanceState, LedgerState, Progress, Step
from distributor.model.promotion import Revision, Verdict
from distributor.model.rollout import RolloutPhase, RolloutState
from distributor.model.stored import StoredTarget
from distributor.model.tags import Verb
from distributor.placement.instances import installations
from distributor.policy import changed
from distributor.services.promotion.windows import kept_shut
from distributor.services.service import Service
from distributor.services.state.desired import tier_names
from distributor.services.state.looking import Snapshot
from distributor.services.state.waiting import waiting


class InstanceStage(StrEnum):
    """Where an instance stands as a whole."""

    NONE = "not requested"
    ROLLING = "rolling out"
    PAUSED = "paused"
    VERIFIED = "verified"
    UNVERIFIED = "waiting for targets"
    FAILED = "failed"
    REMOVING = "removing"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """One target as it was last seen. ``in_step`` says whether it holds the desired revision."""

    cluster: str
    in_step: bool
    actuation: str
    health: str
    message: str
    observed_at: str
    sequence: int

    @property
    def to_come(self) -> bool:
        """Whether it only waits for its turn, with an older revision on it."""
        return self.actuation == Actuation.PENDING and self.sequence > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """One instance of one environment. ``since`` is when its stage began; times are UTC."""

    environment: str
    instance: str
    app: str
    version: str
    stage: InstanceStage
    sequence: int
    targets: int
    in_step: int
    health: str
    since: datetime | None
    observed_at: str
    held: str = ""
    debts: tuple[str, ...] = ()  # gates that hotfixes overrode, not acknowledged yet
    stopped: str = ""
    alarms: tuple[str, ...] = ()  # tags of accepted or refused requests that moved or are gone
    main_ahead: str = ""
    vanished: tuple[str, ...] = ()  # targets whose cluster file main has no more
    left_behind: tuple[str, ...] = ()  # clusters that ran it before and are no targets any more
    shut: str = ""  # which wave must not open now, and why
    waiting: tuple[str, ...] = ()  # clusters that main has for it and that cannot join, with why
    last_refusal: str = ""
    clusters: tuple[TargetView, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    stands_in: str = ""  # the environment that this one stands in for, since a failover
    local_ledger: bool = False  # decided by this service alone, and known to no other


async def instance_views(
    service: Service, environment: str = "", instance: str = "", cluster: str = ""
) -> tuple[InstanceView, ...]:
    """Every instance that main declares or the ledger knows, in pipeline order, filtered."""
    snapshot = service.snapshot
    if snapshot is None:
        snapshot = await service.look()
    rows = await service.world.store.targets(environment, instance, cluster)
    by_key: dict[tuple[str, str], list[StoredTarget]] = {}
    for row in rows:
        by_key.setdefault((row.environment, row.instance), []).append(row)
    rollouts = {(r.environment, r.instance): r for r in service.rollouts.running()}
    stored = {(r.environment, r.instance): r for r in await service.world.store.rollouts()}
    kept_off = await waiting(service.world, snapshot, service.book.state)
    return tuple(
        replace(
            _view(service, snapshot, key, by_key.get(key, []), rollouts.get(key)),
            shut=kept_shut(service.book.state.instance(*key), rollouts.get(key), stored.get(key)),
            waiting=tuple(f"{w.cluster} cannot join: {w.text}" for w in kept_off.get(key, ())),
        )
        for key in _keys(snapshot, environment, instance)
    )


def _keys(snapshot: Snapshot, environment: str, instance: str) -> list[tuple[str, str]]:
    pipeline = snapshot.catalog.pipeline
    order = list(pipeline.names) if pipeline else []
    known = {
        (env, name)
        for env in snapshot.catalog.environments
        for name in installations(snapshot.catalog, env)
    }
    known |= {k for k, s in snapshot.ledger.instances.items() if s.accepted}
    found = [k for k in known if environment in ("", k[0]) and instance in ("", k[1])]
    return sorted(found, key=lambda k: (order.index(k[0]) if k[0] in order else len(order), k))


def _view(
    service: Service,
    snapshot: Snapshot,
    key: tuple[str, str],
    rows: Sequence[StoredTarget],
    rollout: RolloutState | None,
) -> InstanceView:
    state = service.book.state.instance(*key)
    desired = state.desired
    progress = state.progress.get(desired.sequence) if desired else None
    declared = installations(snapshot.catalog, key[0]).get(key[1])
    revision = desired.revision if desired else None
    clusters = _targets(desired, rows)
    holds = standing_holds(service.book.state, *key)
    return InstanceView(
        environment=key[0],
        instance=key[1],
        app=revision.app if revision else declared.app if declared else "",
        version=revision.version
        if revision and desired and desired.verb is not Verb.REMOVE
        else "",
        stage=stage_of(desired, progress, rollout),
        sequence=desired.sequence if desired else 0,
        targets=len(desired.targets) if desired else 0,
        in_step=sum(t.in_step for t in clusters),
        health=worst(_health(t) for t in clusters).value
        if clusters
        else HealthStatus.UNKNOWN.value,
        since=_since(state, desired, progress),
        observed_at=min((t.observed_at for t in clusters if t.observed_at), default=""),
        held="; ".join(f"by {h.by}: {h.reason or h.ref}" for h in holds),
        debts=tuple(map(str, state.debts)),
        stopped=_stopped(service.book.state, *key),
        alarms=tuple(f"{t.ref} {'moved' if t.found else 'is gone'}" for t in state.tampered),
        main_ahead=_main_ahead(service, snapshot, key, revision, desired),
        vanished=_vanished(snapshot, desired),
        left_behind=left_behind(state),
        last_refusal=_refusal(last_refused(state)),
        clusters=clusters,
        counts=dict(Counter(t.health for t in clusters)),
        stands_in=desired.stands_in if desired else "",
        local_ledger=service.world.local_ledger,
    )


def _stopped(state: LedgerState, environment: str, instance: str) -> str:
    """Why decisions have stopped, and why they were not let go on when somebody asked for that."""
    text = stopped(state, environment, instance)
    refusal = refused_ack(state, environment, instance) if text else ""
    return f"{text}; {refusal}" if refusal else text


def _targets(desired: Verdict | None, rows: Sequence[StoredTarget]) -> tuple[TargetView, ...]:
    """Every cluster of the desired verdict, seen or not; what was seen of others is not shown."""
    if desired is None:
        return ()
    seen = {row.cluster: row for row in rows}
    return tuple(_target(name, desired, seen.get(name)) for name in desired.targets)


def _target(name: str, desired: Verdict, row: StoredTarget | None) -> TargetView:
    if row is None:
        return TargetView(
            cluster=name,
            in_step=False,
            actuation=Actuation.PENDING.value,
            health=HealthStatus.UNKNOWN.value,
            message="not observed yet",
            observed_at="",
            sequence=0,
        )
    if row.sequence < desired.sequence and row.actuation != Actuation.UNREACHABLE.value:
        return TargetView(
            cluster=name,
            in_step=False,
            actuation=Actuation.PENDING.value,
            health=HealthStatus.UNKNOWN.value,
            message=_to_come(row),
            observed_at=row.observed_at,
            sequence=row.sequence,
        )
    current = row.sequence == desired.sequence
    return TargetView(
        cluster=name,
        in_step=current and row.actuation == Actuation.APPLIED.value,
        actuation=row.actuation,
        health=row.health if current else HealthStatus.UNKNOWN.value,
        message=row.message,
        observed_at=row.observed_at,
        sequence=row.sequence,
    )


def _to_come(row: StoredTarget) -> str:
    """What is there until the desired revision's turn comes, as it was last seen."""
    detail = orjson.loads(row.detail)
    version = detail.get("version") or f"sequence {row.sequence}"
    if row.actuation == Actuation.APPLIED.value:
        removed = detail.get("verb") == Verb.REMOVE.value
        return "not there yet" if removed else f"still {version}; its turn is to come"
    return f"its turn is to come; {version}: {row.actuation}"


def _health(target: TargetView) -> HealthStatus:
    return HealthStatus(target.health)


def stage_of(
    desired: Verdict | None, progress: Progress | None, rollout: RolloutState | None
) -> InstanceStage:
    """The stage of an instance: the ledger's word first, then what this process is doing."""
    if desired is None:
        return InstanceStage.NONE
    removing = desired.verb is Verb.REMOVE
    if progress is not None and progress.end is Step.FAILED:
        return InstanceStage.FAILED
    if progress is not None and (progress.verified_at or progress.end is Step.REMOVED):
        return InstanceStage.REMOVED if removing else InstanceStage.VERIFIED
    if rollout is not None and rollout.sequence == desired.sequence:
        if rollout.phase is RolloutPhase.PAUSED:
            return InstanceStage.PAUSED
        if rollout.phase is RolloutPhase.UNVERIFIED:
            return InstanceStage.UNVERIFIED
    return InstanceStage.REMOVING if removing else InstanceStage.ROLLING


def _since(
    state: InstanceState, desired: Verdict | None, progress: Progress | None
) -> datetime | None:
    if desired is None:
        return None
    if progress is not None and (progress.ended_at or progress.verified_at):
        return progress.ended_at or progress.verified_at
    return state.accepted_at.get(desired.sequence)


def _vanished(snapshot: Snapshot, desired: Verdict | None) -> tuple[str, ...]:
    """Targets whose file is gone from main: they keep what they run until they are retired."""
    if desired is None or desired.verb is Verb.REMOVE:
        return ()
    files = snapshot.catalog.environments.get(desired.environment)
    return tuple(t for t in desired.targets if files is not None and t not in files.clusters)


def check_names(
    snapshot: Snapshot,
    environment: str,
    instance: str = "",
    cluster: str = "",
    *,
    reserved: bool = False,
) -> None:
    """Raise ``NotFound`` for a name that neither main nor the ledger knows, naming those they do.

    ``reserved`` lets ``all`` through: what is recorded of it is no instance's.
    """
    if reserved and ALL in (environment, instance):
        environment, instance = ("" if name == ALL else name for name in (environment, instance))
    keys = _keys(snapshot, "", "")
    environments = {*snapshot.catalog.environments, *(k[0] for k in keys)}
    here = [k for k in keys if environment in ("", k[0])]
    clusters = {
        name
        for env, files in snapshot.catalog.environments.items()
        if environment in ("", env)
        for name in files.clusters
    }
    for key in here:
        desired = snapshot.ledger.instance(*key).desired
        clusters |= set(desired.targets) if desired else set()
    for name, known, what in (
        (environment, environments, "environment"),
        (instance, {k[1] for k in here}, "instance"),
        (cluster, clusters, "cluster"),
    ):
        if name and name not in known:
            raise NotFound(f"(no {what} {name}; there are: {', '.join(sorted(known)) or 'none'})")


def main_findings(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Everything that is wrong with main's files: what has errors is left out of what it offers.

    A version that is another than the one that was accepted is among them: gate 3 refuses it.
    """
    known = released(snapshot.ledger)
    versions = (p for packages in snapshot.catalog.packages.values() for p in packages.values())
    found = [*snapshot.catalog.findings, *snapshot.policies.findings]
    for package in versions:
        version = str(package.version)
        found += changed(package.app, version, package.digest, known.get((package.app, version)))
    return tuple(dict.fromkeys(errors(found)))


def main_warnings(snapshot: Snapshot) -> tuple[Finding, ...]:
    """What main's files say and this release does not do: nothing is left out for it."""
    return snapshot.catalog.notes


def last_refused(state: InstanceState) -> Verdict | None:
    """The newest request that was not let in, if it came after the desired one."""
    desired = state.desired
    later = [v for v in state.last_verdicts.values() if not v.accepted]
    if not later:
        return None
    last = max(later, key=lambda v: state.observed_at.get(v.ref, state.last_at) or _NEVER)
    accepted_at = state.accepted_at.get(desired.sequence) if desired else None
    seen_at = state.observed_at.get(last.ref)
    if accepted_at is not None and seen_at is not None and seen_at < accepted_at:
        return None
    return last


def _refusal(last: Verdict | None) -> str:
    return f"{last.outcome.value} {last.ref}: {'; '.join(last.reasons())}" if last else ""


_NEVER = datetime.min.replace(tzinfo=UTC)


def _main_ahead(
    service: Service,
    snapshot: Snapshot,
    key: tuple[str, str],
    revision: Revision | None,
    desired: Verdict | None,
) -> str:
    """What main proposes that nobody asked for yet; empty where main is what runs."""
    if revision is None or desired is None or desired.verb is Verb.REMOVE:
        return ""
    if key[0] not in snapshot.catalog.environments:
        return _lost(snapshot, *key)
    found = installations(snapshot.catalog, key[0]).get(key[1])
    if found is None:
        return "main has no such Installation any more; what runs stays until a remove is accepted"
    package = snapshot.catalog.package(revision.app, revision.version)
    if package is None:
        return f"main has no {revision.app} {revision.version} any more; what runs stays"
    try:
        root = service.world.objects.tree_of(snapshot.main)
        tiers = package.fits.tiers or tier_names(service.world, root)
        config = config_digest(
            service.world.objects, root, environment=key[0], instance=key[1], tiers=tiers
        )
    except DistributorError as error:
        return f"main cannot be read: {error}"
    if package.digest != revision.digest:
        return f"main changed the package {revision.app} {revision.version} itself"
    if config != revision.config:
        return f"main's configuration is newer; promote {revision.version} again to take it"
    return ""


def _lost(snapshot: Snapshot, environment: str, instance: str) -> str:
    """What to do about an instance whose environment main does not have, or that cannot be read there."""
    folder = f"environments/{environment}"
    if errors(snapshot.catalog.findings_under(folder)):
        return f"{folder} cannot be read; what runs stays"
    remedy = f"`distributor remove {environment} {instance}` takes it away, or restore {folder}"
    return f"environment {environment} is gone from main; what runs stays: {remedy}"


def in_step(views: Iterable[InstanceView]) -> bool:
    """Whether everything that was accepted is in place."""
    return all(v.in_step == v.targets and v.stage is not InstanceStage.FAILED for v in views)
