"""Slots: how many targets are worked on at once, and when, so that one slow cluster leaves room for the others."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

_SPREAD = 0.2
_RANDOM = random.SystemRandom()


def apart(pause: float) -> float:
    """A pause before another try, and up to a fifth more: many targets do not come back at once."""
    return pause * (1 + _RANDOM.uniform(0, _SPREAD))


class Slots:
    """A number of slots for all clusters; a quarter of them is always left to others than the busiest one."""

    def __init__(self, number: int) -> None:
        self._all = asyncio.Semaphore(number)
        self._share = max(1, number - number // 4)
        self._shares: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def of(self, cluster: str) -> AsyncIterator[None]:
        """A slot to work on a target of that cluster."""
        share = self._shares.setdefault(cluster, asyncio.Semaphore(self._share))
        async with share, self._all:
            yield


class TargetLocks:
    """One lock a target: its rollout and its healing never work on it side by side."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, target: tuple[str, str, str]) -> asyncio.Lock:
        """The lock of (environment, instance, cluster); it lives while somebody holds it."""
        lock = self._locks.get(target)
        if lock is None:
            lock = self._locks[target] = asyncio.Lock()
        return lock
