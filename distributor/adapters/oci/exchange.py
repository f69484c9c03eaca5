"""What one exchange with a server may end with, beside an answer."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from distributor.errors.vendoring import RegistryUnreachable

_LONGEST_DIGITS = 6


class Again(Exception):
    """Asking again may help, after ``seconds`` if the server said so."""

    def __init__(self, detail: str, seconds: float = 0.0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.seconds = seconds


def coded(error: Exception, host: str) -> Again | RegistryUnreachable:
    """What a fault of the connection means; a certificate that is wrong stays wrong."""
    match error:
        case TimeoutError():
            return Again(f"{host} did not answer in time")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return RegistryUnreachable(f"({host}: {error})")
        case aiohttp.ClientConnectorError():
            return Again(f"{host}: {error.os_error.strerror or error.os_error}")
        case _:
            return Again(f"{host}: {type(error).__name__}")


def seconds(headers: Mapping[str, str]) -> float:
    """``Retry-After`` in whole seconds; 0 where there is none, or a date."""
    text = headers.get("Retry-After", "")
    known = text.isascii() and text.isdigit() and len(text) <= _LONGEST_DIGITS
    return float(text) if known else 0.0


def is_loopback(name: str) -> bool:
    """Whether a host name or address is this machine itself."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def proxy_of(url: URL) -> str | None:
    """The proxy that the environment names for a URL; never one for this machine itself."""
    host = url.host or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    return getproxies().get(url.scheme)
