"""What a rollout that failed says of each target: its own fault, or a cluster that did not take it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from distributor.model.changes import Actuation
from distributor.model.fleet import RolloutStrategy, VerifyRule
from distributor.model.health import HealthStatus
from distributor.model.rollout import TargetSeen, TargetStage, TargetState
from distributor.rollout.targets import UNFINISHED, expired, observe, started

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STRATEGY = RolloutStrategy(deadline=60.0)


def seen(actuation: Actuation, health: HealthStatus, *, retryable: bool = False) -> TargetSeen:
    return TargetSeen(
        cluster="c", sequence=1, actuation=actuation, health=health, retryable=retryable
    )


BUSY = seen(Actuation.FAILED, HealthStatus.UNKNOWN, retryable=True)
BAD = seen(Actuation.APPLIED, HealthStatus.FAILED)
SLOW = seen(Actuation.APPLIED, HealthStatus.IN_PROGRESS)


@pytest.mark.parametrize(
    ("reports", "result"),
    [((BUSY,), UNFINISHED), ((BUSY, SLOW), ""), ((SLOW, BUSY), UNFINISHED), ((BUSY, BAD), "")],
)
def test_the_last_report_says_whose_fault_it_was(reports, result):
    target = started(TargetState(cluster="c", wave=0), NOW)
    for report in reports:
        target = observe(target, report, strategy=STRATEGY, verify=VerifyRule(), room=True, now=NOW)
    if target.stage is TargetStage.RUNNING:
        target = expired(target, STRATEGY, NOW + timedelta(minutes=2))
    assert (target.stage, target.result) == (TargetStage.FAILED, result)
