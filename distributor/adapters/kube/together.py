"""Running several requests side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]], *, at_once: int = 0) -> list[T]:
    """The results in order, of at most ``at_once`` at a time. The first failure cancels the others and is raised itself.

    So what one caller has queued is never in the way of another's.
    """
    places = asyncio.Semaphore(at_once) if at_once else None
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_placed(places, each)) for each in work]
    except BaseExceptionGroup as failures:
        first: BaseException = failures
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
    return [task.result() for task in tasks]


async def _placed(places: asyncio.Semaphore | None, each: Coroutine[Any, Any, T]) -> T:
    if places is None:
        return await each
    try:
        await places.acquire()
    except asyncio.CancelledError:
        each.close()  # it never began
        raise
    try:
        return await each
    finally:
        places.release()
