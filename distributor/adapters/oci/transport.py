"""Requests to registries: redirects, tries, deadlines and authorisation; every fault is a coded error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from distributor.adapters.oci.authorising import Authoriser
from distributor.adapters.oci.challenge import choose
from distributor.adapters.oci.credentials import DockerCredentials
from distributor.adapters.oci.exchange import Again, coded, is_loopback, proxy_of, seconds
from distributor.adapters.oci.settings import Limits
from distributor.adapters.oci.sink import Sink
from distributor.errors.vendoring import (
    ArtifactMissing,
    BadReference,
    RegistryRefused,
    RegistryUnreachable,
)
from distributor.ports import Clock

_CHUNK = 1 << 16
_OK, _UNAUTHORISED, _FORBIDDEN, _MISSING, _TOO_MANY = 200, 401, 403, 404, 429
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FAULT = 500
_FIRST_PAUSE = 0.5
_REDIRECTED = (
    "No login helps: have the registry's operator mend where it leads, or name the host that holds the"
    " artifact itself. Addresses without TLS are followed on this machine, or with --plain-http."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing to read from a registry: ``host`` as the reference names it, the path below ``/v2/``."""

    host: str
    repository: str
    path: str
    accept: str


class Transport:
    """Reads from registries over https; over http only from this machine, or where ``plain_http`` allows it.

    Credentials go to the host that the reference names, and to the token service that it names; never to
    one that a redirect leads to.
    """

    def __init__(
        self,
        credentials: DockerCredentials,
        clock: Clock,
        *,
        limits: Limits | None = None,
        plain_http: bool = False,
    ) -> None:
        self._limits = limits or Limits()
        self._clock = clock
        self._plain = plain_http
        self._session: aiohttp.ClientSession | None = None
        self._authoriser = Authoriser(credentials, self._limits)

    async def read(self, request: Request, sink: Sink) -> Mapping[str, str]:
        """Bring the body into the sink and answer with the headers; raises the errors of ``errors.vendoring``."""
        detail = ""
        for attempt in range(self._limits.tries):
            try:
                return await self._once(request, sink)
            except Again as again:
                detail = again.detail
                pause = again.seconds or _FIRST_PAUSE * 2**attempt
            if attempt < self._limits.tries - 1:
                await self._clock.sleep(min(pause, self._limits.pause))
        raise RegistryUnreachable(f"({detail}; asked {self._limits.tries} times)")

    async def aclose(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _once(self, request: Request, sink: Sink) -> Mapping[str, str]:
        url = self._address(request)
        session = self._open()
        try:
            answer = await self._follow(session, request, url, sink)
            if answer is None:  # the credentials or the token were asked for, and are there now
                answer = await self._follow(session, request, url, sink)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise coded(error, request.host) from error
        if answer is None:
            raise RegistryRefused(f"({request.host} does not accept the credentials)")
        return answer

    async def _follow(
        self, session: aiohttp.ClientSession, request: Request, url: URL, sink: Sink
    ) -> Mapping[str, str] | None:
        """Read, wherever redirects lead; ``None`` where the registry wants to know first who asks."""
        origin = url.origin()
        for _ in range(self._limits.redirects + 1):
            headers = {"Accept": request.accept, "Accept-Encoding": "identity"}
            if url.origin() == origin:
                headers |= self._authoriser.headers(request.host, request.repository)
            async with session.get(
                url, headers=headers, allow_redirects=False, proxy=proxy_of(url)
            ) as response:
                if response.status in _REDIRECTS:
                    url = self._target(url, response.headers.get("Location", ""))
                    continue
                if response.status == _UNAUTHORISED and url.origin() == origin:
                    await self._authorise(session, request, response)
                    return None
                _check(response, request)
                await _pour(response, sink)
                return dict(response.headers)
        raise RegistryRefused(
            f"({request.host} redirects more than {self._limits.redirects} times)",
            remedy=_REDIRECTED,
        )

    async def _authorise(
        self,
        session: aiohttp.ClientSession,
        request: Request,
        response: aiohttp.ClientResponse,
    ) -> None:
        challenge = choose(response.headers.getall("WWW-Authenticate", []))
        if challenge is None:
            raise RegistryRefused(
                f"({request.host} offers neither bearer nor basic authentication)",
                remedy="Copy the artifact to a registry that takes a token or a password.",
            )
        await self._authoriser.authorise(
            session, challenge, request.host, request.repository, plain=self._plain
        )

    def _address(self, request: Request) -> URL:
        host = "registry-1.docker.io" if request.host == "docker.io" else request.host
        scheme = "http" if self._plain_allowed(request.host) else "https"
        try:
            base = URL(f"{scheme}://{host}")
            return base.with_path(f"/v2/{request.repository}/{request.path}")
        except ValueError as error:
            raise BadReference(f"({request.host}: {error})") from error

    def _target(self, url: URL, location: str) -> URL:
        try:
            target = url.join(URL(location, encoded=True))
        except ValueError as error:
            raise RegistryRefused(
                "(it redirects to something that is no address)", remedy=_REDIRECTED
            ) from error
        plain = url.scheme == target.scheme == "http" and self._plain_allowed(target.authority)
        if not location or not target.host or not (target.scheme == "https" or plain):
            raise RegistryRefused(
                f"(it redirects from {url.scheme} to {target.scheme or 'nothing'})",
                remedy=_REDIRECTED,
            )
        return target.with_user(None)

    def _plain_allowed(self, host: str) -> bool:
        return self._plain or is_loopback(URL(f"https://{host}").host or "")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                auto_decompress=False,  # what is hashed are the bytes that were sent
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(
                    total=self._limits.total,
                    sock_connect=self._limits.connect,
                    sock_read=self._limits.read,
                ),
            )
        return self._session


def _check(response: aiohttp.ClientResponse, request: Request) -> None:
    """Raise for every answer that holds nothing of what was asked for."""
    status = response.status
    if status == _OK:
        return
    if status == _TOO_MANY or status >= _FAULT:
        raise Again(f"{request.host} answers {status}", seconds(response.headers))
    if status == _MISSING:
        raise ArtifactMissing(f"({request.host}/{request.repository}, {request.path})")
    reason = "may not be read" if status in {_UNAUTHORISED, _FORBIDDEN} else f"answered {status}"
    raise RegistryRefused(f"({request.host}/{request.repository} {reason})")


async def _pour(response: aiohttp.ClientResponse, sink: Sink) -> None:
    sink.start(response.content_length)
    async for chunk in response.content.iter_chunked(_CHUNK):
        sink.write(chunk)
