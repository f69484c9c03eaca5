"""Gradual work: one piece first, more at once as pieces succeed, and nothing more once one cost too much."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")

WIDEST = 16
"""Pieces under way at once, at most."""


async def gradually(
    pieces: Mapping[_K, Callable[[], Awaitable[_V]]],
    *,
    stops: Callable[[BaseException], BaseException | None],
    told: Callable[[int], None] = lambda _done: None,
    widest: int = WIDEST,
) -> dict[_K, _V | BaseException]:
    """The result or the exception of each piece.

    Each time some end, twice as many may be under way, from one on. ``stops`` looks at each exception
    and may give one with which all pieces that have not begun end too. ``told`` hears how many are done.
    Cancelled, it cancels what is under way.
    """
    results: dict[_K, _V | BaseException] = {}
    waiting = deque(pieces)
    running: dict[asyncio.Future[_V], _K] = {}
    width = 1
    try:
        while waiting or running:
            while waiting and len(running) < width:
                key = waiting.popleft()
                running[asyncio.ensure_future(pieces[key]())] = key
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                result = task.exception() or task.result()
                results[running.pop(task)] = result
                stop = stops(result) if isinstance(result, BaseException) else None
                if stop is not None:
                    results.update(dict.fromkeys(waiting, stop))
                    waiting.clear()
                told(len(results))
            width = min(2 * width, widest)
    finally:
        for task in running:
            task.cancel()
    return results
