"""Where to and as whom: the official client's reading of a kubeconfig, and its pool of connections."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_kube_config

from distributor.adapters.kube.settings import KubeSettings
from distributor.errors.cluster import UnknownConnection

_UNUSABLE = (
    ConfigException,
    yaml.YAMLError,
    OSError,  # files and certificates that cannot be read
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
"""What the library raises for files that are not what it expects."""


class _Rest(RESTClientObject):
    """The official client's connection pool, without its encoding of bodies."""

    def open(self) -> aiohttp.ClientSession:
        self.pool_manager = self._create_pool_manager()
        session: aiohttp.ClientSession = self.pool_manager
        return session


class Login:
    """What one reading of the kubeconfig gave. ``users`` counts the requests under way."""

    def __init__(self, configuration: Configuration) -> None:
        self.host = str(configuration.host)
        self.users = 0
        self._configuration = configuration
        self._rest = _Rest(configuration)
        self.session = self._rest.open()
        self.options: dict[str, Any] = {}
        if configuration.tls_server_name:
            self.options["server_hostname"] = configuration.tls_server_name
        proxy = configuration.proxy or environment_proxy(self.host)
        if proxy:
            self.options["proxy"] = proxy

    async def headers(self) -> dict[str, str]:
        """The headers that say who asks."""
        token = await self._configuration.get_api_key_with_prefix("BearerToken")
        # Files with tokens end with a newline, which no header may hold.
        return {"Authorization": token.strip()} if token else {}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._rest.close()


def environment_proxy(host: str) -> str:
    """The proxy that the environment names for a URL; never one for this machine itself."""
    parts = urlsplit(host)
    name = parts.hostname or ""
    try:
        local = ipaddress.ip_address(name).is_loopback
    except ValueError:
        local = name == "localhost"
    if local or proxy_bypass(name):
        return ""
    return getproxies().get(parts.scheme, "")


async def log_in(settings: KubeSettings) -> Login:
    """Read a kubeconfig, run its exec plugin, load its certificates; raises ``UnknownConnection``.

    No message quotes the library's own: they contain parts of the file, credentials too.
    """
    path = settings.kubeconfig
    if not await asyncio.to_thread(path.is_file):
        raise UnknownConnection(f"There is no file {path}.")
    configuration = _configuration()
    try:
        await load_kube_config(  # type: ignore[no-untyped-call]  # the package ships no types
            config_file=str(path),
            context=settings.context or None,
            client_configuration=configuration,
            persist_config=False,
        )
        _check_url(str(configuration.host))
        return Login(configuration)
    except _UNUSABLE as error:
        context = f" with a context {settings.context!r}" if settings.context else ""
        raise UnknownConnection(
            f"{path} is no usable kubeconfig{context} ({type(error).__name__})."
        ) from None


def _check_url(host: str) -> None:
    parts = urlsplit(host)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(host)


def _configuration() -> Configuration:
    configuration = Configuration()
    configuration.host = ""  # by default this machine, which a file without a server does not mean
    # As other Kubernetes clients do: many clusters' own authorities lack what RFC 5280 asks for,
    # which Python 3.13 and later would refuse.
    configuration.disable_strict_ssl_verification = True
    # Left on, every request looks for a netrc file and a proxy in threads, which takes longer than
    # all else; and nothing but the kubeconfig may say who we are.
    configuration.client_session_kwargs = {"trust_env": False}
    return configuration
