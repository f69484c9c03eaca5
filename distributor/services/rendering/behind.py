"""Behind: work that takes long goes on behind a pass, so that the pass and all else go on too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterable
from typing import Any, Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")

PATIENCE = 2.0
"""Seconds that one pass waits for such work, for all of it together."""


class Behind(Generic[_K, _V]):
    """Pieces of work by key, each begun once and taken by the pass that finds it done.

    ``ready`` is called when a piece ended, well or badly, after a pass stopped waiting for it.
    """

    def __init__(self, ready: Callable[[], None], patience: float = PATIENCE) -> None:
        self._ready = ready
        self._patience = patience
        self._left = patience
        self._tasks: dict[_K, asyncio.Task[_V]] = {}

    def begin_pass(self, wanted: Iterable[_K]) -> None:
        """A pass begins; pieces that nobody wants any more are given up."""
        self._left = self._patience
        for key in self._tasks.keys() - set(wanted):
            self.drop(key)

    def drop(self, key: _K) -> None:
        """Give a piece up."""
        self._tasks.pop(key).cancel()

    @property
    def busy(self) -> bool:
        """Whether any piece was begun and not taken."""
        return bool(self._tasks)

    def running(self, key: _K) -> bool:
        """Whether a piece is still under way."""
        return key in self._tasks and not self._tasks[key].done()

    def begin(self, key: _K, work: Callable[[], Coroutine[Any, Any, _V]]) -> None:
        """Begin a piece, unless it was."""
        if key not in self._tasks:
            task = self._tasks[key] = asyncio.create_task(work())
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def take(self, key: _K) -> tuple[_V, ...]:
        """The result of a piece that was begun, or its exception.

        Empty where it goes on behind the pass, and where it was given up while the pass waited.
        """
        task = self._tasks[key]
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.wait({task}, timeout=self._left)
        self._left = max(0.0, self._left - (loop.time() - began))
        if not task.done():
            task.add_done_callback(self._over)
            return ()
        if task.cancelled():
            return ()
        self._tasks.pop(key, None)
        return (await task,)

    def _over(self, task: asyncio.Task[_V]) -> None:
        if not task.cancelled():
            self._ready()

    async def stop(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
