"""Doors: what every request and answer passes: the host's name, the headers of safety, and crashes."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from distributor import log
from distributor.api.problems import answer, problem
from distributor.errors.service import Crashed, HostRefused

_API = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""The Content-Security-Policy of pages for people: our own scripts only, nothing inline, no eval."""
_SAFETY: Mapping[str, str] = {
    "content-security-policy": _API,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Doors:
    """ASGI middleware around the whole application.

    A request must name a loopback host: a page of another site that had its name point here (DNS
    rebinding) does not. A crash becomes a problem document that tells nothing of the inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = log.get("api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = _Guarded(send)
        if not is_loopback_name(_host(scope)):
            refusal = HostRefused(f"({_host(scope)!r:.100})")
            await answer(problem(refusal, scope["path"]))(scope, receive, guarded)
            return
        try:
            await self._app(scope, receive, guarded)
        except Exception as error:
            self._log.exception("a request crashed", method=scope["method"], path=scope["path"])
            if guarded.begun:
                raise  # half an answer cannot be mended: the server cuts the connection
            crashed = Crashed(f"({type(error).__name__})")
            await answer(problem(crashed, scope["path"]))(scope, receive, guarded)
        self._log.debug(
            "request", method=scope["method"], path=scope["path"], status=guarded.status
        )


class _Guarded:
    """Sends with the headers of safety where the answer does not say otherwise."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            there = {bytes(name).lower() for name, _ in headers}
            headers += [
                (name.encode(), value.encode())
                for name, value in _SAFETY.items()
                if name.encode() not in there
            ]
            message = {**message, "headers": headers}
        await self._send(message)


def _host(scope: Scope) -> str:
    """The host that a request names; empty where it names none, or two."""
    found = [value for name, value in scope["headers"] if name == b"host"]
    return found[0].decode("latin-1") if len(found) == 1 else ""


def is_loopback_name(host: str) -> bool:
    """Whether a Host header names this machine itself: ``localhost`` or a loopback address."""
    name, _, port = host.rpartition(":") if host.rpartition(":")[2].isdigit() else (host, "", "")
    name = name.lower().rstrip(".")
    if port and not name:
        return False
    if name == "localhost":
        return True
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False
