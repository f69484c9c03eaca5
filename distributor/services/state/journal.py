"""The journal: what happened, kept in the store and told to whoever follows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from distributor import log
from distributor.errors import DistributorError
from distributor.model.stored import StoredEvent
from distributor.services.world import World

_PAGE = 500


class Journal:
    """Events of one process' services. A follower that is slow misses nothing: it reads the store."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._news = asyncio.Condition()
        self._log = log.get("journal")

    async def tell(
        self,
        kind: str,
        message: str,
        *,
        environment: str = "",
        instance: str = "",
        cluster: str = "",
    ) -> None:
        """Keep an event, log it, and wake the followers. A database that fails loses only the event."""
        event = StoredEvent(
            at=self._world.clock.now().isoformat(),
            kind=kind,
            environment=environment,
            instance=instance,
            cluster=cluster,
            message=message,
        )
        places = {"environment": environment, "instance": instance, "cluster": cluster}
        self._log.info(kind, message=message, **{k: v for k, v in places.items() if v})
        try:
            await self._world.store.add_event(event)
        except DistributorError as error:
            self._log.warning("event lost", error=str(error))
            return
        async with self._news:
            self._news.notify_all()

    async def follow(self, after: int) -> AsyncIterator[StoredEvent]:
        """Events after a number, then new ones as they come, for ever."""
        while True:
            page = await self._world.store.events(after, _PAGE)
            for event in page:
                after = event.id
                yield event
            if not page:
                async with self._news:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), timeout=1.0)
