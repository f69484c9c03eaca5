"""Planning: what a promotion would change, where, in which order, with every gate's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from distributor.errors import DistributorError
from distributor.errors.catalog import TooManyCells
from distributor.model.changes import Action, ChangeSet
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import Cluster
from distributor.model.promotion import GateAnswer
from distributor.model.refs import Digest
from distributor.model.rollout import RolloutState
from distributor.model.tags import Verb
from distributor.placement.placing import place
from distributor.policy import authorise, judge
from distributor.ports import Signer
from distributor.rollout import start
from distributor.services.promotion import standbys
from distributor.services.promotion.case import Case
from distributor.services.promotion.elsewhere import running_on
from distributor.services.promotion.requesting import Ask, hypothetical
from distributor.services.rendering.renderer import Rendered, Subject
from distributor.services.rollouts.works import work_of
from distributor.services.service import Service
from distributor.services.targets.reconciling import plan_target

MANY_CELLS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan:
    """What would change on one cluster; ``finding`` where that cannot be known."""

    cluster: str
    wave: str
    changes: ChangeSet
    finding: Finding | None = None

    def count(self, action: Action) -> int:
        """How many objects would see this action."""
        return len(self.changes.of(action))


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPlan:
    """The whole answer of ``distributor plan``."""

    environment: str
    instance: str
    version: str
    revision: str
    rendered: Digest
    cells: int
    answers: tuple[GateAnswer, ...]
    targets: tuple[TargetPlan, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


async def plan_promotion(
    service: Service,
    environment: str,
    instance: str,
    version: str,
    *,
    cluster: str = "",
    signer: Signer | None = None,
    tagger: str = "nobody <nobody@localhost>",
    verb: Verb = Verb.PROMOTE,
) -> PromotionPlan:
    """Ask every gate about a request that is never pushed, and compare with every target.

    An empty version means the one that runs now: then the plan shows what main is ahead by. A failover or
    failback is always of what runs now.
    """
    snapshot = await service.look()
    desired = snapshot.ledger.instance(environment, instance).desired
    if not version and desired is not None and desired.revision is not None:
        version = desired.revision.version
    asked_for = version if verb is Verb.PROMOTE else ""
    ask = Ask(verb=verb, environment=environment, instance=instance, version=asked_for)
    written, tag = hypothetical(service.world, snapshot, ask, tagger=tagger, signer=signer)
    case = service.gatherer.case(snapshot, service.gatherer.observe(written, tag))
    now = service.now()
    answers = authorise(case.facts, now)
    case = await service.gatherer.rendered(case)
    asked = {a.number for a in answers}
    answers += tuple(a for a in judge(case.facts, now) if a.number not in asked)
    answers += standbys.foreseen(case, now)
    return await _with_targets(service, case, answers, cluster, (environment, instance, version))


async def _with_targets(
    service: Service,
    case: Case,
    answers: tuple[GateAnswer, ...],
    only: str,
    about: tuple[str, str, str],
) -> PromotionPlan:
    subject = case.subject
    plan = PromotionPlan(
        environment=about[0],
        instance=about[1],
        version=about[2],
        revision=str(case.facts.revision or ""),
        rendered=case.facts.rendered,
        cells=0,
        answers=answers,
    )
    if subject is None:
        return plan
    rendered = await service.renderer.render(subject, case.clusters)
    rollout = _waves(service, case)
    waves = {name: target.wave for name, target in rollout.targets.items()} if rollout else {}
    clusters = {
        name: case.clusters[name]
        for name in sorted(case.clusters, key=lambda n: (waves.get(n, 0), n))
        if only in ("", name)
    }
    targets = await asyncio.gather(
        *(_target(service, case, rendered, rollout, cluster) for cluster in clusters.values())
    )
    many = rendered.cells > MANY_CELLS
    finding = Finding.of(TooManyCells, f"({rendered.cells} cells)", severity=Severity.WARNING)
    return replace(
        plan,
        cells=rendered.cells,
        targets=tuple(targets),
        left_out=place(
            subject.package,
            subject.installation,
            subject.files,
            present=running_on(case.verdict_before),
        ).left_out,
        findings=(*((finding,) if many else ()), *_notes(subject, tuple(clusters))),
    )


def _notes(subject: Subject, clusters: tuple[str, ...]) -> tuple[Finding, ...]:
    """The warnings about the files that this plan comes from."""
    environment = f"environments/{subject.files.environment.name}"
    files = (
        f"catalog/{subject.package.app}/app.yaml",
        subject.package.folder,
        f"{environment}/environment.yaml",
        f"{environment}/apps/{subject.installation.instance}.yaml",
        *(f"{environment}/clusters/{name}.yaml" for name in clusters),
    )
    return tuple(f for file in files for f in subject.catalog.notes_under(file))


def _waves(service: Service, case: Case) -> RolloutState | None:
    if case.subject is None:
        return None
    environment = case.subject.files.environment
    return start(
        environment=environment.name,
        instance=case.subject.installation.instance,
        sequence=0,
        strategy=environment.rollout,
        verify=environment.verify,
        targets=tuple(case.clusters.values()),
        now=service.now(),
    )


async def _target(
    service: Service,
    case: Case,
    rendered: Rendered,
    rollout: RolloutState | None,
    cluster: Cluster,
) -> TargetPlan:
    wave = rollout.waves[rollout.targets[cluster.name].wave] if rollout else ""
    finding = rendered.failures.get(cluster.name)
    if finding is not None or case.subject is None:
        return TargetPlan(cluster=cluster.name, wave=wave, changes=ChangeSet(), finding=finding)
    manifests = rendered.manifests[cluster.name]
    work = work_of(service.world, case.subject, cluster, manifests, planned=case.facts.revision)
    try:
        changes = await plan_target(service.world, work)
    except DistributorError as error:
        found = Finding.from_error(error)
        return TargetPlan(cluster=cluster.name, wave=wave, changes=ChangeSet(), finding=found)
    return TargetPlan(cluster=cluster.name, wave=wave, changes=changes)
