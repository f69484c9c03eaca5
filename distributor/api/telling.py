"""Telling: why an instance is where it is, what the ledger says happened, and what a code means."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from distributor.api.paging import Page, page
from distributor.api.reading import (
    ClusterQuery,
    EnvironmentPath,
    EnvironmentQuery,
    InstancePath,
    InstanceQuery,
    TheCut,
    TheService,
    TheSnapshot,
    known_instance,
)
from distributor.errors import describe, registry
from distributor.errors.service import UnknownCode
from distributor.services.asking import telling
from distributor.services.asking.recounting import Told

router = APIRouter(tags=["Explanations"])


class LinkCard(BaseModel):
    """One link of a causal chain."""

    step: str = Field(description="request, gate, rollout, render, queue, fetch, apply or health.")
    ok: bool = Field(description="Whether this link holds nothing up.")
    text: str = Field(description="What is known, with the last error and its remedy.")


class Chain(BaseModel):
    """Why an instance is where it is, first cause first."""

    environment: str = Field(description="The environment.")
    instance: str = Field(description="The instance.")
    ok: bool = Field(description="Whether no link holds anything up.")
    links: list[LinkCard] = Field(description="The links in causal order.")


class ToldCard(BaseModel):
    """One fact of the ledger."""

    at: datetime = Field(description="When it was recorded, in UTC.")
    environment: str = Field(description="The environment; `all` where every one is meant.")
    instance: str = Field(description="The instance, or the app where a version was vetoed.")
    kind: str = Field(description="observed, accepted, refused, started, wave, verified, ...")
    text: str = Field(description="What it is about.")
    by: str = Field(description="Who asked; empty for the service itself.")
    sequence: int = Field(description="Sequence number of the verdict; 0 for none.")


class Explanation(BaseModel):
    """What an error code means."""

    code: str = Field(description="The code.")
    title: str = Field(description="What happened, in a sentence.")
    remedy: str = Field(description="What to do about it.")
    retryable: bool = Field(description="Whether it may pass by itself.")
    text: str = Field(description="The same as `distributor explain` prints it.")


@router.get(
    "/why/{environment}/{instance}", operation_id="why", summary="Why an instance is where it is"
)
async def why(
    service: TheService,
    snapshot: TheSnapshot,
    environment: EnvironmentPath,
    instance: InstancePath,
    cluster: ClusterQuery = "",
) -> Chain:
    """One causal chain: gate, render, queue, fetch, apply, health."""
    known_instance(service, snapshot, environment, instance)
    links = await telling.why(service, environment, instance, cluster)
    return Chain(
        environment=environment,
        instance=instance,
        ok=all(link.ok for link in links),
        links=[LinkCard(step=link.step, ok=link.ok, text=link.text) for link in links],
    )


@router.get("/history", operation_id="listHistory", summary="What happened, by the ledger")
async def list_history(
    service: TheService,
    _: TheSnapshot,
    wanted: TheCut,
    environment: EnvironmentQuery = "",
    instance: InstanceQuery = "",
) -> Page[ToldCard]:
    """What was asked, decided and done, newest first. Naming an instance spares reading the others."""
    found: list[tuple[tuple[str, str, str, str], ToldCard]] = []
    for env, name in sorted(service.book.state.instances):
        if environment in ("", env) and instance in ("", name):
            for number, told in enumerate(telling.history(service, env, name)):
                key = (told.at.isoformat(), env, name, f"{number:08}")
                found.append((key, _card(env, name, told)))
            await asyncio.sleep(0)  # a long ledger must not hold up the rollouts of this loop
    return page(found, wanted, key=lambda f: f[0], show=lambda f: f[1], newest_first=True)


def _card(environment: str, instance: str, told: Told) -> ToldCard:
    return ToldCard(
        at=told.at,
        environment=environment,
        instance=instance,
        kind=told.kind,
        text=told.text,
        by=told.by,
        sequence=told.sequence,
    )


@router.get("/explain/{code}", operation_id="explain", summary="What an error code means")
async def explain(
    code: Annotated[str, Path(max_length=20, description="Code, such as `DST301`.")],
) -> Explanation:
    """What an error code means, and what to do about it. Needs no repository."""
    kind, text = registry().get(code.upper()), describe(code)
    if kind is None or text is None:
        raise UnknownCode(f"({code})")
    return Explanation(
        code=kind.code,
        title=kind.title(),
        remedy=kind.remedy,
        retryable=kind.retryable,
        text=text,
    )
