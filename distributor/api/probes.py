"""Probes: whether the process lives, whether it can decide, and its figures for Prometheus."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from pydantic import BaseModel, Field

from distributor import metrics
from distributor.api.reading import TheService, snapshot_of
from distributor.services.service import Service

router = APIRouter(tags=["Probes"])

_PROCESS = CollectorRegistry()
ProcessCollector(registry=_PROCESS)


class Alive(BaseModel):
    """The process answers."""

    status: str = Field(description="Always `alive`.")


class Ready(BaseModel):
    """The service knows the repository and decides."""

    status: str = Field(description="Always `ready`; anything else is a problem document.")
    main: str = Field(description="Head of main when it was last seen.")
    ledger: str = Field(description="Head of the ledger when it was last read.")
    offline: str = Field(
        description="Why the remote cannot be reached; empty if it can. What runs stays in step."
    )
    local_ledger: bool = Field(
        description="Whether this service decides alone, in a ledger that no other service sees."
    )


class Worker(Protocol):
    """A render worker, as far as metrics need it."""

    @property
    def resident(self) -> int:
        """Resident memory in bytes."""
        ...


@runtime_checkable
class HasWorkers(Protocol):
    """A render engine that runs worker processes."""

    def workers(self) -> tuple[Worker, ...]:
        """The processes that run now."""
        ...


@router.get("/healthz", operation_id="healthz", summary="Whether the process lives")
async def healthz() -> Alive:
    """Answers as long as the process does; restart it when it does not."""
    return Alive(status="alive")


@router.get("/readyz", operation_id="readyz", summary="Whether the service decides")
async def readyz(service: TheService) -> Ready:
    """503 with the reason before the first look and while decisions are stopped: restarting is no help."""
    if service.trouble is not None:
        raise service.trouble
    snapshot = snapshot_of(service)
    return Ready(
        status="ready",
        main=snapshot.main,
        ledger=service.book.state.head,
        offline=str(service.offline or ""),
        local_ledger=service.world.local_ledger,
    )


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"description": "Prometheus text form.", "content": {"text/plain": {}}}},
)
async def figures(service: TheService) -> Response:
    """Counters and gauges of this process, with its memory and that of its render workers."""
    _engine_memory(service)
    body = generate_latest(metrics.REGISTRY) + generate_latest(_PROCESS)
    return Response(body, headers={"content-type": CONTENT_TYPE_PLAIN_1_0_0})


def _engine_memory(service: Service) -> None:
    """Set the workers' gauge anew: those that ended disappear."""
    engine: object = service.world.engine
    metrics.ENGINE_MEMORY.clear()
    if isinstance(engine, HasWorkers):
        for number, worker in enumerate(engine.workers()):
            metrics.ENGINE_MEMORY.labels(str(number)).set(worker.resident)
