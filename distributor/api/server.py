"""The server: HTTP and the reconciler in one event loop, ended by a signal or an event."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from socket import socket

import uvicorn
from fastapi import FastAPI

from distributor import log
from distributor.api.application import create_app
from distributor.api.listening import listen, url_of
from distributor.services.service import Service
from distributor.settings import Settings

_log = log.get("server")
_GRACE = 5
"""Seconds that answers under way may take once the server stops."""


async def serve(
    service: Service,
    settings: Settings,
    *,
    ready: Callable[[str], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Answer HTTP until ``stop`` is set or a signal asks to stop; a second signal ends the process.

    ``service.run`` is the caller's, as is closing the service; ``run`` does both. ``ready`` is called
    with the address once it answers. Raises ``NeedsAuthentication``, ``AddressInUse``, ``BadSetting``.
    """
    stopping = stop or asyncio.Event()
    with listen(settings) as bound, _signals(stopping):
        await _answer(create_app(service, settings), bound, ready, stopping)


async def _answer(
    app: FastAPI, bound: socket, ready: Callable[[str], None] | None, stopping: asyncio.Event
) -> None:
    """Answer HTTP until ``stopping`` is set."""
    server = _Server(app, lambda: _tell(url_of(bound), ready))
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    asked = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        _log.info("stopping", after="the steps under way")
        app.state.closing.set()
        server.should_exit = True
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await serving


async def run(
    service: Service,
    settings: Settings,
    *,
    ready: Callable[[str], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve and reconcile until asked to stop; rollouts stop after the step they are in.

    What is raised by either ends both: a service that cannot reconcile must not look alive.
    """
    stopping = stop or asyncio.Event()
    with listen(settings) as bound, _signals(stopping):
        app = create_app(service, settings)
        answering = asyncio.create_task(_answer(app, bound, ready, stopping))
        working = asyncio.create_task(service.run(poll=settings.poll, resync=settings.resync))
        try:
            await asyncio.wait({answering, working}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.set()
            await service.stop()
            await asyncio.gather(answering, working, return_exceptions=True)
    answering.result()
    working.result()


def _tell(url: str, ready: Callable[[str], None] | None) -> None:
    _log.info("serving", url=url)
    if ready is not None:
        ready(url)


class _Server(uvicorn.Server):
    """Uvicorn on sockets of ours, with signals left to us, telling when it answers."""

    def __init__(self, app: FastAPI, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                http="h11",
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are handled around the server, because the reconciler stops by them too."""
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start to answer, and tell."""
        await super().startup(sockets)
        if self.started:
            self._ready()


@contextlib.contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT ask to stop; from then on they do what the system does: end the process.

    That is safe at any moment: everything that was begun is in the ledger, the inventories and the
    store. Only the main thread can have signal handlers; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in handled}

    def ask() -> None:
        for number in handled:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stopping.set()

    for number in handled:
        loop.add_signal_handler(number, ask)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
            signal.signal(number, before[number])
