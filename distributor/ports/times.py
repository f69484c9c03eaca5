"""Time: the clock, and what wakes callers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Timers(Protocol):
    """Wakes callers; a timer never decides anything."""

    def every(self, name: str, seconds: float, wake: Callable[[], None]) -> None:
        """Call ``wake`` every so many seconds; a name that exists is replaced."""
        ...

    def at(self, name: str, when: datetime, wake: Callable[[], None]) -> None:
        """Call ``wake`` once; a name that exists is replaced."""
        ...

    def stop(self) -> None:
        """Forget all."""
        ...
