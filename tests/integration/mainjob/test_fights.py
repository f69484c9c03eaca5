"""Fights on a real API server: a controller that wants a field otherwise, and people who only seem to fight."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from distributor.services.asking.views import InstanceStage
from distributor.services.service import Service
from tests.integration.mainjob.conftest import Pushed, until
from tests.integration.mainjob.smallapps import one_cluster, web, write_app

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(300)]

CENTRAL = "sit-central-1"
MERGE = "application/merge-patch+json"
OPPONENT = "kubectl-keeper"
"""Named like a tool of people, whose changes are undone."""


@dataclass
class Ring:
    """One app on one API server, and what is done to it by others."""

    pushed: Pushed
    app: str

    @property
    def settings(self) -> str:
        return f"/api/v1/namespaces/{self.app}/configmaps/web"

    @property
    def service(self) -> str:
        return f"/api/v1/namespaces/{self.app}/services/web"

    async def text(self) -> str:
        return (await self.pushed.get(CENTRAL, self.settings))["data"]["text"]

    async def healed(self) -> bool:
        return await self.text() == "hello"

    async def there(self) -> bool:
        return bool(await self.pushed.get(CENTRAL, self.service))

    async def edit(self, text: str, manager: str = OPPONENT) -> None:
        await self.patch(manager, {"data": {"text": text}})

    async def patch(self, manager: str, body: dict[str, Any]) -> None:
        where = f"{self.settings}?fieldManager={manager}"
        await self.pushed.send(CENTRAL, "PATCH", where, body, kind=MERGE)

    async def fight(self, times: int) -> None:
        """Set it otherwise each time that it was healed."""
        for number in range(times):
            await self.edit(f"theirs {number}")
            await until("it is healed", self.healed, 60)

    async def installed(self) -> None:
        await self.pushed.found()
        async with self.pushed.service() as service:
            seen = await self.pushed.promote(service, "sit", self.app, "1.0.0")
            assert seen.stage is InstanceStage.VERIFIED, seen

    async def detail(self, service: Service) -> dict[str, Any]:
        (row,) = await service.world.store.targets("sit", self.app)
        return orjson.loads(row.detail)

    async def fought(self, service: Service) -> list[dict[str, str]]:
        findings = (await self.detail(service))["findings"]
        return [f for f in findings if f["code"] == "DST443"]

    async def rewritten(self, heals: int, last: datetime) -> None:
        """As if it had been fought for as often, and last then: what the database says of it."""
        async with self.pushed.service() as service:
            (row,) = await service.world.store.targets("sit", self.app)
            detail = orjson.loads(row.detail)
            (fight,) = (one for one in detail["fights"] if one["path"] == "data.text")
            fight |= {"heals": heals, "last": last.isoformat()}
            kept = replace(row, detail=orjson.dumps(detail).decode())
            await service.world.store.save_targets([kept])


@pytest.fixture
def ring(tmp_path: Path, control_planes):
    """Make a sit of one API server with one app."""

    def make(app: str) -> Ring:
        pushed = one_cluster(tmp_path / "play", control_planes, CENTRAL)
        write_app(pushed.place.catalog, app, "1.0.0", *web())
        return Ring(pushed=pushed, app=app)

    return make


@asynccontextmanager
async def serving(ring: Ring) -> AsyncIterator[Service]:
    async with ring.pushed.service() as service:
        running = asyncio.create_task(service.run(poll=60, resync=0.5))
        try:
            yield service
        finally:
            await service.stop()
            await running


async def told(service: Service, kind: str) -> list[str]:
    return [e.message for e in await service.world.store.events() if e.kind == kind]


async def test_it_is_counted_over_a_restart_and_told_with_all_there_is(ring):
    place = ring("fight-told")
    await place.installed()
    async with serving(place) as service:
        await place.fight(2)
        await until("both are counted", lambda: told_of(service, "healed", 2), 60)
        assert await told(service, "fight") == []
    async with serving(place) as service:
        await place.fight(1)
        await until("it is a fight", lambda: place.fought(service), 60)
        (finding,) = await place.fought(service)
        for part in ("data.text of ConfigMap/fight-told/web", "3 times", OPPONENT, "next try"):
            assert part in finding["message"]
        rule = '{"kind":"ConfigMap","name":"web","fields":["/data/text"],"managers":["kubectl-keeper"]}'  # fmt: skip
        assert rule in finding["remedy"]
        await until("it is told", lambda: told_of(service, "fight", 1), 60)
        (line,) = await told(service, "fight")
        assert rule in line


async def told_of(service: Service, kind: str, count: int) -> bool:
    return len(await told(service, kind)) >= count


async def test_one_field_rests_while_all_else_is_healed_until_its_next_try(ring):
    place = ring("fight-rests")
    await place.installed()
    async with serving(place) as service:
        await place.fight(1)
        await until("it is counted", lambda: told_of(service, "healed", 1), 60)
    await place.rewritten(9, datetime.now(UTC))
    async with serving(place) as service:
        await place.edit("theirs")
        label = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}}
        await place.patch("kubectl-label", label)
        await place.pushed.send(CENTRAL, "DELETE", place.service)
        await until("its neighbour is back", place.there, 60)

        async def relabelled() -> bool:
            found = await place.pushed.get(CENTRAL, place.settings)
            return found["metadata"]["labels"]["app.kubernetes.io/managed-by"] != "me"

        await until("so is another field of it", relabelled, 60)
        assert await place.text() == "theirs", "and that field rests"
        assert "9 times" in (await place.fought(service))[0]["message"]
        (row,) = await service.world.store.targets("sit", place.app)
        assert row.health == "InProgress", "it is not what was accepted"
    await place.rewritten(9, datetime.now(UTC) - timedelta(seconds=298))
    async with serving(place) as service:
        await until("its next try comes by itself", place.healed, 60)

        async def counted() -> bool:
            (finding,) = await place.fought(service)
            return "10 times" in finding["message"]

        await until("that heal is counted", counted, 60)
        assert await told(service, "fight") == [], "it was told when it began"


async def test_it_ends_by_itself_when_the_opponent_is_quiet(ring):
    place = ring("fight-ends")
    await place.installed()
    async with serving(place) as service:
        await place.fight(1)
        await until("it is counted", lambda: told_of(service, "healed", 1), 60)
    await place.rewritten(9, datetime.now(UTC) - timedelta(minutes=15))
    async with serving(place) as service:
        await place.pushed.send(CENTRAL, "DELETE", place.service)
        await until("somebody looks", lambda: told_of(service, "fight", 1), 60)
        (line,) = await told(service, "fight")
        assert line == "data.text of ConfigMap/fight-ends/web is over: it stays as it is"
        assert await place.fought(service) == []
        (row,) = await service.world.store.targets("sit", place.app)
        assert OPPONENT not in row.detail


async def test_edits_by_three_people_and_deletions_are_no_fight(ring):
    place = ring("fight-none")
    await place.installed()
    async with serving(place) as service:
        for number, person in enumerate(("kubectl-edit", "kubectl-patch", "kubectl-set"), 1):
            await place.edit("mine", person)
            await until("it is healed", place.healed, 60)
            if number < 3:
                await place.pushed.send(CENTRAL, "DELETE", place.service)
                await until("it is back", place.there, 60)
        await until("all are counted", lambda: told_of(service, "healed", 3), 60)
        assert await place.fought(service) == []
        assert await told(service, "fight") == []
