"""Works: what each target of a verdict should hold, ready for ``reconcile_target``."""

from __future__ import annotations

from dataclasses import replace

from distributor.errors import DistributorError, registry
from distributor.errors.policy import OutsideWindow
from distributor.model.changes import Actuation, Glance, TargetReport
from distributor.model.findings import Finding, Severity, errors
from distributor.model.fleet import Cluster
from distributor.model.health import HealthStatus, worst
from distributor.model.manifest import ManifestSet
from distributor.model.package import Package
from distributor.model.promotion import Revision, Verdict
from distributor.model.refs import ObjectId
from distributor.model.rollout import Shut, TargetSeen
from distributor.model.tags import Verb
from distributor.plan import Ignoring
from distributor.render import applyset_id
from distributor.services.ledger.agreeing import blanket, permits
from distributor.services.ledger.book import BELIEVED
from distributor.services.rendering.renderer import Renderer, Subject
from distributor.services.rollouts.fights import Fights
from distributor.services.rollouts.maintenance import kept_away
from distributor.services.rollouts.unmoved import place_of
from distributor.services.state.desired import Desired
from distributor.services.targets.reconciling import BeforeWrite, reconcile_target
from distributor.services.targets.work import Work
from distributor.services.world import World


async def reconcile_desired(
    world: World,
    renderer: Renderer,
    desired: Desired,
    cluster: Cluster,
    *,
    started_only: bool = False,
    before_write: BeforeWrite | None = None,
    glance: Glance | None = None,
    fights: Fights | None = None,
) -> TargetReport:
    """Render, bind and reconcile one target of an accepted revision.

    ``started_only`` leaves a target alone that this revision has not reached: a failed rollout goes no
    further. Nor is one begun outside its cluster's maintenance windows, unless a rollout, which knows them,
    asks for it with ``before_write``; that is called before the first write; what it raises is raised here. A ``glance``
    at the target saves reading it where nothing is to be done. ``fights`` says what rests, and takes in how it went.
    """
    verdict, removing = desired.verdict, desired.verdict.verb is Verb.REMOVE
    away = kept_away(verdict, cluster, world.clock.now()) if before_write is None else None
    manifests, finding = await _rendered(renderer, desired, cluster)
    if (
        removing
    ):  # what cannot be rendered any more can still be removed: the inventory says what it is
        work = work_of(world, desired.subject, cluster, ManifestSet.of(()), verdict)
        work = replace(
            work,
            former=manifests,
            started_only=away is not None,
            names=desired.names,
            renewed_below=desired.renewed_below,
        )
        work = agreeing(world, work, desired)
        report = _late(await reconcile_target(world, work, before_write), away)
        return await fights.note(report, verdict) if fights else report
    if finding is not None:
        report = _unrendered(world, desired, cluster, finding)
        return await fights.note(report, verdict) if fights else report
    work = work_of(world, desired.subject, cluster, manifests, verdict)
    work = replace(
        work,
        started_only=started_only or away is not None,
        names=desired.names,
        renewed_below=desired.renewed_below,
        resting=await fights.resting(place_of(verdict, cluster)) if fights else frozenset(),
    )
    work = agreeing(world, work, desired)
    report = _late(await reconcile_target(world, work, before_write, glance), away)
    return await fights.note(report, verdict) if fights else report


def _late(report: TargetReport, away: Shut | None) -> TargetReport:
    """The report of a target that was not begun, with what it waits for."""
    if away is None or report.actuation is not Actuation.PENDING:
        return report
    told = Finding.of(OutsideWindow, f"({away.reason})", severity=Severity.WARNING)
    return replace(report, findings=(*report.findings, told))


def agreeing(world: World, work: Work, desired: Desired) -> Work:
    """The work with what people agreed to on its cluster."""
    exact = permits(world, desired.agreed, work.cluster.name)
    return replace(work, agreed=blanket(desired.agreed), permits=exact)


