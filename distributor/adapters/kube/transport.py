"""The connection to one API server: requests and answers as bytes, and every fault as a coded error."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

import aiohttp
from yarl import URL

from distributor import metrics
from distributor.adapters.kube.gate import Gate, pause_after, spread
from distributor.adapters.kube.login import Login
from distributor.adapters.kube.logins import Logins
from distributor.adapters.kube.messages import (
    APPLY,
    OK,
    STARTING,
    TOO_MANY,
    UNAUTHORISED,
    Answer,
    Request,
    denied,
    meant,
)
from distributor.adapters.kube.settings import KubeSettings, Limits
from distributor.adapters.kube.slots import Slots
from distributor.errors.cluster import BrokenAnswer, ClusterUnreachable

_PIECE = 2**20
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Sender(Protocol):
    """Whoever sends requests."""

    async def send(self, request: Request) -> Answer:
        """The answer, whatever its status."""
        ...


class Transport:
    """Sends requests, a bounded number at once; every way to get no answer is a coded error."""

    def __init__(self, settings: KubeSettings, limits: Limits) -> None:
        self._limits = limits
        self._slots = Slots(
            quick=limits.concurrency,
            most=limits.concurrency * limits.lenient,
            patience=limits.patience,
        )
        self._gate = Gate(limits.throttled)
        self._logins = Logins(settings, limits.login)
        self._timeout = aiohttp.ClientTimeout(total=limits.total, sock_connect=limits.connect)

    async def send(
        self, request: Request, *, whose: object = None, headers: Mapping[str, str] = _NO_HEADERS
    ) -> Answer:
        """The answer, whatever its status; waits where the server asks for it, within ``throttled``.

        ``whose`` says in whose turn it is sent. ``headers`` come on top of those that say who we are.

        Nobody waits in a slot. A refusal of everybody shuts the gate for all; one of this request alone
        (a ``Status``: a kind whose storage is being set up, a webhook) keeps no other one waiting.
        """
        waited, refusals = 0.0, 0
        while True:
            waited += await self._gate.passed(self._limits.throttled - waited)
            async with self._slots.turn(whose), self._gate.turn():
                if self._gate.shut:  # since it was passed
                    continue
                answer = await self._heard(request, headers)
                if answer.status != TOO_MANY:
                    self._gate.taken()
                    return answer
                if answer.of_everybody:
                    self._gate.refused(answer.retry_after)
            refusals += 1
            pause = spread(pause_after(answer.retry_after, refusals))
            if waited + pause > self._limits.throttled:
                return answer
            if not answer.of_everybody:
                waited += pause
                await asyncio.sleep(pause)

    async def _heard(self, request: Request, headers: Mapping[str, str]) -> Answer:
        """The answer; the gate is told of it, or that there is none."""
        sent = asyncio.get_running_loop().time()
        try:
            answer = await self._authorised(request, headers)
        except ClusterUnreachable as error:
            self._gate.unanswered(sent, error)
            raise
        self._gate.answered()
        return answer

    @asynccontextmanager
    async def stream(
        self, request: Request, *, silence: float
    ) -> AsyncIterator[tuple[Answer | None, AsyncIterator[bytes]]]:
        """The lines of an answer that goes on, or first the whole of one that is not good.

        It takes none of the slots, for it lasts, but waits at the gate. Broken off after ``silence`` seconds without a byte.
        """
        await self._gate.passed(self._limits.throttled)
        limits = aiohttp.ClientTimeout(
            total=None, sock_connect=self._limits.connect, sock_read=silence
        )
        async with AsyncExitStack() as stack:
            answered = self._streamed(stack, await self._logins.current(), request, limits)
            response = await answered
            stack.callback(_cut_off, response)
            answer = None if response.status == OK else await self._answer(response)
            yield answer, self._lines(response)

    async def _streamed(
        self,
        stack: AsyncExitStack,
        login: Login,
        request: Request,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        """The beginning of an answer; where the credentials are refused, of the one to newer ones."""
        await stack.enter_async_context(self._told(login))
        await stack.enter_async_context(self._logins.used(login))
        response = await stack.enter_async_context(self._asked(login, request, limits))
        if response.status != UNAUTHORISED:
            self._logins.took(login)
            return response
        newer = await self._logins.refused(login)
        if newer is login:
            return response
        return await self._streamed(stack, newer, request, limits)

    async def _lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        rest = b""
        async for piece in response.content.iter_any():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.strip():
                    yield line
            if len(rest) > self._limits.largest_event:
                raise BrokenAnswer(f"An event has more than {len(rest)} bytes.")

    async def aclose(self) -> None:
        """Close all connections; those of requests under way when they end."""
        await self._logins.aclose()

    async def _authorised(self, request: Request, headers: Mapping[str, str]) -> Answer:
        """Send; where the credentials are refused, read the kubeconfig again once: tokens expire."""
        login = await self._logins.current()
        answer = await self._exchange(login, request, headers)
        if answer.status == UNAUTHORISED:
            newer = await self._logins.refused(login)
            return answer if newer is login else await self._exchange(newer, request, headers)
        if denied(answer):
            return await self._denied(login, request, headers, answer)
        return answer

    async def _denied(
        self, login: Login, request: Request, headers: Mapping[str, str], answer: Answer
    ) -> Answer:
        """A server that has just begun refuses everything, as it has read no roles yet.

        So access control's word counts only of a server that says that it is ready, and after that.
        """
        ready = await self._exchange(login, Request(method="GET", path="/readyz"))
        if not ready.good:
            return replace(answer, status=STARTING)
        return await self._exchange(login, request, headers)

    async def _exchange(
        self, login: Login, request: Request, headers: Mapping[str, str] = _NO_HEADERS
    ) -> Answer:
        async with self._told(login), self._logins.used(login):
            answer = await self._twice(login, request, headers)
        if answer.status != UNAUTHORISED:
            self._logins.took(login)
        return answer

    @asynccontextmanager
    async def _told(self, login: Login) -> AsyncIterator[None]:
        """Every way to get no answer, as a coded error."""
        try:
            yield
        except (TimeoutError, aiohttp.ClientError) as error:
            coded = _coded(error, login.host)
            if isinstance(coded, ClusterUnreachable):
                await self._logins.unanswered(login)
            raise coded from error

    async def _twice(self, login: Login, request: Request, headers: Mapping[str, str]) -> Answer:
        """A connection kept open may have died since; applying twice does what applying once does.

        aiohttp asks again by itself for the other methods that may be repeated, but never a PATCH.
        """
        try:
            return await self._ask(login, request, headers)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if request.content_type != APPLY:
                raise
            return await self._ask(login, request, headers)

    async def _ask(self, login: Login, request: Request, headers: Mapping[str, str]) -> Answer:
        async with self._asked(login, request, self._timeout, headers) as response:
            return await self._answer(response)

    @asynccontextmanager
    async def _asked(
        self,
        login: Login,
        request: Request,
        limits: aiohttp.ClientTimeout,
        more: Mapping[str, str] = _NO_HEADERS,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = [("Accept", request.accept), *await login.headers(more)]
        if request.body is not None:
            headers.append(("Content-Type", request.content_type))
        async with login.session.request(
            request.method,
            _url(login.host, request),
            data=_streamable(request.body),
            headers=headers,
            timeout=limits,
            allow_redirects=False,  # credentials go to the server named, and nowhere else
            **login.options,
        ) as response:
            metrics.CLUSTER_REQUESTS.labels(_verb(request), str(response.status)).inc()
            yield response

    async def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        body = await self._read(response)
        return Answer(
            status=meant(response.status, body),
            body=body,
            retry_after=_seconds(response.headers.get("Retry-After")),
            date=_moment(response.headers.get("Date")),
        )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        length = response.content_length or 0
        if length > self._limits.largest_answer:
            raise BrokenAnswer(f"It has {length} bytes.")
        return await response.read()


def _cut_off(response: aiohttp.ClientResponse) -> None:
    """Break the connection of an answer that goes on; a slow server's farewell is not waited for."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()


