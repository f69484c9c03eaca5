"""Rollouts: what this process is carrying out right now, wave by wave."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from distributor.api.paging import Page, page
from distributor.api.reading import (
    EnvironmentPath,
    EnvironmentQuery,
    InstancePath,
    TheCut,
    TheService,
)
from distributor.errors.service import NotFound
from distributor.model.rollout import RolloutPhase, RolloutState, TargetStage, TargetState
from distributor.services.service import Service

router = APIRouter(prefix="/rollouts", tags=["Promotions"])


class WaveCard(BaseModel):
    """One wave: a group of clusters that are worked on together."""

    name: str = Field(description="Name of the wave.")
    state: str = Field(description="waiting, open or ended.")
    stages: dict[str, int] = Field(description="Its targets by stage.")


class RolloutCard(BaseModel):
    """A rollout that this process carries out, or has carried out since it started."""

    environment: str = Field(description="The environment.")
    instance: str = Field(description="The instance.")
    sequence: int = Field(description="Sequence number of the verdict that it carries out.")
    phase: str = Field(description="running, paused, halted, verified, unverified or replaced.")
    reason: str = Field(description="Why it is in that phase, where that is not plain.")
    started_at: datetime | None = Field(description="When it started, in UTC.")
    waves: list[WaveCard] = Field(description="The waves in order.")


class RolloutTarget(BaseModel):
    """One target of a rollout."""

    cluster: str = Field(description="The cluster.")
    wave: str = Field(description="Name of its wave.")
    stage: str = Field(description="waiting, running, ready, failed or owed.")
    since: datetime | None = Field(description="When that stage began, in UTC.")
    health: str = Field(description="The health last reported; empty before the first report.")
    attempts: int = Field(description="How often it was tried.")
    message: str = Field(description="What there is to say about it.")


@router.get("", operation_id="listRollouts", summary="What is being rolled out")
async def list_rollouts(
    service: TheService,
    wanted: TheCut,
    environment: EnvironmentQuery = "",
    phase: Annotated[RolloutPhase | None, Query(description="Only in this phase.")] = None,
) -> Page[RolloutCard]:
    """The rollouts of this process, by environment, then by instance."""
    found = (
        state
        for state in service.rollouts.running()
        if environment in ("", state.environment) and phase in (None, state.phase)
    )
    return page(found, wanted, key=lambda r: (r.environment, r.instance), show=card)


@router.get("/{environment}/{instance}", operation_id="getRollout", summary="One rollout")
async def get_rollout(
    service: TheService, environment: EnvironmentPath, instance: InstancePath
) -> RolloutCard:
    """The newest rollout of an instance that this process knows of."""
    return card(_find(service, environment, instance))


@router.get(
    "/{environment}/{instance}/targets",
    operation_id="listRolloutTargets",
    summary="Targets of a rollout",
)
async def list_rollout_targets(
    service: TheService,
    wanted: TheCut,
    environment: EnvironmentPath,
    instance: InstancePath,
    stage: Annotated[TargetStage | None, Query(description="Only in this stage.")] = None,
) -> Page[RolloutTarget]:
    """The targets of a rollout by cluster."""
    state = _find(service, environment, instance)
    found = (t for t in state.targets.values() if stage in (None, t.stage))
    return page(found, wanted, key=lambda t: (t.cluster,), show=lambda t: _target(state, t))


def _find(service: Service, environment: str, instance: str) -> RolloutState:
    for state in service.rollouts.running():
        if (state.environment, state.instance) == (environment, instance):
            return state
    raise NotFound(f"(nothing of {instance} was rolled out in {environment} since the start)")


def card(state: RolloutState) -> RolloutCard:
    """What is shown of a rollout."""
    stages: dict[int, Counter[str]] = {}
    for target in state.targets.values():
        stages.setdefault(target.wave, Counter())[target.stage.value] += 1
    return RolloutCard(
        environment=state.environment,
        instance=state.instance,
        sequence=state.sequence,
        phase=state.phase.value,
        reason=state.reason,
        started_at=state.started_at,
        waves=[
            WaveCard(name=name, state=_place(state, number), stages=dict(stages.get(number, {})))
            for number, name in enumerate(state.waves)
        ],
    )


def _place(state: RolloutState, wave: int) -> str:
    if wave == state.open_wave:
        return "open"
    return "ended" if wave < state.open_wave else "waiting"


def _target(state: RolloutState, target: TargetState) -> RolloutTarget:
    return RolloutTarget(
        cluster=target.cluster,
        wave=state.waves[target.wave],
        stage=target.stage.value,
        since=target.since,
        health=target.seen.value if target.seen else "",
        attempts=target.attempts,
        message=target.message,
    )
