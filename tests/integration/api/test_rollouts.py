"""Rollouts under way, as this process carries them out."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

from distributor.model.fleet import RolloutStrategy, VerifyRule
from distributor.model.health import HealthStatus
from distributor.model.rollout import RolloutState, TargetStage, TargetState

AT = datetime(2026, 1, 1, tzinfo=UTC)


def state(environment: str) -> RolloutState:
    targets = [
        TargetState(cluster="a", wave=0, stage=TargetStage.READY, since=AT, attempts=1),
        TargetState(
            cluster="b",
            wave=1,
            stage=TargetStage.RUNNING,
            seen=HealthStatus.IN_PROGRESS,
            message="x",
        ),
        TargetState(cluster="c", wave=2),
        TargetState(cluster="d", wave=2),
    ]
    return RolloutState(
        environment=environment,
        instance="shop",
        sequence=7,
        strategy=RolloutStrategy(),
        verify=VerifyRule(),
        waves=("canary", "half", "rest"),
        targets={t.cluster: t for t in targets},
        open_wave=1,
        started_at=AT,
    )


async def test_a_rollout_shows_its_waves_and_targets(api, service):
    service.rollouts = SimpleNamespace(running=lambda: (state("uat"), state("sit")), stop=_nothing)
    found = (await api.get("/api/v1/rollouts")).json()["items"]
    assert [r["environment"] for r in found] == ["sit", "uat"]
    assert [(w["name"], w["state"], w["stages"]) for w in found[0]["waves"]] == [
        ("canary", "ended", {"ready": 1}),
        ("half", "open", {"running": 1}),
        ("rest", "waiting", {"waiting": 2}),
    ]
    assert (await api.get("/api/v1/rollouts/uat/shop")).json() == found[1]
    targets = (
        await api.get("/api/v1/rollouts/uat/shop/targets", params={"stage": "running"})
    ).json()
    assert [(t["cluster"], t["wave"], t["health"]) for t in targets["items"]] == [
        ("b", "half", "InProgress")
    ]
    assert (await api.get("/api/v1/rollouts", params={"phase": "halted"})).json()["items"] == []


async def test_what_was_not_rolled_out_is_not_found(api):
    answer = await api.get("/api/v1/rollouts/uat/shop")
    assert (answer.status_code, answer.json()["code"]) == (404, "DST707")


async def _nothing() -> None:
    """Nothing runs in a fake."""
