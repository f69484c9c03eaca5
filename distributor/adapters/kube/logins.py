"""Which login is used for one API server, and when the kubeconfig is read again: tokens and certificates change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from distributor.adapters.kube.login import Login, log_in
from distributor.adapters.kube.settings import KubeSettings
from distributor.errors.cluster import ClusterUnreachable, UnknownConnection

_REST = 10.0
"""Seconds between two readings of a file that did not change and whose credentials were never taken."""
_Stamp = tuple[int, int, int] | None


class Logins:
    """The login in use, opened when it is first needed.

    One that was taken before and is refused now has expired: the file is read, and its exec plugin run, at
    once. One that never was taken is wrong: then not for each request, but only now and then.
    """

    def __init__(self, settings: KubeSettings) -> None:
        self._settings = settings
        self._opening = asyncio.Lock()
        self._login: Login | None = None
        self._stamp: _Stamp = None
        self._taken = False
        self._opened = 0.0

    async def current(self) -> Login:
        """The login to ask with."""
        async with self._opening:
            return self._login or await self._open()

    async def refused(self, login: Login) -> Login:
        """The one to ask with after a login was refused; the same where a new one is not worth it yet."""
        async with self._opening:
            if self._login is not login:
                return self._login or await self._open()
            rested = asyncio.get_running_loop().time() >= self._opened + _REST
            if self._taken or rested or await self._changed():
                return await self._open()
            return login

    async def unanswered(self, login: Login) -> None:
        """Nobody answered, or somebody with another certificate: the file may name another server by now."""
        async with self._opening:
            if self._login is login and await self._changed():
                await self._open()

    def took(self, login: Login) -> None:
        """The server took these credentials."""
        self._taken = self._taken or self._login is login

    @asynccontextmanager
    async def used(self, login: Login) -> AsyncIterator[None]:
        """Keeps a login's connections open, though another one takes its place meanwhile."""
        login.users += 1
        try:
            yield
        finally:
            login.users -= 1
            await self._retire(login)

    async def aclose(self) -> None:
        """Close all connections; those of requests under way when they end."""
        login, self._login = self._login, None
        if login is not None:
            await self._retire(login)

    async def _open(self) -> Login:
        old, stamp = self._login, await asyncio.to_thread(_stamp, self._settings.kubeconfig)
        self._opened, self._taken, self._stamp = asyncio.get_running_loop().time(), False, stamp
        try:
            self._login = await log_in(self._settings)
        except UnknownConnection as error:
            if old is None:
                raise
            # It could be read before: somebody is writing it right now, or will mend it.
            raise ClusterUnreachable(f"{error.detail}", remedy=error.hint) from error
        if old is not None:
            await self._retire(old)
        return self._login

    async def _changed(self) -> bool:
        return await asyncio.to_thread(_stamp, self._settings.kubeconfig) != self._stamp

    async def _retire(self, login: Login) -> None:
        if login is not self._login and not login.users:
            await login.aclose()


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
