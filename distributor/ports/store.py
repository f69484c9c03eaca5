"""The read model: rows that may be lost and are filled again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from distributor.model.stored import StoredEvent, StoredRollout, StoredTarget


class Store(Protocol):
    """The read model: may be empty at any start, and is filled again."""

    async def open(self) -> None:
        """Open and migrate."""
        ...

    async def aclose(self) -> None:
        """Close."""
        ...

    async def get(self, key: str) -> str | None:
        """A single value by key."""
        ...

    async def set(self, key: str, value: str) -> None:
        """Keep a single value."""
        ...

    async def save_rollout(self, rollout: StoredRollout) -> None:
        """Replace the state of an instance's rollout; durable when it returns."""
        ...

    async def rollouts(self) -> tuple[StoredRollout, ...]:
        """All stored rollout states."""
        ...

    async def drop_rollout(self, environment: str, instance: str) -> None:
        """Forget a rollout."""
        ...

    async def note_seen(
        self, places: Sequence[tuple[str, str, str]], at: str
    ) -> frozenset[tuple[str, str, str]]:
        """Note when targets (environment, instance, cluster) were seen; those of them that are known."""
        ...

    async def save_targets(self, rows: Sequence[StoredTarget]) -> None:
        """Replace what is known of some targets."""
        ...

    async def targets(
        self,
        environment: str = "",
        instance: str = "",
        cluster: str = "",
        *,
        after: tuple[str, str, str] | None = None,
        limit: int = 0,
    ) -> tuple[StoredTarget, ...]:
        """Targets in the order (environment, instance, cluster); empty filters ask for nothing."""
        ...

    async def drop_target(self, environment: str, instance: str, cluster: str) -> None:
        """Forget a target."""
        ...

    async def add_event(self, event: StoredEvent) -> int:
        """Append an event and answer its number."""
        ...

    async def events(self, after: int = 0, limit: int = 500) -> tuple[StoredEvent, ...]:
        """Events after a number, oldest first."""
        ...

    async def last_event(self) -> int:
        """The number of the newest event; 0 before the first."""
        ...

    async def clear(self) -> None:
        """Forget rollouts, targets and single values."""
        ...
