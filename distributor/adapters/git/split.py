"""Two repositories as one remote: the catalog's with main and the tags, and one that has the ledger alone."""

from __future__ import annotations

from collections.abc import Mapping

from distributor.adapters.git.remote import GitRemote
from distributor.errors.git import PushRejected
from distributor.model.refs import ObjectId


class SplitRemote:
    """Implements ``ports.Remote`` for a ledger in a repository of its own; both fill one mirror.

    ``branch`` is the ledger's full ref name: it is pushed to ``ledger``, everything else to ``catalog``.
    """

    def __init__(self, catalog: GitRemote, ledger: GitRemote, *, branch: str) -> None:
        self._catalog = catalog
        self._ledger = ledger
        self._branch = branch

    async def fetch(self) -> None:
        """Fetch both, the ledger first: a ledger newer than the tags would miss tags that it knows."""
        await self._ledger.fetch()
        await self._catalog.fetch()

    async def push(
        self, updates: Mapping[str, ObjectId], *, expect: Mapping[str, ObjectId | None]
    ) -> None:
        """Push to the one repository that has these refs; no push reaches two repositories at once."""
        if self._branch not in updates:
            await self._catalog.push(updates, expect=expect)
        elif len(updates) == 1:
            await self._ledger.push(updates, expect=expect)
        else:
            raise PushRejected(f"({self._branch} lies in another repository than the rest)")

    async def tidy(self) -> None:
        """Pack the mirror, which both fill."""
        await self._catalog.tidy()
