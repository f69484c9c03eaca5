"""The connection to one API server: requests and answers as bytes, and every fault as a coded error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import copy
from types import MappingProxyType
from typing import Protocol

import aiohttp
from yarl import URL

from distributor import metrics
from distributor.adapters.kube.login import Login, log_in
from distributor.adapters.kube.messages import APPLY, OK, TOO_MANY, UNAUTHORISED, Answer, Request
from distributor.adapters.kube.settings import KubeSettings, Limits
from distributor.adapters.kube.slots import Slots
from distributor.errors import DistributorError
from distributor.errors.cluster import BrokenAnswer, ClusterUnreachable

_FIRST_PAUSE = 0.5  # when a throttling server names no time
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Sender(Protocol):
    """Whoever sends requests."""

    async def send(self, request: Request) -> Answer:
        """The answer, whatever its status."""
        ...


class Transport:
    """Sends requests, a bounded number at once; every way to get no answer is a coded error."""

    def __init__(self, settings: KubeSettings, limits: Limits) -> None:
        self._settings = settings
        self._limits = limits
        self._slots = Slots(limits.concurrency)
        self._opening: asyncio.Task[Login] | None = None
        self._login: Login | None = None
        self._timeout = aiohttp.ClientTimeout(total=limits.total, sock_connect=limits.connect)

    async def send(
        self, request: Request, *, whose: object = None, headers: Mapping[str, str] = _NO_HEADERS
    ) -> Answer:
        """The answer, whatever its status; waits where the server asks for it, within ``throttled``.

        ``whose`` says in whose turn it is sent. ``headers`` come on top of those that say who we are.
        """
        waited = 0.0
        while True:
            async with self._slots.turn(whose):
                answer = await self._authorised(request, headers)
            pause = answer.retry_after or _FIRST_PAUSE
            if answer.status != TOO_MANY or waited + pause > self._limits.throttled:
                return answer
            waited += pause
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def stream(
        self, request: Request, *, silence: float
    ) -> AsyncIterator[tuple[Answer | None, AsyncIterator[bytes]]]:
        """The lines of an answer that goes on, or first the whole of one that is not good.

        It takes none of the slots, for it lasts. Broken off after ``silence`` seconds without a byte.
        """
        limits = aiohttp.ClientTimeout(
            total=None, sock_connect=self._limits.connect, sock_read=silence
        )
        login = await self._logged_in(None)
        login.users += 1
        try:
            async with self._asked(login, request, limits) as response:
                if response.status == UNAUTHORISED:
                    await self._logged_in(login)  # for the next time; the token may have expired
                answer = None if response.status == OK else await self._answer(response)
                yield answer, self._lines(response)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _coded(error, login.host) from error
        finally:
            login.users -= 1
            await self._retire(login)

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
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        login, self._login = self._login, None
        if login is not None:
            await self._retire(login)

    async def _authorised(self, request: Request, headers: Mapping[str, str]) -> Answer:
        """Send; where the credentials are refused, read the kubeconfig again once: tokens expire."""
        login = await self._logged_in(None)
        answer = await self._exchange(login, request, headers)
        if answer.status != UNAUTHORISED:
            return answer
        return await self._exchange(await self._logged_in(login), request, headers)

    async def _logged_in(self, refused: Login | None) -> Login:
        """The login, or a new one where it was refused; all who wait share one try and its end."""
        if self._login is not None and self._login is not refused:
            return self._login
        if self._opening is None:
            self._opening = asyncio.create_task(self._log_in())
            self._opening.add_done_callback(_noticed)
        try:
            return await asyncio.shield(self._opening)
        except DistributorError as error:
            raise copy(error) from None  # each notes where it came up

    async def _log_in(self) -> Login:
        try:
            old, self._login = self._login, await log_in(self._settings, self._limits.login)
        finally:
            self._opening = None
        if old is not None:
            await self._retire(old)
        return self._login

    async def _retire(self, login: Login) -> None:
        if login is not self._login and not login.users:
            await login.aclose()

    async def _exchange(self, login: Login, request: Request, headers: Mapping[str, str]) -> Answer:
        login.users += 1
        try:
            return await self._twice(login, request, headers)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _coded(error, login.host) from error
        finally:
            login.users -= 1
            await self._retire(login)

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
            URL(login.host + request.path, encoded=True).with_query(dict(request.query)),
            data=request.body,
            headers=headers,
            timeout=limits,
            allow_redirects=False,  # credentials go to the server named, and nowhere else
            **login.options,
        ) as response:
            metrics.CLUSTER_REQUESTS.labels(_verb(request), str(response.status)).inc()
            yield response

    async def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        return Answer(
            status=response.status,
            body=await self._read(response),
            retry_after=_seconds(response.headers.get("Retry-After")),
        )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        length = response.content_length or 0
        if length > self._limits.largest_answer:
            raise BrokenAnswer(f"It has {length} bytes.")
        return await response.read()


def _noticed(task: asyncio.Task[Login]) -> None:
    """Whoever asked may have given up waiting: then nobody else looks at how it ended."""
    if not task.cancelled():
        task.exception()


def _verb(request: Request) -> str:
    """The verb as access control has it; reads of many objects are not told from those of one."""
    if request.query.get("watch"):
        return "watch"
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


def _seconds(text: str | None) -> float | None:
    """``Retry-After`` as API servers send it: whole seconds."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
