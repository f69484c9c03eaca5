"""Promotions: requests with the verdicts that the ledger holds. They are made with Git tags, not here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from distributor.api.paging import Page, page
from distributor.api.reading import EnvironmentQuery, InstanceQuery, TheCut, TheService, TheSnapshot
from distributor.errors.service import NotFound
from distributor.model.ledger import InstanceState, LedgerState, Progress
from distributor.model.promotion import GateAnswer, Verdict, VerdictOutcome
from distributor.model.tags import Verb

router = APIRouter(prefix="/promotions", tags=["Promotions"])

Found = tuple[InstanceState, Verdict]


class GateCard(BaseModel):
    """What one gate said about a request."""

    number: int = Field(description="Number of the gate; they are asked in this order.")
    gate: str = Field(description="Name of the gate.")
    result: str = Field(description="pass, warn, fail, pending, error or skipped.")
    message: str = Field(description="What it said.")
    findings: list[str] = Field(description="What it found, each with its code and place.")
    evidence: dict[str, str] = Field(description="What it looked at.")
    until: datetime | None = Field(description="When a pending gate is worth asking again.")


class PromotionCard(BaseModel):
    """A request and its last verdict. Times are UTC."""

    ref: str = Field(description="The tag, such as `promote/uat/shop/1.4.2`.")
    tag: str = Field(description="Object id of the tag.")
    verb: str = Field(description="promote, rollback, remove, hold, ...")
    environment: str = Field(description="The environment.")
    instance: str = Field(description="The instance.")
    app: str = Field(description="The app; empty where the verdict names no revision.")
    version: str = Field(description="The version; empty where the verdict names no revision.")
    outcome: str = Field(description="accepted, refused or pending.")
    reasons: list[str] = Field(description="Why it was not let in: a line a gate.")
    principal: str = Field(description="Who asked, as the signature proves; else anonymous.")
    request_class: str = Field(description="normal, hotfix or rollback.")
    reason: str = Field(description="What the person gave as the reason.")
    sequence: int = Field(description="Sequence number; 0 unless accepted.")
    observed_at: datetime | None = Field(description="When the service first saw the tag.")
    commit: str = Field(description="The commit that was asked for.")


class ProgressCard(BaseModel):
    """How far the rollout of an accepted request came, by the ledger."""

    started_at: datetime | None = Field(description="When it started.")
    waves: list[str] = Field(description="Waves that ended.")
    verified_at: datetime | None = Field(description="When it was verified.")
    ended_at: datetime | None = Field(
        description="When another revision took its place, or it failed."
    )
    end: str = Field(description="How it ended; empty while it stands.")
    targets: dict[str, str] = Field(description="Result by cluster, as last recorded.")
    reason: str = Field(description="What there is to say about its end.")


class PromotionDetail(PromotionCard):
    """A request with what every gate said, and how far its rollout came."""

    policy_commit: str = Field(description="The commit whose policy judged it.")
    digest: str = Field(description="Package digest of the revision.")
    config: str = Field(description="Config digest of the revision.")
    rendered: str = Field(description="Hash over everything rendered, which approvals bind to.")
    targets: list[str] = Field(description="Clusters that it was placed on.")
    gates: list[GateCard] = Field(description="The gates' answers, in order.")
    progress: ProgressCard | None = Field(description="Absent until a rollout was recorded.")


@router.get("", operation_id="listPromotions", summary="Requests and their verdicts")
async def list_promotions(
    service: TheService,
    _: TheSnapshot,
    wanted: TheCut,
    *,
    environment: EnvironmentQuery = "",
    instance: InstanceQuery = "",
    outcome: Annotated[VerdictOutcome | None, Query(description="Only with this outcome.")] = None,
    verb: Annotated[Verb | None, Query(description="Only of this kind of request.")] = None,
) -> Page[PromotionCard]:
    """The requests that the ledger holds a verdict of, newest first."""
    found = (
        (state, verdict)
        for state, verdict in _verdicts(service.book.state)
        if environment in ("", state.environment)
        and instance in ("", state.instance)
        and outcome in (None, verdict.outcome)
        and verb in (None, verdict.verb)
    )
    return page(
        found, wanted, key=_age, show=lambda f: PromotionCard(**_card(f)), newest_first=True
    )


@router.get("/{ref:path}", operation_id="getPromotion", summary="One request")
async def get_promotion(
    service: TheService,
    _: TheSnapshot,
    ref: Annotated[str, Path(max_length=500, description="The tag's name, slashes included.")],
) -> PromotionDetail:
    """One request with what every gate said, and how far its rollout came."""
    for state, verdict in _verdicts(service.book.state):
        if verdict.ref == ref:
            return _detail(state, verdict)
    raise NotFound(f"(the ledger holds no verdict of {ref})")


def _verdicts(ledger: LedgerState) -> Iterator[Found]:
    for state in ledger.instances.values():
        for verdict in state.last_verdicts.values():
            yield state, verdict


def _age(found: Found) -> tuple[str, str]:
    state, verdict = found
    seen = state.observed_at.get(verdict.ref)
    return (seen.isoformat() if seen else "", verdict.ref)


def _card(found: Found) -> dict[str, Any]:
    state, verdict = found
    revision = verdict.revision
    return {
        "ref": verdict.ref,
        "tag": verdict.tag,
        "verb": verdict.verb.value,
        "environment": verdict.environment,
        "instance": verdict.instance,
        "app": revision.app if revision else "",
        "version": revision.version if revision else "",
        "outcome": verdict.outcome.value,
        "reasons": list(verdict.reasons()),
        "principal": verdict.principal,
        "request_class": verdict.request_class.value,
        "reason": verdict.reason,
        "sequence": verdict.sequence,
        "observed_at": state.observed_at.get(verdict.ref),
        "commit": verdict.commit,
    }


def _detail(state: InstanceState, verdict: Verdict) -> PromotionDetail:
    revision = verdict.revision
    progress = state.progress.get(verdict.sequence) if verdict.accepted else None
    return PromotionDetail(
        **_card((state, verdict)),
        policy_commit=verdict.policy_commit,
        digest=revision.digest if revision else "",
        config=revision.config if revision else "",
        rendered=verdict.rendered,
        targets=list(verdict.targets),
        gates=[_gate(answer) for answer in verdict.answers],
        progress=_progress(progress) if progress else None,
    )


def _gate(answer: GateAnswer) -> GateCard:
    return GateCard(
        number=answer.number,
        gate=answer.gate,
        result=answer.result.value,
        message=answer.message,
        findings=[str(finding) for finding in answer.findings],
        evidence=dict(answer.evidence),
        until=answer.until,
    )


def _progress(progress: Progress) -> ProgressCard:
    return ProgressCard(
        started_at=progress.started_at,
        waves=list(progress.waves),
        verified_at=progress.verified_at,
        ended_at=progress.ended_at,
        end=progress.end.value if progress.end else "",
        targets=dict(progress.targets),
        reason=progress.reason,
    )
