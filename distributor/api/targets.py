"""Targets: one instance on one cluster, as it was last seen."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from distributor.api.paging import Key, Page, gather
from distributor.api.reading import (
    ClusterQuery,
    EnvironmentQuery,
    InstanceQuery,
    TheCut,
    TheService,
    TheSnapshot,
    instance_keys,
    views,
)
from distributor.model.health import HealthStatus
from distributor.services.asking.views import InstanceView, TargetView

router = APIRouter(prefix="/targets", tags=["Fleet"])


class TargetCard(BaseModel):
    """One instance on one cluster. What nobody observed yet is Unknown, never healthy."""

    environment: str = Field(description="The environment.")
    instance: str = Field(description="The instance.")
    cluster: str = Field(description="The cluster.")
    version: str = Field(description="The accepted version.")
    in_step: bool = Field(description="Whether it holds the accepted revision.")
    actuation: str = Field(description="What we did: pending, applying, applied, failed, ...")
    health: str = Field(description="Whether that converged, in kstatus words.")
    message: str = Field(description="What there is to say about it.")
    sequence: int = Field(description="Sequence number of the verdict that was observed on it.")
    observed_at: str = Field(description="When it was last seen; empty for never.")


@router.get("", operation_id="listTargets", summary="What runs on which cluster")
async def list_targets(
    service: TheService,
    snapshot: TheSnapshot,
    wanted: TheCut,
    *,
    environment: EnvironmentQuery = "",
    instance: InstanceQuery = "",
    cluster: ClusterQuery = "",
    health: Annotated[HealthStatus | None, Query(description="Only with this health.")] = None,
    in_step: Annotated[
        bool | None, Query(description="Only those that hold the accepted revision, or do not.")
    ] = None,
) -> Page[TargetCard]:
    """The targets of everything that was accepted, by environment, instance and cluster."""
    after = wanted.after or ()
    keys = [
        key
        for key in instance_keys(service, snapshot)
        if key >= after[:2] and environment in ("", key[0]) and instance in ("", key[1])
    ]

    async def found() -> AsyncGenerator[TargetCard, None]:
        async for view in views(service, keys, cluster):
            for target in _after(view, after):
                if (
                    cluster in ("", target.cluster)
                    and health in (None, target.health)
                    and in_step in (None, target.in_step)
                ):
                    yield card(view, target)

    return await gather(found(), wanted, key=lambda t: (t.environment, t.instance, t.cluster))


def _after(view: InstanceView, after: Key) -> Iterable[TargetView]:
    """The targets of an instance that come after a key, by cluster."""
    ordered = sorted(view.clusters, key=lambda target: target.cluster)
    return (t for t in ordered if (view.environment, view.instance, t.cluster) > after)


def card(view: InstanceView, target: TargetView) -> TargetCard:
    """What is shown of a target."""
    return TargetCard(
        environment=view.environment,
        instance=view.instance,
        cluster=target.cluster,
        version=view.version,
        in_step=target.in_step,
        actuation=target.actuation,
        health=target.health,
        message=target.message,
        sequence=target.sequence,
        observed_at=target.observed_at,
    )
