"""Recording: which facts of a rollout the ledger does not hold yet. Derived, so that none is lost."""

from __future__ import annotations

from datetime import datetime

from distributor.model.ledger import InstanceState, Progress, Progressed, Record, Step
from distributor.model.promotion import Verdict
from distributor.model.rollout import RecordStep, RolloutState
from distributor.model.tags import Verb
from distributor.rollout import resume


def owed_records(
    state: RolloutState, verdict: Verdict, instance: InstanceState, now: datetime
) -> tuple[Record, ...]:
    """The records that bring the ledger up to the rollout's state."""
    progress = instance.progress.get(state.sequence) or Progress(sequence=state.sequence)
    if progress.end is not None:
        return ()
    steps = [c for c in resume(state, now) if isinstance(c, RecordStep)]
    if progress.started_at is None:
        steps.insert(0, RecordStep(step=Step.STARTED))
    return tuple(
        Progressed(
            at=now,
            step=_step(step.step, verdict),
            sequence=state.sequence,
            wave=step.wave,
            targets=step.targets,
            reason=step.reason,
        )
        for step in steps
        if not _recorded(step, progress)
    )


def _recorded(step: RecordStep, progress: Progress) -> bool:
    if step.step is Step.WAVE:
        return step.wave in progress.waves
    return step.step is Step.VERIFIED and progress.verified_at is not None


def _step(step: Step, verdict: Verdict) -> Step:
    """A removal that reached every target is not verified but removed."""
    removing = verdict.verb is Verb.REMOVE
    return Step.REMOVED if removing and step is Step.VERIFIED else step
