"""Timers on APScheduler's asyncio scheduler; a job that is missed runs once, late."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler


class SchedulerTimers:
    """Implements ``ports.Timers`` on the running event loop."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None}
        )

    def _started(self) -> AsyncIOScheduler:
        if not self._scheduler.running:
            self._scheduler.start()
        return self._scheduler

    def every(self, name: str, seconds: float, wake: Callable[[], None]) -> None:
        """Call ``wake`` every so many seconds."""
        self._started().add_job(
            _on_loop(wake), "interval", seconds=seconds, id=name, name=name, replace_existing=True
        )

    def at(self, name: str, when: datetime, wake: Callable[[], None]) -> None:
        """Call ``wake`` once."""
        self._started().add_job(
            _on_loop(wake), "date", run_date=when, id=name, name=name, replace_existing=True
        )

    def stop(self) -> None:
        """Forget all jobs."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


def _on_loop(wake: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    """A coroutine function around a callback, so that it runs on the loop and not on a thread."""

    async def call() -> None:
        wake()

    return call
