"""Tokens and passwords: asked for when a registry wants some, kept while the program runs."""

from __future__ import annotations

import aiohttp
import orjson
from yarl import URL

from distributor.adapters.oci.challenge import Challenge
from distributor.adapters.oci.credentials import Credential, DockerCredentials
from distributor.adapters.oci.exchange import Again, is_loopback, proxy_of, seconds
from distributor.adapters.oci.settings import Limits
from distributor.adapters.oci.sink import Sink
from distributor.errors.vendoring import RegistryRefused

_OK, _TOO_MANY, _FAULT = 200, 429, 500
_CHUNK = 1 << 16
_CLIENT = "distributor"


class Authoriser:
    """Keeps what to send with requests, by host and repository."""

    def __init__(self, credentials: DockerCredentials, limits: Limits) -> None:
        self._credentials = credentials
        self._limits = limits
        self._headers: dict[tuple[str, str], str] = {}

    def headers(self, host: str, repository: str) -> dict[str, str]:
        """What to send; nothing before ``authorise`` was called for it."""
        known = self._headers.get((host, repository))
        return {"Authorization": known} if known else {}

    async def authorise(
        self,
        session: aiohttp.ClientSession,
        challenge: Challenge,
        host: str,
        repository: str,
        *,
        plain: bool,
    ) -> None:
        """Do what the challenge asks; ``plain`` allows any token service over http, not only a local one.

        Raises ``RegistryRefused`` where there are no credentials, or the token service has no token.
        """
        credential = await self._credentials.find(host, repository)
        if challenge.scheme == "basic":
            if credential is None or not credential.user:
                raise RegistryRefused(f"({host} wants a user, and none is known)")
            self._headers[host, repository] = credential.basic()
            return
        realm = _realm(challenge, host, plain=plain)
        fields = {
            "service": challenge.parameters.get("service", ""),
            "scope": challenge.parameters.get("scope") or f"repository:{repository}:pull",
        }
        token = await self._token(session, realm, fields, credential)
        self._headers[host, repository] = f"Bearer {token}"

    async def _token(
        self,
        session: aiohttp.ClientSession,
        realm: URL,
        fields: dict[str, str],
        credential: Credential | None,
    ) -> str:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        method, query, form = "GET", fields, None
        if credential is not None and credential.identity_token:
            form = {
                **fields,
                "grant_type": "refresh_token",
                "refresh_token": credential.identity_token,
                "client_id": _CLIENT,
            }
            method, query = "POST", {}
        elif credential is not None:
            headers["Authorization"] = credential.basic()
        sink = Sink(self._limits.token)
        async with session.request(
            method,
            realm.update_query(query),
            headers=headers,
            data=form,
            allow_redirects=False,
            proxy=proxy_of(realm),
        ) as response:
            if response.status == _TOO_MANY or response.status >= _FAULT:
                raise Again(f"{realm.host} answers {response.status}", seconds(response.headers))
            if response.status != _OK:
                raise RegistryRefused(
                    f"({realm.host} gives no token: it answers {response.status})"
                )
            sink.start(response.content_length)
            async for chunk in response.content.iter_chunked(_CHUNK):
                sink.write(chunk)
        return _token_in(sink.data, realm.host or "")


def _realm(challenge: Challenge, host: str, *, plain: bool) -> URL:
    try:
        realm = URL(challenge.parameters["realm"])
    except ValueError:
        realm = URL()
    local = is_loopback(realm.host or "") and is_loopback(URL(f"https://{host}").host or "")
    if not realm.host or realm.scheme not in ({"http", "https"} if plain or local else {"https"}):
        raise RegistryRefused(f"({host} names a token service that is no https address)")
    return realm.with_user(None)


def _token_in(data: bytes, host: str) -> str:
    """The token specification allows ``token``, and ``access_token`` as OAuth has it."""
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        answer = None
    found = (answer.get("token") or answer.get("access_token")) if isinstance(answer, dict) else ""
    if not isinstance(found, str) or not found or not found.isascii() or not found.isprintable():
        raise RegistryRefused(f"({host} gives no usable token)")
    return found
