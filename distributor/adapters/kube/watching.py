"""Watches: one a kind, of metadata alone and of our objects alone, resumed where it broke off."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from distributor import log
from distributor.adapters.kube.discovery import Discovery, Resource
from distributor.adapters.kube.messages import GONE, METADATA_LIST, METADATA_ONLY, Request, error_of
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.sightings import PARENT_ID, Sightings
from distributor.adapters.kube.transport import Transport
from distributor.errors import DistributorError
from distributor.errors.cluster import ApiRefused, BrokenAnswer, Unauthorised
from distributor.model.refs import GroupKind
from distributor.render.applyset import PARENT_NAMESPACE, PART_OF, applyset_id

_LONGEST_PAUSE = 60.0
_VAIN_BEFORE_LIST, _MOST_VAIN = 3, 8
_RANDOM = random.SystemRandom()
_SHORTEST, _LONGEST = 240, 300
"""Seconds after which a server ends a watch; no two of them at once."""
_SECRET, _NAMESPACE = GroupKind("", "Secret"), GroupKind("", "Namespace")


class _ExpiredError(Exception):
    """The server has forgotten the version to go on from (410): only a list helps."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one watch sees: a kind, in a namespace or everywhere, with a label, of one name or of any."""

    resource: Resource
    selector: str
    namespace: str = ""
    name: str = ""

    @property
    def path(self) -> str:
        """Where it is asked for."""
        return self.resource.path(self.namespace)

    @property
    def query(self) -> dict[str, str]:
        """What it is asked for with. By the field selector, access control knows the name."""
        named = {"fieldSelector": f"metadata.name={self.name}"} if self.name else {}
        return {"labelSelector": self.selector, **named}

    def __str__(self) -> str:
        return f"{self.path}?{self.selector}" + (f"&{self.name}" if self.name else "")


