"""Presence: which of many objects are there at all, learnt from lists of metadata instead of one question each."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from distributor.adapters.kube.messages import METADATA_LIST, Request
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.transport import Sender
from distributor.model.refs import ObjectRef

_WORTH = 25
"""Single questions that one page of a list may replace; a list that would take more is given up."""


Names = frozenset[tuple[str, str]]
"""Namespaces and names."""


@dataclass(slots=True)
class _Asked:
    """When single objects of one list were asked for, and what the list showed, asked for when."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    times: deque[float] = field(default_factory=deque)
    names: Names | None = None
    since: float = float("-inf")


class Lately:
    """What lists showed a moment ago, for the many who install side by side and expect nothing to be there.

    A list is read once so many asked of late for single objects of it that it comes cheaper, and again when
    it is older than ``Limits.lately``. What was made here since is there, whatever a list showed.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lists: dict[str, _Asked] = defaultdict(_Asked)
        self._made: dict[ObjectRef, float] = {}  # by when, the earliest first

    def made(self, refs: Iterable[ObjectRef]) -> None:
        """Remember objects that are being applied, or were just now, as long as a list may not show them."""
        now = asyncio.get_running_loop().time()
        for ref in refs:
            self._made.pop(ref, None)
            self._made[ref] = now
        while self._made:
            first = next(iter(self._made))
            if self._made[first] > now - self._limits.lately:
                break
            del self._made[first]

    def __contains__(self, ref: ObjectRef) -> bool:
        """Whether an object was made here of late."""
        return ref in self._made

    async def present(self, transport: Sender, path: str, asked: int) -> Names | None:
        """What ``present`` says for all who asked of late; ``None`` where asking for each comes cheaper."""
        known, now = self._lists[path], asyncio.get_running_loop().time()
        known.times.extend([now] * asked)
        while known.times and known.times[0] <= now - self._limits.lately:
            known.times.popleft()
        async with known.lock:
            now = asyncio.get_running_loop().time()
            if now - known.since >= self._limits.lately and len(known.times) >= _WORTH:
                known.since = now
                known.names = await present(transport, path, len(known.times), self._limits)
            return known.names if now - known.since < self._limits.lately else None


async def present(
    transport: Sender, path: str, asked: int, limits: Limits
) -> frozenset[tuple[str, str]] | None:
    """(namespace, name) of all that a list holds; ``None`` where asking for each comes cheaper, or must do.

    ``asked`` is how many objects somebody wants to know of: a namespace may hold many more than those.
    """
    found: set[tuple[str, str]] = set()
    query = {"limit": str(limits.page)}
    for _ in range(asked // _WORTH):
        request = Request(method="GET", path=path, query=query, accept=METADATA_LIST)
        answer = await transport.send(request)
        if not answer.good:
            return None  # whatever it is, the single questions tell
        page = answer.object(f"Listing {path}")
        for item in page.get("items") or ():
            metadata = item.get("metadata") or {}
            found.add((metadata.get("namespace", ""), metadata.get("name", "")))
        following = (page.get("metadata") or {}).get("continue")
        if not following:
            return frozenset(found)
        query = {**query, "continue": following}
    return None
