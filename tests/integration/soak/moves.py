"""What people, controllers and accidents do to the fleet: one move after the other, chosen by a seed."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import urllib.error
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from distributor.errors import DistributorError
from distributor.model.tags import Verb
from distributor.render.applyset import PARENT_NAMESPACE, PART_OF, parent_name
from distributor.services.asking.views import InstanceStage, InstanceView, instance_views
from distributor.services.service import Service
from tests.integration.soak.fleet import CLUSTERS, VERSIONS, Fleet
from tests.integration.soak.serving import Serving
from tests.integration.soak.weather import Weather

MERGE = "application/merge-patch+json"
COLOURS = ("red", "green", "blue", "black", "white")
ADOPTED = "kubectl-client-side-apply"
INTRUDER = "intruder"
REFUSED = frozenset({"DST221", "DST614", "DST616"})
"""What a request may be refused with here: nothing to go back to, the ref taken meanwhile, nothing to do."""
NEEDS_CONSENT = ("DST409", "DST412", "DST429")
KINDS = {
    "configmaps": "/api/v1/namespaces/{}/configmaps",
    "services": "/api/v1/namespaces/{}/services",
    "deployments": "/apis/apps/v1/namespaces/{}/deployments",
}
KUBERNETES_OWN = frozenset({"kube-root-ca.crt"})
Move = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """An object of somebody else, as it was made."""

    cluster: str
    path: str
    name: str
    version: str


@dataclass(kw_only=True)
class Moves:
    """All moves, and what has to be remembered of them until the end."""

    fleet: Fleet
    service: Service
    serving: Serving
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    foreign: list[Foreign] = field(default_factory=list)
    intruded: dict[tuple[str, str], None] = field(default_factory=dict)
    troubles: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    async def one(self, *, restarts: bool) -> None:
        """Make one move; ``restarts`` lets the service's own process be ended, too."""
        chosen = self._weighted(restarts=restarts)
        move = self.random.choices([m for m, _ in chosen], [w for _, w in chosen])[0]
        name = move.__name__
        try:
            await move()
            self.done[name] += 1
        except DistributorError as error:
            if error.code not in REFUSED:
                raise
            self._miss(name, error.code)
        except urllib.error.HTTPError as error:
            error.close()
            self._miss(name, str(error.code))
        except OSError as error:
            self._miss(name, f"cluster down ({error})")

    def _miss(self, name: str, why: str) -> None:
        self.missed[name] += 1
        self.note(f"missed {name}", why)

    def note(self, *words: str) -> None:
        """Keep what was done, for whoever has to find out what it did."""
        with (self.fleet.place.root / "moves.log").open("a", encoding="utf-8") as file:
            print(datetime.now(UTC).isoformat(), *words, file=file)

    def _weighted(self, *, restarts: bool) -> list[tuple[Move, float]]:
        known: list[tuple[Move, float]] = [
            (self.promote, 4), (self.rollback, 1), (self.commit, 1.5), (self.hold, 0.5),
            (self.unhold, 1), (self.pause, 0.3), (self.resume, 0.5), (self.abort, 0.2),
            (self.operate, 2), (self.empty, 3), (self.unlabel, 1), (self.overwrite, 2),
            (self.scale, 1), (self.intrude, 0.7), (self.let_go, 1), (self.visit, 2),
            (self.delete, 4), (self.forget, 0.2), (self.copy_labels, 1),
            (self.restart_cluster, 0.5), (self.worsen, 0.7),
        ]  # fmt: skip
        return [*known, (self.kill, 0.7), (self.terminate, 0.7)] if restarts else known

    # --- requests -------------------------------------------------------------------------

    def _instance(self) -> str:
        return self.random.choice(self.fleet.instances)

    async def ask(self, verb: Verb, instance: str, version: str = "") -> None:
        self.note(verb.value, instance, version)
        await self.fleet.ask(self.service, verb, instance, version)

    async def promote(self) -> None:
        await self.ask(Verb.PROMOTE, self._instance(), self.random.choice(VERSIONS))

    async def rollback(self) -> None:
        await self.ask(Verb.ROLLBACK, self._instance())

    async def commit(self) -> None:
        instance = self._instance()
        colour = self.random.choice(COLOURS)
        await asyncio.to_thread(self.fleet.colour, instance, colour)
        version = (await self.view(instance)).version or VERSIONS[0]
        await self.ask(Verb.PROMOTE, instance, version)

    async def hold(self) -> None:
        await self.ask(Verb.HOLD, self._instance())

    async def unhold(self) -> None:
        await self.ask(Verb.UNHOLD, self._instance())

    async def pause(self) -> None:
        await self.ask(Verb.PAUSE, self._instance())

    async def resume(self) -> None:
        await self.ask(Verb.RESUME, self._instance())

    async def abort(self) -> None:
        await self.ask(Verb.ABORT, self._instance())

    async def operate(self) -> None:
        """Do what an operator does about whatever does not go on by itself."""
        for instance in self.fleet.instances:
            seen = await self.view(instance)
            if any(code in t.message for t in seen.clusters for code in NEEDS_CONSENT):
                await self.ask(Verb.CONSENT, instance)
            if seen.stage is InstanceStage.FAILED:
                await self.ask(Verb.RETRY, instance)
            if seen.stage is InstanceStage.PAUSED:
                await self.ask(Verb.RESUME, instance)

    async def view(self, instance: str) -> InstanceView:
        await self.service.look()
        return (await instance_views(self.service, "sit", instance))[0]

    # --- hands on live objects ------------------------------------------------------------

    def _cluster(self) -> str:
        return self.random.choice(CLUSTERS)

    async def send(
        self, cluster: str, method: str, path: str, body: object = None, *, by: str = ""
    ) -> dict[str, Any]:
        client = self.fleet.plane(cluster).client
        target = f"{path}?fieldManager={by}" if by else path
        if method != "GET":
            self.note(cluster, method, target, json.dumps(body))
        kind = MERGE if method == "PATCH" else "application/json"
        return await asyncio.to_thread(client.send, method, target, body, kind=kind)

    async def _some(self, *kinds: str) -> tuple[str, str, dict[str, Any]]:
        """A cluster, the path of one of our live objects of these kinds there, and what it holds."""
        cluster, instance = self._cluster(), self._instance()
        folder = KINDS[self.random.choice(kinds or tuple(KINDS))].format(instance)
        found = (await self.send(cluster, "GET", folder))["items"]
        foreign = {f.name for f in self.foreign} | KUBERNETES_OWN
        ours = [o for o in found if o["metadata"]["name"] not in foreign]
        if not ours:
            raise urllib.error.URLError("nothing is there yet")
        chosen = self.random.choice(ours)
        return cluster, f"{folder}/{chosen['metadata']['name']}", chosen

    async def empty(self) -> None:
        cluster, path, _ = await self._some("configmaps")
        await self.send(cluster, "PATCH", path, {"data": None}, by="cleaner")

    async def unlabel(self) -> None:
        cluster, path, _ = await self._some()
        labels = {"metadata": {"labels": {PART_OF: None}}}
        await self.send(cluster, "PATCH", path, labels, by="cleaner")

    async def overwrite(self) -> None:
        cluster, path, found = await self._some("configmaps")
        keys = sorted(found.get("data", {})) or ["text"]
        changed = {"data": {self.random.choice(keys): "overwritten"}}
        await self.send(cluster, "PATCH", path, changed, by=ADOPTED)

    async def scale(self) -> None:
        cluster, path, _ = await self._some("deployments")
        await self.send(cluster, "PATCH", path, {"spec": {"replicas": 3}}, by=ADOPTED)

    async def intrude(self) -> None:
        """Take a field in a manager's name that nobody adopts from: a conflict until it lets go."""
        cluster, path, _ = await self._some("configmaps")
        self.intruded[cluster, path] = None
        await self.send(cluster, "PATCH", path, {"data": {"version": "mine"}}, by=INTRUDER)

    async def let_go(self) -> None:
        if self.intruded:
            await self._let_go(*self.random.choice(list(self.intruded)))

    async def _let_go(self, cluster: str, path: str) -> None:
        try:
            await self.send(cluster, "PATCH", path, {"data": {"version": None}}, by=INTRUDER)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 404:
                raise
        self.intruded.pop((cluster, path), None)

    async def visit(self) -> None:
        """Set a field beside ours, which is nobody's business."""
        cluster, path, _ = await self._some()
        notes = {"visitors.example/was-here": str(self.random.randrange(1000))}
        await self.send(cluster, "PATCH", path, {"metadata": {"annotations": notes}}, by="visitor")

    async def delete(self) -> None:
        cluster, path, _ = await self._some()
        await self.send(cluster, "DELETE", path)

    async def forget(self) -> None:
        """Delete an inventory's parent."""
        where = f"/api/v1/namespaces/{PARENT_NAMESPACE}/secrets/{parent_name(self._instance())}"
        await self.send(self._cluster(), "DELETE", where)

    async def copy_labels(self) -> None:
        """Make what operators make: an object of their own with labels and notes copied from ours."""
        cluster, path, found = await self._some("configmaps")
        folder = path.rpartition("/")[0]
        kept = {k: found["metadata"].get(k, {}) for k in ("labels", "annotations")}
        name = f"foreign-{len(self.foreign)}"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"made": "by an operator"}}
        self.foreign.append(
            Foreign(cluster=cluster, path=f"{folder}/{name}", name=name, version="")
        )
        made = await self.send(
            cluster, "POST", folder, {**body, "metadata": {"name": name, **kept}}, by="operator"
        )
        version = made["metadata"]["resourceVersion"]
        self.foreign[-1] = Foreign(
            cluster=cluster, path=f"{folder}/{name}", name=name, version=version
        )

    # --- trouble --------------------------------------------------------------------------

    def _trouble(self, cluster: str, what: Callable[[str], Awaitable[None]]) -> None:
        """Begin a trouble beside the other moves, one a cluster at a time."""
        before = self.troubles.get(cluster)
        if before is None or before.done():
            if before is not None:
                before.result()
            self.troubles[cluster] = asyncio.ensure_future(what(cluster))

    async def restart_cluster(self) -> None:
        pause = self.random.uniform(1, 8)

        async def restart(cluster: str) -> None:
            plane = self.fleet.plane(cluster)
            self.note(cluster, "restarts")
            await asyncio.to_thread(plane.stop_apiserver)
            await asyncio.sleep(pause)
            await asyncio.to_thread(plane.start_apiserver)

        self._trouble(self._cluster(), restart)

    async def worsen(self) -> None:
        weather = self.random.choice([Weather.HANGS, Weather.THROTTLES])
        seconds = self.random.uniform(2, 15)

        async def storm(cluster: str) -> None:
            door = self.fleet.doors[cluster]
            self.note(cluster, weather.value, f"{seconds:.1f} s")
            door.change(weather)
            await asyncio.sleep(seconds)
            door.change(Weather.CLEAR)

        self._trouble(self._cluster(), storm)

    async def kill(self) -> None:
        self.note("kill -9")
        await self.serving.end(signal.SIGKILL)
        await self.serving.start()

    async def terminate(self) -> None:
        self.note("terminate")
        await self.serving.end(signal.SIGTERM)
        await self.serving.start()

    async def end(self) -> None:
        """Let all trouble end and everybody else go away, as they do sooner or later."""
        for trouble in self.troubles.values():
            await trouble
        for where in list(self.intruded):
            await self._let_go(*where)
