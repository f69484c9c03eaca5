"""One object that two instances take at the same instant: one of them gets it, and the other says so at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from distributor.model.changes import Actuation, Inventory, Outcome
from distributor.model.manifest import Manifest
from distributor.model.ownership import NO_CLAIMS, Claims
from distributor.ports import TargetConnection
from distributor.render.applyset import PART_OF, applyset_id
from distributor.services.targets.reconciling import reconcile_target
from tests.integration.membership.conftest import LONG, codes, settings

pytestmark = pytest.mark.controlplane


class _Meeting:
    """A connection whose first apply waits for that of the other: both have looked by then."""

    def __init__(self, inner: TargetConnection, both: asyncio.Barrier) -> None:
        self._inner = inner
        self._both: asyncio.Barrier | None = both

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def apply(
        self, inventory: Inventory, group: Sequence[Manifest], claims: Claims = NO_CLAIMS
    ) -> tuple[Outcome, ...]:
        both, self._both = self._both, None
        if both is not None:
            async with asyncio.timeout(LONG):
                await both.wait()
        return await self._inner.apply(inventory, group, claims)


class _Meetings:
    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._both = asyncio.Barrier(2)

    async def open(self, *about: Any) -> _Meeting:
        return _Meeting(await self._inner.open(*about), self._both)


async def at_once(instances, bodies, **how):
    """Both reconciled side by side: the one that was first, the other one, and what each says."""
    world = replace(instances[0].world, connections=_Meetings(instances[0].world.connections))
    names = tuple(one.namespace for one in instances)
    works = []
    for one, body in zip(instances, bodies, strict=True):
        one.sequence += 1
        works.append(replace(one.work(*body), names=names, **how))
    reports = await asyncio.gather(*(reconcile_target(world, work) for work in works))
    done = list(zip(instances, reports, strict=True))
    return sorted(done, key=lambda each: each[1].actuation is not Actuation.APPLIED)


async def check(instances, won, lost):
    assert [won[1].actuation, lost[1].actuation] == [Actuation.APPLIED, Actuation.FAILED]
    assert codes(lost[1]) == ["DST410"]
    assert f"belongs to instance {won[0].namespace}" in lost[1].findings[0].message
    there = await instances[0].get("v1 configmaps/shared")
    assert there["data"] == {"of": won[0].namespace}
    assert there["metadata"]["labels"][PART_OF] == applyset_id(won[0].namespace)


def shared(instances, **annotations: str):
    for one in instances:
        body = settings("shared", of=one.namespace)
        labels = {"app.kubernetes.io/instance": one.namespace}
        where = instances[0].namespace
        body["metadata"] |= {"namespace": where, "labels": labels, "annotations": annotations}
        yield body


async def test_two_that_make_one_object_at_once(instances):
    bodies = [(body, settings("own")) for body in shared(instances)]
    won, lost = await at_once(instances, bodies)
    await check(instances, won, lost)
    assert await lost[0].get("v1 configmaps/own")  # its neighbours go on
    again = await lost[0].resync(*bodies[instances.index(lost[0])])
    assert codes(again) == ["DST410"]
    await check(instances, won, lost)


async def test_two_that_adopt_one_object_at_once(instances):
    bodies = [(body,) for body in shared(instances, **{"distributor.dev/adopt": "existing"})]
    await instances[0].send("POST", "v1 configmaps", settings("shared", of="nobody"))
    won, lost = await at_once(instances, bodies, adopt=frozenset({"Python-urllib"}))
    await check(instances, won, lost)


async def test_two_that_run_one_hook_at_once(instances):
    """A hook is an object as well: the one that lost does not apply it over the other's."""
    bodies = [(body,) for body in shared(instances, **{"helm.sh/hook": "pre-install"})]
    won, lost = await at_once(instances, bodies)
    await check(instances, won, lost)
