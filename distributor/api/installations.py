"""Installations: each instance of each environment, with what was accepted and how far it came.

Named for what a person manages; the rows are of main and of the ledger together.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from distributor.api.paging import Page, gather
from distributor.api.reading import (
    EnvironmentPath,
    EnvironmentQuery,
    InstancePath,
    TheCut,
    TheService,
    TheSnapshot,
    instance_keys,
    views,
)
from distributor.errors.service import NotFound
from distributor.services.asking.views import InstanceStage, InstanceView

router = APIRouter(prefix="/installations", tags=["Fleet"])


class InstallationCard(BaseModel):
    """One instance of an app in one environment. Times are UTC."""

    environment: str = Field(description="The environment.")
    instance: str = Field(description="Name of the instance.")
    app: str = Field(description="The app it is an instance of.")
    version: str = Field(
        description="The accepted version; empty where none was, or it was removed."
    )
    stage: str = Field(description="Where it stands as a whole.")
    since: datetime | None = Field(description="When that stage began.")
    sequence: int = Field(description="Sequence number of the verdict; 0 before the first.")
    targets: int = Field(description="Clusters that it was accepted for.")
    in_step: int = Field(description="Of these, how many hold the accepted revision.")
    health: str = Field(description="The worst health of all targets; Unknown where none was seen.")
    counts: dict[str, int] = Field(description="Targets by health.")
    observed_at: str = Field(description="The oldest observation among the targets' last ones.")
    held: str = Field(description="Who holds it and why; empty for nobody.")
    debts: list[str] = Field(description="Gates that hotfixes overrode, until acknowledged.")
    shut: str = Field(description="Which wave must not open now, and until when; empty for none.")
    stopped: str = Field(description="Why its decisions are stopped; empty if they are not.")
    main_ahead: str = Field(description="What main proposes that nobody asked for yet.")
    last_refusal: str = Field(description="Why the newest request since was not let in.")
    local_ledger: bool = Field(
        description="Whether one service decided this alone, in a ledger that no other one sees."
    )


@router.get("", operation_id="listInstallations", summary="What was accepted where")
async def list_installations(
    service: TheService,
    snapshot: TheSnapshot,
    wanted: TheCut,
    *,
    environment: EnvironmentQuery = "",
    app: Annotated[str, Query(max_length=63, description="Only of this app.")] = "",
    stage: Annotated[InstanceStage | None, Query(description="Only in this stage.")] = None,
    health: Annotated[str, Query(max_length=20, description="Only with this worst health.")] = "",
) -> Page[InstallationCard]:
    """Instances by environment, then by name: version, targets in step, health."""
    after = wanted.after or ()
    keys = [
        key
        for key in instance_keys(service, snapshot)
        if key > after and environment in ("", key[0])
    ]

    async def found() -> AsyncGenerator[InstallationCard, None]:
        async for view in views(service, keys):
            if (
                app in ("", view.app)
                and stage in (None, view.stage)
                and health in ("", view.health)
            ):
                yield card(view)

    return await gather(found(), wanted, key=lambda i: (i.environment, i.instance))


@router.get("/{environment}/{instance}", operation_id="getInstallation", summary="One instance")
async def get_installation(
    service: TheService, _: TheSnapshot, environment: EnvironmentPath, instance: InstancePath
) -> InstallationCard:
    """One instance; its targets are listed by `/targets?environment=&instance=`."""
    async for view in views(service, [(environment, instance)]):
        return card(view)
    raise NotFound(f"({environment} has no instance {instance})")


def card(view: InstanceView) -> InstallationCard:
    """What is shown of an instance."""
    return InstallationCard(
        environment=view.environment,
        instance=view.instance,
        app=view.app,
        version=view.version,
        stage=view.stage.value,
        since=view.since,
        sequence=view.sequence,
        targets=view.targets,
        in_step=view.in_step,
        health=view.health,
        counts=view.counts,
        observed_at=view.observed_at,
        held=view.held,
        debts=list(view.debts),
        shut=view.shut,
        stopped=view.stopped,
        main_ahead=view.main_ahead,
        last_refusal=view.last_refusal,
        local_ledger=view.local_ledger,
    )
