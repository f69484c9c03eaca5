"""Slots: how many requests one cluster is asked at once; a request that takes long gives its slot to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """``quick`` requests at once, and more only while earlier ones had no answer for ``patience`` seconds.

    An admission webhook that hangs holds a request for up to 30 s, and is no reason to ask nothing else.
    With those that take long, ``most`` are under way.
    """

    def __init__(self, *, quick: int, most: int, patience: float) -> None:
        self._quick = asyncio.Semaphore(quick)
        self._all = asyncio.Semaphore(most)
        self._patience = patience

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a slot, for as long as patience lasts, while a request is under way."""
        async with self._all:
            await self._quick.acquire()
            lent = False

            def lend() -> None:
                nonlocal lent
                lent = True
                self._quick.release()

            late = asyncio.get_running_loop().call_later(self._patience, lend)
            try:
                yield
            finally:
                late.cancel()
                if not lent:
                    self._quick.release()
