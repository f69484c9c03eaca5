"""Reporting: what one reconcile of one target did and saw, also where an error ended it."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.errors import DistributorError
from distributor.errors.cluster import ClusterUnreachable, Fenced, TargetNotWritable
from distributor.model.changes import Actuation, Outcome, TargetReport
from distributor.model.consents import Question
from distributor.model.findings import Finding
from distributor.model.health import ObjectHealth
from distributor.services.targets.work import Work
from distributor.services.world import World


def ended_by(
    world: World,
    work: Work,
    error: DistributorError,
    outcomes: tuple[Outcome, ...] = (),
    findings: Sequence[Finding] = (),
    *,
    questions: Sequence[Question] = (),
) -> TargetReport:
    """The report of a reconcile that an error ended; what was written and asked before it stays told."""
    match error:
        case Fenced():
            actuation = Actuation.FENCED
        case ClusterUnreachable() | TargetNotWritable():
            actuation = Actuation.UNREACHABLE
        case _:
            actuation = Actuation.FAILED
    told = (Finding.from_error(error), *findings)
    return reported(world, work, actuation, outcomes=outcomes, findings=told, questions=questions)


def reported(
    world: World,
    work: Work,
    actuation: Actuation,
    *,
    health: tuple[ObjectHealth, ...] = (),
    delivered: bool = False,
    outcomes: tuple[Outcome, ...] = (),
    findings: Sequence[Finding] = (),
    questions: Sequence[Question] = (),
) -> TargetReport:
    """The report of one reconcile, as of now."""
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
        questions=tuple(questions),
        observed_at=world.clock.now(),
        ledger_commit=work.ledger_commit,
    )
