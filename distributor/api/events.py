"""Events: what happens, as it happens, as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from distributor.api.reading import ClusterQuery, EnvironmentQuery, InstanceQuery, TheService
from distributor.errors.service import BadRequest
from distributor.model.stored import StoredEvent
from distributor.services.service import Service

router = APIRouter(tags=["Events"])

HEARTBEAT = 15.0
"""Seconds of silence after which a comment shows that the connection lives."""
_RETRY = b"retry: 2000\n\n"
_BEAT = b": still here\n\n"
_EVENT_STREAM = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'id: 17\nevent: wave\ndata: {"kind": "wave", "environment": "uat"}\n\n',
    }
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events a follower wants; what is empty asks for nothing."""

    environment: str = ""
    instance: str = ""
    cluster: str = ""
    kind: str = ""

    def takes(self, event: StoredEvent) -> bool:
        """Whether an event is one of them."""
        pairs = (
            (self.environment, event.environment),
            (self.instance, event.instance),
            (self.cluster, event.cluster),
            (self.kind, event.kind),
        )
        return all(wanted in ("", found) for wanted, found in pairs)


@router.get(
    "/events",
    operation_id="followEvents",
    summary="What happens, as it happens",
    response_class=StreamingResponse,
    responses={200: {"description": "Server-sent events.", "content": _EVENT_STREAM}},
)
async def follow_events(
    request: Request,
    service: TheService,
    *,
    environment: EnvironmentQuery = "",
    instance: InstanceQuery = "",
    cluster: ClusterQuery = "",
    kind: Annotated[str, Query(max_length=40, description="Only of this kind.")] = "",
    after: Annotated[
        int | None, Query(ge=0, description="Begin after this event; absent: with what comes next.")
    ] = None,
    last_event_id: Annotated[
        str, Header(max_length=20, description="As `after`; browsers send it when they reconnect.")
    ] = "",
) -> StreamingResponse:
    """Events as JSON objects, each with its number as `id`; nothing is missed over a reconnect.

    An event `reset` says that some are no longer kept, or that the numbers began anew: read the lists
    again.
    """
    begin = _begin(last_event_id, after)
    wanted = Wanted(environment=environment, instance=instance, cluster=cluster, kind=kind)
    closing: asyncio.Event = request.app.state.closing
    return StreamingResponse(
        stream(service, begin, wanted, closing),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


def _begin(last_event_id: str, after: int | None) -> int | None:
    if not last_event_id:
        return after
    if not (last_event_id.isascii() and last_event_id.isdigit()):
        raise BadRequest(f"(Last-Event-ID {last_event_id!r} is not a number)")
    return int(last_event_id)


async def stream(
    service: Service,
    begin: int | None,
    wanted: Wanted,
    closing: asyncio.Event,
    *,
    heartbeat: float = HEARTBEAT,
) -> AsyncGenerator[bytes, None]:
    """The bytes of the stream, until ``closing`` is set or the reader closes it."""
    last = await service.world.store.last_event()
    after = last if begin is None else begin
    yield _RETRY
    if after > last:
        yield _frame(last, "reset", {"reason": "the numbers began anew"})
        after = last
    async with aclosing(_or_silence(service, after, closing, heartbeat)) as events:
        async for event in events:
            if event is None:
                yield _BEAT
                continue
            if event.id > after + 1 and begin is not None:
                yield _frame(after, "reset", {"reason": "some events are no longer kept"})
            after = event.id
            if wanted.takes(event):
                yield _frame(event.id, event.kind, dataclasses.asdict(event))


async def _or_silence(
    service: Service, after: int, closing: asyncio.Event, heartbeat: float
) -> AsyncGenerator[StoredEvent | None, None]:
    """Events as they come, ``None`` after each silence; ends when ``closing`` is set."""
    source = service.journal.follow(after)
    closed = asyncio.ensure_future(closing.wait())
    coming = asyncio.ensure_future(_next(source))
    try:
        while not closing.is_set():
            both: set[asyncio.Future[Any]] = {coming, closed}
            done, _ = await asyncio.wait(
                both, timeout=heartbeat, return_when=asyncio.FIRST_COMPLETED
            )
            if coming in done:
                yield coming.result()
                coming = asyncio.ensure_future(_next(source))
            elif not done:
                yield None
    finally:
        for waiting in (coming, closed):
            waiting.cancel()
        await asyncio.gather(coming, closed, return_exceptions=True)


async def _next(source: AsyncIterator[StoredEvent]) -> StoredEvent:
    return await anext(source)


def _frame(number: int, kind: str, data: dict[str, Any]) -> bytes:
    """One event: JSON has no raw line breaks, so its data is always one line."""
    name = " ".join(kind.split())
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, name.encode(), orjson.dumps(data))
