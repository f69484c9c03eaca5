"""Presence: which of many objects are there at all, learnt from lists of metadata instead of one question each."""

from __future__ import annotations

from distributor.adapters.kube.messages import METADATA_LIST, Request
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.transport import Sender

_WORTH = 25
"""Single questions that one page of a list may replace; a list that would take more is given up."""


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
