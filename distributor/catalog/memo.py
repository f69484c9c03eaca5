"""A memory of what was read, keyed by where it stood and the object id of its content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from distributor.model.refs import ObjectId

Key = tuple[str, str, ObjectId]
"""What it was read as, its path, and the id of its content."""

T = TypeVar("T")


class Memo(Generic[T]):
    """Keeps the results last used, at most ``capacity`` of them."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: dict[Key, T] = {}

    def get(self, key: Key, make: Callable[[], T]) -> T:
        """What was made for the key before; made now if it is not there any more."""
        if key in self._kept:
            value = self._kept.pop(key)
        else:
            value = make()
            if len(self._kept) >= self._capacity:
                del self._kept[next(iter(self._kept))]
        self._kept[key] = value
        return value
