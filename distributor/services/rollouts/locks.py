"""Locks: a target is worked on by one at a time, whoever works."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


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
