"""Presence: which of many objects are there at all, learnt from lists of metadata instead of one question each."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from distributor.adapters.kube.messages import METADATA_LIST, NAMES, Request
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.transport import Sender
from distributor.model.refs import ObjectRef

_WORTH = 25
"""Single questions that one page of a list may replace; a list that would take more is given up."""
_WORTH_OF_NAMES, _NAMES = 8, 2_000
"""The same of a page that holds names alone, and how many of them it holds."""
_SHORT = 2
"""Single questions that a list without anything in it may replace, once that is known of it."""
_OUR_SERVERS = ".k8s.io"
"""How the API server's own groups end that have a dot; what others take for a name, nobody knows."""


Names = frozenset[tuple[str, str]]
"""Namespaces and names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list to learn from what is there: its path, with the group and the namespace in it."""

    path: str
    group: str
    namespace: str

    @property
    def named(self) -> bool:
        """Whether names alone can be had of it."""
        return "." not in self.group or self.group.endswith(_OUR_SERVERS)


@dataclass(slots=True)
class _Asked:
    """When single objects of one list were asked for, and what the list showed, asked for when."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    times: deque[float] = field(default_factory=deque)
    names: Names | None = None
    since: float = float("-inf")
    least: int = 0  # how many have to be asked for, by what the last list took


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

    async def present(self, transport: Sender, listing: Listing, asked: int) -> Names | None:
        """What ``present`` says for all who asked of late; ``None`` where asking for each comes cheaper."""
        known, now = self._lists[listing.path], asyncio.get_running_loop().time()
        known.times.extend([now] * asked)
        while known.times and known.times[0] <= now - self._limits.lately:
            known.times.popleft()
        worth, size = (_WORTH_OF_NAMES, _NAMES) if listing.named else (_WORTH, self._limits.page)
        async with known.lock:
            now = asyncio.get_running_loop().time()
            many = len(known.times)
            if now - known.since >= self._limits.lately and many >= (known.least or worth):
                known.since = now
                read = _named if listing.named else _listed
                found = known.names = await read(transport, listing, max(1, many // worth), size)
                # A short list is worth it for fewer; one that was in vain is not tried again for as few.
                known.least = 2 * many if found is None else _SHORT + len(found) * worth // size
            return known.names if now - known.since < self._limits.lately else None


async def present(transport: Sender, listing: Listing, asked: int, limits: Limits) -> Names | None:
    """(namespace, name) of all that a list holds; ``None`` where asking for each comes cheaper, or must do.

    ``asked`` is how many objects somebody wants to know of: a namespace may hold many more than those.
    """
    return await _listed(transport, listing, asked // _WORTH, limits.page)


async def _listed(transport: Sender, listing: Listing, pages: int, size: int) -> Names | None:
    request = Request(
        method="GET", path=listing.path, query={"limit": str(size)}, accept=METADATA_LIST
    )
    return await _read(transport, request, listing.namespace, pages)


async def _named(transport: Sender, listing: Listing, pages: int, size: int) -> Names | None:
    query = {"limit": str(size), "includeObject": "None"}
    request = Request(method="GET", path=listing.path, query=query, accept=NAMES)
    return await _read(transport, request, listing.namespace, pages)


async def _read(transport: Sender, request: Request, namespace: str, pages: int) -> Names | None:
    found: set[tuple[str, str]] = set()
    for _ in range(pages):
        answer = await transport.send(request)
        if not answer.good:
            return None  # whatever it is, the single questions tell
        page = answer.object(f"Listing {request.path}")
        shown = _rows(page, namespace) if page.get("kind") == "Table" else _items(page)
        if shown is None:
            return None
        found.update(shown)
        following = (page.get("metadata") or {}).get("continue")
        if not following:
            return frozenset(found)
        request = replace(request, query={**request.query, "continue": following})
    return None


def _items(page: Mapping[str, Any]) -> list[tuple[str, str]]:
    all_metadata = (item.get("metadata") or {} for item in page.get("items") or ())
    return [(each.get("namespace", ""), each.get("name", "")) for each in all_metadata]


def _rows(page: Mapping[str, Any], namespace: str) -> list[tuple[str, str]] | None:
    """The names of a table's rows; nothing of one in which they cannot be told from the rest."""
    columns = page.get("columnDefinitions") or ()
    places = [n for n, column in enumerate(columns) if column.get("format") == "name"]
    if len(places) != 1:
        return None
    return [(namespace, row["cells"][places[0]]) for row in page.get("rows") or ()]
