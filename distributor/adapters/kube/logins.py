"""Which login is used for one API server, and when the kubeconfig is read again: tokens and certificates change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from pathlib import Path

from distributor.adapters.kube.login import Login, log_in
from distributor.adapters.kube.settings import KubeSettings
from distributor.errors import DistributorError
from distributor.errors.cluster import ClusterUnreachable, UnknownConnection

_REST = 10.0
"""Seconds between two readings of a file that did not change and whose credentials were never taken."""
_Stamp = tuple[tuple[int, int, int] | None, ...]


class Logins:
    """The login in use, opened when it is first needed; all who wait share one try and its end.

    One that was taken before and is refused now has expired: the file is read, and its exec plugin run, at
    once. One that never was taken is wrong: then not for each request, but only now and then. ``deadline``
    is how many seconds one try may take.
    """

    def __init__(self, settings: KubeSettings, deadline: float) -> None:
        self._settings = settings
        self._deadline = deadline
        self._opening: asyncio.Task[Login] | None = None
        self._login: Login | None = None
        self._stamp: _Stamp = ()
        self._taken = False
        self._opened = 0.0

    async def current(self) -> Login:
        """The login to ask with."""
        if self._login is not None and self._opening is None:
            return self._login
        return await self._open()

    async def refused(self, login: Login) -> Login:
        """The one to ask with after a login was refused; the same where a new one is not worth it yet."""
        if self._login is login and self._opening is None:
            rested = asyncio.get_running_loop().time() >= self._opened + _REST
            expired = self._taken or rested or await self._changed()
            if self._login is login:  # nobody was quicker
                return await self._open() if expired else login
        return await self.current()

    async def unanswered(self, login: Login) -> None:
        """Nobody answered, or somebody with another certificate: the file may name another server by now."""
        if self._login is login and await self._changed() and self._login is login:
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
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        login, self._login = self._login, None
        if login is not None:
            await self._retire(login)

    async def _open(self) -> Login:
        """A new login; whoever gives up waiting for it takes it from nobody else."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._log_in())
            self._opening.add_done_callback(_noticed)
        try:
            return await asyncio.shield(self._opening)
        except DistributorError as error:
            raise copy(error) from None  # each notes where it came up

    async def _log_in(self) -> Login:
        old = self._login
        try:
            self._stamp = await asyncio.to_thread(_stamp, self._settings)
            self._taken = False
            self._login = await log_in(self._settings, self._deadline)
        except UnknownConnection as error:
            if old is None:
                raise
            # It could be read before: somebody is writing it right now, or will mend it.
            raise ClusterUnreachable(f"{error.detail}", remedy=error.hint) from error
        finally:
            self._opened, self._opening = asyncio.get_running_loop().time(), None
        if old is not None:
            await self._retire(old)
        return self._login

    async def _changed(self) -> bool:
        return await asyncio.to_thread(_stamp, self._settings) != self._stamp

    async def _retire(self, login: Login) -> None:
        if login is not self._login and not login.users:
            await login.aclose()


def _noticed(task: asyncio.Task[Login]) -> None:
    """Whoever asked may have given up waiting: then nobody else looks at how it ended."""
    if not task.cancelled():
        task.exception()


def _stamp(settings: KubeSettings) -> _Stamp:
    """What changes with the files that say where to and as whom."""
    mounted = (settings.mount / "token", settings.mount / "ca.crt")
    paths = mounted if settings.in_cluster else (settings.kubeconfig,)
    return tuple(map(_stamp_of, paths))


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
