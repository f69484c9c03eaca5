"""A small least-recently-used map, bounded by the bytes of its values."""

from __future__ import annotations

from collections import OrderedDict


class MemoryCache:
    """Keeps the most recently used entries; one larger than the whole bound is not kept at all."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, tuple[bytes, ...]] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> tuple[bytes, ...] | None:
        """The entry, which counts as used now."""
        objects = self._entries.get(key)
        if objects is not None:
            self._entries.move_to_end(key)
        return objects

    def put(self, key: str, objects: tuple[bytes, ...]) -> None:
        """Keep an entry, and forget the least recently used ones beyond the bound."""
        self._bytes -= _size(self._entries.pop(key, ()))
        if _size(objects) > self._max_bytes:
            return
        self._entries[key] = objects
        self._bytes += _size(objects)
        while self._bytes > self._max_bytes:
            _, dropped = self._entries.popitem(last=False)
            self._bytes -= _size(dropped)


def _size(objects: tuple[bytes, ...]) -> int:
    return sum(map(len, objects))
