"""Listening: a socket on loopback, or the coded reason why there is none."""

from __future__ import annotations

import errno
import ipaddress
import socket

from distributor.errors.service import AddressInUse, BadSetting, NeedsAuthentication
from distributor.settings import Settings

_BACKLOG = 128
_PORTS = 65_536


def check(settings: Settings) -> None:
    """Refuse an address that ``listen`` would refuse, without taking it; raises what that raises."""
    _place(settings)


def listen(settings: Settings) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises ``NeedsAuthentication`` for an address beyond loopback, because there is no authentication in
    this release, ``AddressInUse``, and ``BadSetting`` for an address that cannot be used at all.
    """
    family, host = _place(settings)
    try:
        return socket.create_server((host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        place = f"{settings.listen}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(f"({place})") from error
        raise BadSetting(f"(cannot listen on {place}: {error.strerror})") from error


def _place(settings: Settings) -> tuple[socket.AddressFamily, str]:
    if not 0 <= settings.port < _PORTS:
        raise BadSetting(f"(port {settings.port} is above {_PORTS - 1})")
    return _resolve(settings.listen)


def _resolve(name: str) -> tuple[socket.AddressFamily, str]:
    """The first address of a name, all of which must be loopback."""
    try:
        found = socket.getaddrinfo(
            name or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise BadSetting(f"(listen {name!r} is no address: {error})") from error
    addresses = [(family, str(where[0])) for family, _, _, _, where in found]
    if not all(ipaddress.ip_address(host.partition("%")[0]).is_loopback for _, host in addresses):
        raise NeedsAuthentication(f"(listen is {name or 'every address'})")
    return addresses[0]


def url_of(bound: socket.socket) -> str:
    """The address as one would type it."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
