"""What watches saw of the objects of ApplySets: a mark an ApplySet, that changes with any of its objects.

Nothing of an object is kept but two hashes, so memory an object is bounded whatever it holds.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import Any

from distributor.render.applyset import PART_OF

PARENT_ID = "applyset.kubernetes.io/id"
"""The label of an ApplySet's parent; its members have ``PART_OF`` with the same value."""
_BYTES = 16
_MODULUS = 1 << 8 * _BYTES

_Seen = tuple[str, int]
"""Whose an object is, and what it adds to the mark."""


class Sightings:
    """The marks of all ApplySets of one cluster. ``scope`` names one watch: a kind and a selector."""

    def __init__(self) -> None:
        self._scopes: dict[str, dict[bytes, _Seen]] = {}
        self._sums: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(len(found) for found in self._scopes.values())

    def put(self, scope: str, metadata: Mapping[str, Any]) -> bytes:
        """An object was seen in this state; its key in the scope."""
        key = _key(metadata)
        self._set(scope, key, _seen(scope, metadata))
        return key

    def drop(self, scope: str, metadata: Mapping[str, Any]) -> None:
        """An object is gone, or is nobody's any more."""
        self._set(scope, _key(metadata), None)

    def keep(self, scope: str, keys: set[bytes]) -> None:
        """A list showed these and no others."""
        for key in self._scopes.get(scope, {}).keys() - keys:
            self._set(scope, key, None)

    def mark(self, owner: str) -> str:
        """The mark of an ApplySet; one without any object has one too."""
        return f"{self._sums.get(owner, 0):x}"

    def _set(self, scope: str, key: bytes, seen: _Seen | None) -> None:
        found = self._scopes.setdefault(scope, {})
        before = found.pop(key, None)
        if before is not None:
            self._add(before[0], -before[1])
        if seen is not None:
            found[key] = seen
            self._add(*seen)

    def _add(self, owner: str, amount: int) -> None:
        total = (self._sums.get(owner, 0) + amount) % _MODULUS
        if total:
            self._sums[owner] = total
        else:
            self._sums.pop(owner, None)


def _key(metadata: Mapping[str, Any]) -> bytes:
    return _hash(str(metadata.get("namespace", "")), str(metadata.get("name", "")))


def _seen(scope: str, metadata: Mapping[str, Any]) -> _Seen | None:
    labels = metadata.get("labels")
    owner = ""
    if isinstance(labels, Mapping):
        owner = str(labels.get(PART_OF) or labels.get(PARENT_ID) or "")
    if not owner:
        return None
    fields = (metadata.get(name, "") for name in ("namespace", "name", "uid", "resourceVersion"))
    state = _hash(scope, *(str(value) for value in fields))
    return sys.intern(owner), int.from_bytes(state, "big")


def _hash(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=_BYTES).digest()
