"""A memory of what was read, keyed by where it stood and the object id of its content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from distributor.model.refs import ObjectId

Key = tuple[str, str, ObjectId]
"""What it was read as, its path, and the id of its content."""

T = TypeVar("T")


class Memo(Generic[T]):
    """Keeps the results last used, at most ``capacity`` of them, each counted as much as it weighs."""

    def __init__(self, capacity: int, weigh: Callable[[T], int] = lambda _: 1) -> None:
        self._capacity = capacity
        self._weigh = weigh
        self._kept: dict[Key, T] = {}
        self._weight = 0

    def get(self, key: Key, make: Callable[[], T]) -> T:
        """What was made for the key before; made now if it is not there any more."""
        if key in self._kept:
            value = self._kept[key] = self._kept.pop(key)
            return value
        value = make()
        self._weight += self._weigh(value)
        while self._kept and self._weight > self._capacity:
            self._weight -= self._weigh(self._kept.pop(next(iter(self._kept))))
        self._kept[key] = value
        return value
