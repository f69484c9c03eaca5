"""The connection to one API server: requests and answers as bytes, and every fault as a coded error."""

from __future__ import annotations

import asyncio

import aiohttp
from yarl import URL

from distributor.adapters.kube.login import Login, log_in
from distributor.adapters.kube.messages import APPLY, TOO_MANY, UNAUTHORISED, Answer, Request
from distributor.adapters.kube.settings import KubeSettings, Limits
from distributor.errors.cluster import BrokenAnswer, ClusterUnreachable

_FIRST_PAUSE = 0.5  # when a throttling server names no time


class Transport:
    """Sends requests, a bounded number at once; every way to get no answer is a coded error."""

    def __init__(self, settings: KubeSettings, limits: Limits) -> None:
        self._settings = settings
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._opening = asyncio.Lock()
        self._login: Login | None = None
        self._timeout = aiohttp.ClientTimeout(total=limits.total, sock_connect=limits.connect)

    async def send(self, request: Request) -> Answer:
        """The answer, whatever its status; waits where the server asks for it, within ``throttled``."""
        waited = 0.0
        while True:
            async with self._slots:
                answer = await self._authorised(request)
            pause = answer.retry_after or _FIRST_PAUSE
            if answer.status != TOO_MANY or waited + pause > self._limits.throttled:
                return answer
            waited += pause
            await asyncio.sleep(pause)

    async def aclose(self) -> None:
        """Close all connections; those of requests under way when they end."""
        login, self._login = self._login, None
        if login is not None:
            await self._retire(login)

    async def _authorised(self, request: Request) -> Answer:
        """Send; where the credentials are refused, read the kubeconfig again once: tokens expire."""
        login = await self._logged_in(None)
        answer = await self._exchange(login, request)
        if answer.status != UNAUTHORISED:
            return answer
        return await self._exchange(await self._logged_in(login), request)

    async def _logged_in(self, refused: Login | None) -> Login:
        async with self._opening:
            if self._login is None or self._login is refused:
                old, self._login = self._login, await log_in(self._settings)
                if old is not None:
                    await self._retire(old)
            return self._login

    async def _retire(self, login: Login) -> None:
        if login is not self._login and not login.users:
            await login.aclose()

    async def _exchange(self, login: Login, request: Request) -> Answer:
        login.users += 1
        try:
            return await self._twice(login, request)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _coded(error, login.host) from error
        finally:
            login.users -= 1
            await self._retire(login)

    async def _twice(self, login: Login, request: Request) -> Answer:
        """A connection kept open may have died since; applying twice does what applying once does.

        aiohttp asks again by itself for the other methods that may be repeated, but never a PATCH.
        """
        try:
            return await self._ask(login, request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if request.content_type != APPLY:
                raise
            return await self._ask(login, request)

    async def _ask(self, login: Login, request: Request) -> Answer:
        headers = {"Accept": request.accept, **await login.headers()}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        async with login.session.request(
            request.method,
            URL(login.host + request.path, encoded=True).with_query(dict(request.query)),
            data=request.body,
            headers=headers,
            timeout=self._timeout,
            allow_redirects=False,  # credentials go to the server named, and nowhere else
            **login.options,
        ) as response:
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