async def _rendered(
    renderer: Renderer, desired: Desired, cluster: Cluster
) -> tuple[ManifestSet, Finding | None]:
    """The objects of one target, or why there are none."""
    nothing = ManifestSet.of(())
    try:
        rendered = await renderer.render(desired.subject, {cluster.name: cluster})
    except DistributorError as error:
        return nothing, Finding.from_error(error)
    return rendered.manifests.get(cluster.name, nothing), rendered.failures.get(cluster.name)


def work_of(
    world: World,
    subject: Subject,
    cluster: Cluster,
    manifests: ManifestSet,
    verdict: Verdict | None = None,
    *,
    planned: Revision | None = None,
) -> Work:
    """The work of one target; without a verdict it is only good to plan with, for the revision given."""
    revision = verdict.revision if verdict else planned
    head = world.objects.resolve(BELIEVED)
    return Work(
        environment=subject.files.environment.name,
        instance=subject.installation.instance,
        cluster=cluster,
        sequence=verdict.sequence if verdict else 0,
        ledger_commit=head or ObjectId(""),
        revision=str(revision or ""),
        desired=world.seal.manifests(cluster, manifests),
        owner=applyset_id(subject.installation.instance),
        change=f"{revision.digest}+{revision.config}" if revision else "",
        rolling_back=verdict is not None and verdict.verb is Verb.ROLLBACK,
        prune=subject.package.delivery.prune,
        depends_on=subject.package.delivery.depends_on,
        hooks=subject.package.delivery.hooks,
        removing=verdict is not None and verdict.verb is Verb.REMOVE,
        adopt=world.adopt_managers,
        ignore=_ignoring(world, subject.package),
        drift=subject.installation.drift or subject.files.environment.drift,
        health=subject.package.delivery.health,
        undo=world.undo_managers,
        account=subject.installation.service_account,
    )


def _ignoring(world: World, package: Package) -> Ignoring:
    rules = package.delivery.ignore
    if world.expressions is None:
        return Ignoring(rules=rules)
    return Ignoring(rules=rules, holds=world.expressions.holds)


def _unrendered(world: World, desired: Desired, cluster: Cluster, finding: Finding) -> TargetReport:
    verdict = desired.verdict
    return TargetReport(
        environment=verdict.environment,
        instance=verdict.instance,
        cluster=cluster.name,
        sequence=verdict.sequence,
        actuation=Actuation.FAILED,
        findings=(finding,),
        observed_at=world.clock.now(),
    )


def health_of(report: TargetReport, verdict: Verdict) -> HealthStatus:
    """The health of a target on the axes of a rollout: an empty target that should be is Current."""
    if verdict.verb is Verb.REMOVE and report.actuation is Actuation.APPLIED:
        return HealthStatus.CURRENT
    return worst(h.status for h in report.health)


def seen(report: TargetReport, verdict: Verdict) -> TargetSeen:
    """What a report tells the rollout."""
    codes = registry()
    retryable = any(f.code in codes and codes[f.code].retryable for f in report.findings)
    return TargetSeen(
        cluster=report.cluster,
        sequence=report.sequence,
        actuation=report.actuation,
        health=health_of(report, verdict),
        delivered=report.delivered and verdict.verb is not Verb.REMOVE,
        retryable=retryable or any(o.retryable for o in report.outcomes),
        message=message_of(report),
    )


def message_of(report: TargetReport) -> str:
    """One line for people: the first error, the first warning, else the worst object, else nothing."""
    if report.findings:
        more = f" (and {len(report.findings) - 1} more)" if len(report.findings) > 1 else ""
        return f"{(errors(report.findings) or report.findings)[0]}{more}"
    bad = [h for h in report.health if h.status is not HealthStatus.CURRENT]
    if not bad:
        return ""
    status = worst(h.status for h in bad)
    first = next(h for h in bad if h.status is status)
    return f"{first.ref}: {first.message or first.status.value}"
