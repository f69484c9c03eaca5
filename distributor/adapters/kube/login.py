"""Where to and as whom: the official client's reading of a kubeconfig, and its pool of connections."""

from __future__ import annotations

import asyncio
import ipaddress
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_kube_config_from_dict
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from distributor.adapters.kube import kubeconfigs
from distributor.adapters.kube.settings import KubeSettings
from distributor.errors.cluster import LoginFailed, UnknownConnection

_READ: Callable[..., Awaitable[None]] = load_kube_config_from_dict
_AS_POD: Callable[..., Any] = InClusterConfigLoader

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

    def __init__(
        self, configuration: Configuration, *, impersonated: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.host = str(configuration.host)
        self.users = 0
        self._configuration = configuration
        self._impersonated = tuple(impersonated)
        self._rest = _Rest(configuration)
        self.session = self._rest.open()
        self.options: dict[str, Any] = {}
        if configuration.tls_server_name:
            self.options["server_hostname"] = configuration.tls_server_name
        proxy = configuration.proxy or environment_proxy(self.host)
        if proxy:
            self.options["proxy"] = proxy

    async def headers(self, more: Mapping[str, str]) -> list[tuple[str, str]]:
        """The headers that say who asks, and ``more``, by which an instance asks in another's name."""
        if more and self._impersonated:
            raise UnknownConnection(
                "Its user acts as another already, so not as a service account."
            )
        try:
            token = await self._configuration.get_api_key_with_prefix("BearerToken")
        except _UNUSABLE as error:
            raise LoginFailed(f"The token cannot be read ({type(error).__name__}).") from None
        asks = [("Authorization", token.strip())] if token else []
        return [*asks, *more.items(), *self._impersonated]

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


async def log_in(settings: KubeSettings, deadline: float) -> Login:
    """Read a kubeconfig, run its exec plugin, load its certificates; or be the pod that one is.

    Raises ``UnknownConnection``, and ``LoginFailed`` where another try may end well. No message quotes
    the library's own: they contain parts of the file, credentials too.
    """
    if settings.in_cluster:
        return _as_pod(settings)
    path = settings.kubeconfig
    if not await asyncio.to_thread(path.is_file):
        raise UnknownConnection(f"There is no file {path}.")
    context = f" with a context {settings.context!r}" if settings.context else ""
    try:
        async with asyncio.timeout(deadline):
            cluster, user = await asyncio.to_thread(kubeconfigs.read, path, settings.context)
            user = await kubeconfigs.authenticated(cluster, user, path.parent, deadline)
            return await _with(cluster, user)
    except TimeoutError:
        raise LoginFailed(f"{path}{context} gave no credentials in {deadline:g} s.") from None
    except _UNUSABLE as error:
        raise UnknownConnection(
            f"{path} is no usable kubeconfig{context} ({type(error).__name__})."
        ) from None


async def _with(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> Login:
    """What lay in files for the library is in memory afterwards, and nowhere else."""
    configuration = _configuration()
    with tempfile.TemporaryDirectory(prefix="distributor-") as folder:
        await _READ(
            kubeconfigs.document(cluster, user, Path(folder)), client_configuration=configuration
        )
        _check_url(str(configuration.host))
        return Login(configuration, impersonated=kubeconfigs.impersonated(user))


def _as_pod(settings: KubeSettings) -> Login:
    """With the service account of the pod; its token is read again as it is renewed."""
    configuration = _configuration()
    try:
        _AS_POD(
            token_filename=str(settings.mount / "token"),
            cert_filename=str(settings.mount / "ca.crt"),
        ).load_and_set(configuration)
        return Login(configuration)
    except _UNUSABLE as error:
        raise UnknownConnection(
            f"in_cluster: this is no pod with a service account ({type(error).__name__})."
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