class Watch:
    """One watch that goes on until it is cancelled. ``fresh`` says that it misses nothing now."""

    def __init__(
        self, transport: Transport, sightings: Sightings, scope: Scope, limits: Limits
    ) -> None:
        self._transport = transport
        self._sightings = sightings
        self._scope = scope
        self._limits = limits
        self._log = log.get("watch")
        self._refusals = 0
        self.fresh = False
        self.tried = asyncio.Event()
        """Set once it is known whether it can be fresh."""

    async def run(self) -> None:
        """List, then watch; after a break go on from where it was, or list again."""
        version, vain = "", 0
        while True:
            wait = min(self._limits.broken * 2**vain, _LONGEST_PAUSE)
            vain = min(vain + 1, _MOST_VAIN)
            try:
                version = version or await self._list()
                async for newer in self._follow(version):
                    version, vain, wait = newer, 0, 0.0
            except _ExpiredError:
                version, self.fresh = "", False
            except (ApiRefused, Unauthorised) as error:
                self._broken(error)
                version = ""
                self._refusals += 1
                if self._refusals > 1:  # a server that has just begun refuses everything
                    wait = self._limits.refused
            except DistributorError as error:
                self._broken(error)
                if vain >= _VAIN_BEFORE_LIST:  # a server that was restored may not know the version
                    version = ""
            await asyncio.sleep(wait * _RANDOM.uniform(0.5, 1.0))

    def _broken(self, error: DistributorError) -> None:
        if self.fresh or not self.tried.is_set():
            self._log.info("a watch is broken", scope=str(self._scope), error=str(error))
        self.fresh = False
        self.tried.set()

    async def _list(self) -> str:
        """See all there is, a page at a time; the version from which to go on."""
        seen: set[bytes] = set()
        query = {**self._scope.query, "limit": str(self._limits.page)}
        while True:
            asked = Request(method="GET", path=self._scope.path, query=query, accept=METADATA_LIST)
            answer = await self._transport.send(asked)
            if answer.status == GONE:
                raise _ExpiredError
            page = answer.object(f"Listing {self._scope}")
            for item in page.get("items") or ():
                seen.add(self._sightings.put(str(self._scope), _metadata(item)))
            listed = _metadata(page)
            if not listed.get("continue"):
                break
            query = {**query, "continue": str(listed["continue"])}
        self._sightings.keep(str(self._scope), seen)
        return str(listed.get("resourceVersion", ""))

    async def _follow(self, version: str) -> AsyncIterator[str]:
        """The versions as they pass; ends when the server ends it, which it does every few minutes."""
        seconds = _RANDOM.randint(_SHORTEST, _LONGEST)
        query = {
            **self._scope.query,
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        asked = Request(method="GET", path=self._scope.path, query=query, accept=METADATA_ONLY)
        async with self._transport.stream(asked, silence=self._limits.silence) as (answer, lines):
            if answer is not None:
                if answer.status == GONE:
                    raise _ExpiredError
                raise error_of(answer, f"Watching {self._scope}")
            self.fresh, self._refusals = True, 0
            self.tried.set()
            async for line in lines:
                yield self._take(line)

    def _take(self, line: bytes) -> str:
        """Note one event; its version."""
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            event = None
        if not isinstance(event, Mapping):
            raise BrokenAnswer(f"Watching {self._scope}: an event is no JSON object.")
        found, metadata = event.get("object"), _metadata(event.get("object"))
        match event.get("type"):
            case "ADDED" | "MODIFIED":
                self._sightings.put(str(self._scope), metadata)
            case "DELETED":
                self._sightings.drop(str(self._scope), metadata)
            case "ERROR" if isinstance(found, Mapping) and found.get("code") == GONE:
                raise _ExpiredError
            case "ERROR":
                raise BrokenAnswer(f"Watching {self._scope}: {str(found)[:200]}")
            case _:
                pass  # a bookmark says nothing but its version
        return str(metadata.get("resourceVersion", ""))


class Watches:
    """All watches of one cluster, each begun when somebody first asks about its kind."""

    def __init__(self, transport: Transport, discovery: Discovery, limits: Limits) -> None:
        self._transport = transport
        self._discovery = discovery
        self._limits = limits
        self._running: dict[Scope, tuple[Watch, asyncio.Task[None]]] = {}
        self.sightings = Sightings()

    async def mark(self, instance: str, kinds: Collection[GroupKind]) -> str:
        """The mark of an instance's inventory and objects of these kinds; empty while it is not known.

        The first question about a kind waits for its first list, as long as ``first_look`` at most.
        Without kinds, it is the mark of the kinds that are served, asked for each time.
        """
        try:
            if not kinds:
                return await self._discovery.mark()
            scopes = await self._scopes(kinds)
        except DistributorError:
            return ""
        watches = [self._watch(scope) for scope in scopes]
        untried = [asyncio.ensure_future(w.tried.wait()) for w in watches if not w.tried.is_set()]
        if untried:
            _, late = await asyncio.wait(untried, timeout=self._limits.first_look)
            for waiting in late:
                waiting.cancel()
        if not scopes or not all(watch.fresh for watch in watches):
            return ""
        return self.sightings.mark(applyset_id(instance))

    async def _scopes(self, kinds: Collection[GroupKind]) -> tuple[Scope, ...]:
        """The watches that are needed; none where a kind is not served."""
        served = await self._discovery.served()
        found = {kind: served.any_version(kind, "") for kind in (*kinds, _SECRET)}
        scopes = [
            scope for kind in kinds if (r := found[kind]) is not None for scope in self._of(kind, r)
        ]
        parents = found[_SECRET]
        if parents is None or None in found.values():
            return ()
        return (*scopes, Scope(parents, PARENT_ID, PARENT_NAMESPACE))

    def _of(self, kind: GroupKind, resource: Resource) -> Iterator[Scope]:
        """Where a connection is for some namespaces: a watch in each, and of those Namespaces alone."""
        namespaces = self._limits.namespaces or ("",)
        if resource.namespaced:
            yield from (Scope(resource, PART_OF, namespace=each) for each in namespaces)
        elif kind == _NAMESPACE:
            yield from (Scope(resource, PART_OF, name=each) for each in namespaces)
        else:
            yield Scope(resource, PART_OF)

    def _watch(self, scope: Scope) -> Watch:
        known = self._running.get(scope)
        if known is not None and not known[1].done():
            return known[0]
        watch = Watch(self._transport, self.sightings, scope, self._limits)
        self._running[scope] = (watch, asyncio.create_task(watch.run()))
        return watch

    async def aclose(self) -> None:
        """End all watches."""
        running, self._running = self._running, {}
        for _, task in running.values():
            task.cancel()
        for _, task in running.values():
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _metadata(item: object) -> Mapping[str, Any]:
    found = item.get("metadata") if isinstance(item, Mapping) else None
    return found if isinstance(found, Mapping) else {}