def _url(host: str, request: Request) -> URL:
    query = f"?{_encoded(tuple(request.query.items()))}" if request.query else ""
    return URL(f"{host}{request.path}{query}", encoded=True)


@lru_cache(maxsize=64)
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    """A query as it is sent; most requests have one of a few."""
    return URL.build(query=query).raw_query_string


def _streamable(body: bytes | None) -> bytes | io.BytesIO | None:
    """The body; a large one in pieces, so that it holds up nothing else."""
    return io.BytesIO(body) if body is not None and len(body) > _PIECE else body


def _verb(request: Request) -> str:
    """The verb as access control has it; reads of many objects are not told from those of one.

    A write that the server is told not to keep is a ``dry-run``.
    """
    if request.query.get("watch"):
        return "watch"
    if request.query.get("dryRun") == "All":
        return "dry-run"
    return request.method.lower()


def _coded(error: Exception, host: str) -> ClusterUnreachable | BrokenAnswer:
    match error:
        case TimeoutError():
            return ClusterUnreachable(f"{host} did not answer in time.")
        case aiohttp.ClientConnectorError():
            return ClusterUnreachable(f"{host}: {error.os_error.strerror or error.os_error}.")
        case aiohttp.ClientSSLError():
            return ClusterUnreachable(f"{host}: {error}.")
        case _:
            return BrokenAnswer(f"{host}: {type(error).__name__}.")


@lru_cache(maxsize=16)
def _moment(text: str | None) -> datetime | None:
    """``Date`` as every server sends it; nothing where it is no time."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        return None


def _seconds(text: str | None) -> float | None:
    """``Retry-After`` as API servers send it: whole seconds."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
