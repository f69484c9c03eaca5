"""Environments: their place in the pipeline, their rules, and how things stand in each."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter
from pydantic import BaseModel, Field

from distributor.api.paging import Page, page
from distributor.api.reading import (
    EnvironmentPath,
    TheCut,
    TheService,
    TheSnapshot,
    instance_keys,
    places,
    views,
)
from distributor.errors.service import NotFound
from distributor.model.catalog import EnvironmentFiles
from distributor.services.service import Service
from distributor.services.state.looking import Snapshot

router = APIRouter(prefix="/environments", tags=["Fleet"])


class EnvironmentCard(BaseModel):
    """An environment, as main declares it."""

    name: str = Field(description="Name of the environment.")
    display_name: str = Field(description="Name for people.")
    position: int = Field(description="Place in the pipeline, from 0.")
    after: list[str] = Field(description="Environments where a version must be verified before.")
    requires: str = Field(description="`all` or `any` of those before it.")
    clusters: int = Field(description="How many clusters it has.")
    install: str = Field(description="`by-fit`, or `explicit` Installations only.")
    signatures_required: bool = Field(description="Whether requests must be signed.")
    configuration_automatic: bool = Field(
        description="Whether the service itself asks for new configuration of what runs."
    )
    verify_floor: int = Field(description="Percent of targets that must be reachable to verify.")
    verify_accepts: list[str] = Field(description="Weaker results that count as verified.")
    standby_for: str = Field(description="The environment it stands by for; empty for none.")


class Rollup(BaseModel):
    """How things stand in an environment, counted over its instances and targets."""

    instances: int = Field(description="Instances that main declares or the ledger knows.")
    targets: int = Field(description="Targets of everything that was accepted.")
    in_step: int = Field(description="Targets that hold the accepted revision.")
    stages: dict[str, int] = Field(description="Instances by stage.")
    health: dict[str, int] = Field(description="Targets by health, in kstatus words.")
    main_ahead: int = Field(description="Instances for which main proposes something newer.")
    held: int = Field(description="Instances with a hold.")
    stopped: int = Field(description="Instances whose decisions are stopped.")


class EnvironmentDetail(EnvironmentCard):
    """An environment, and how things stand in it."""

    rollup: Rollup = Field(description="How things stand.")


@router.get("", operation_id="listEnvironments", summary="Environments in pipeline order")
async def list_environments(snapshot: TheSnapshot, wanted: TheCut) -> Page[EnvironmentCard]:
    """The environments that main declares, in the order in which a version walks through them."""
    order = places(snapshot)
    files = snapshot.catalog.environments.values()
    return page(
        files,
        wanted,
        key=lambda f: (f"{order[f.environment.name]:04}", f.environment.name),
        show=lambda f: card(snapshot, f),
    )


@router.get("/{environment}", operation_id="getEnvironment", summary="One environment")
async def get_environment(
    service: TheService, snapshot: TheSnapshot, environment: EnvironmentPath
) -> EnvironmentDetail:
    """One environment with its roll-up: what it counts it reads anew."""
    files = snapshot.catalog.environments.get(environment)
    if files is None:
        known = ", ".join(places(snapshot)) or "none"
        raise NotFound(f"(there is no environment {environment}; there are: {known})")
    rollup = await _rollup(service, snapshot, environment)
    return EnvironmentDetail(**dict(card(snapshot, files)), rollup=rollup)


def card(snapshot: Snapshot, files: EnvironmentFiles) -> EnvironmentCard:
    """What lists show of an environment."""
    found = files.environment
    pipeline = snapshot.catalog.pipeline
    step = pipeline.step(found.name) if pipeline else None
    return EnvironmentCard(
        name=found.name,
        display_name=found.display_name,
        position=places(snapshot)[found.name],
        after=list(step.after) if step else [],
        requires="all" if step is None or step.require_all else "any",
        clusters=len(files.clusters),
        install="by-fit" if found.install_by_fit else "explicit",
        signatures_required=found.signatures_required,
        configuration_automatic=found.configuration_automatic,
        verify_floor=found.verify.floor,
        verify_accepts=sorted(found.verify.accept),
        standby_for=found.standby_for,
    )


async def _rollup(service: Service, snapshot: Snapshot, environment: str) -> Rollup:
    keys = [key for key in instance_keys(service, snapshot) if key[0] == environment]
    found = Rollup(
        instances=0, targets=0, in_step=0, stages={}, health={}, main_ahead=0, held=0, stopped=0
    )
    stages: Counter[str] = Counter()
    health: Counter[str] = Counter()
    async for view in views(service, keys):
        found.instances += 1
        found.targets += view.targets
        found.in_step += view.in_step
        found.main_ahead += bool(view.main_ahead)
        found.held += bool(view.held)
        found.stopped += bool(view.stopped)
        stages[view.stage.value] += 1
        health.update(view.counts)
    found.stages, found.health = dict(stages), dict(health)
    return found
