"""The contract of the store, in memory and on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from distributor.adapters.store import SqlStore
from distributor.model.stored import StoredEvent, StoredRollout, StoredTarget
from distributor.ports import Store


@pytest.fixture(params=["memory", "disk"])
async def store(request, tmp_path: Path) -> AsyncIterator[Store]:
    opened = SqlStore(tmp_path / "state" / "db.sqlite" if request.param == "disk" else None)
    await opened.open()
    yield opened
    await opened.aclose()


def target(cluster: str, *, environment: str = "sit", instance: str = "shop") -> StoredTarget:
    return StoredTarget(
        environment=environment,
        instance=instance,
        cluster=cluster,
        sequence=1,
        actuation="done",
        health="Current",
        message="",
        observed_at="2026-01-01T00:00:00+00:00",
    )


def event(message: str) -> StoredEvent:
    return StoredEvent(at="2026-01-01T00:00:00+00:00", kind="verdict", message=message)


async def test_a_value_is_kept_and_replaced(store):
    assert await store.get("head") is None
    await store.set("head", "a")
    await store.set("head", "b")
    await store.set("other", "ü\n'; DROP TABLE meta; --")
    assert await store.get("head") == "b"
    assert await store.get("other") == "ü\n'; DROP TABLE meta; --"


async def test_a_rollout_is_kept_replaced_and_dropped(store):
    rollout = StoredRollout(environment="sit", instance="shop", sequence=1, state=b"\x00\xff")
    other = replace(rollout, environment="uat")
    await store.save_rollout(rollout)
    await store.save_rollout(other)
    await store.save_rollout(replace(rollout, sequence=2, state=b"new"))
    assert set(await store.rollouts()) == {replace(rollout, sequence=2, state=b"new"), other}
    await store.drop_rollout("sit", "shop")
    await store.drop_rollout("sit", "nothing")
    assert await store.rollouts() == (other,)


async def test_targets_are_replaced_one_by_one(store):
    await store.save_targets([])
    await store.save_targets([target("a"), target("b")])
    sick = replace(target("b"), health="Failed", message="crash", detail='{"x": 1}', sequence=7)
    await store.save_targets([sick])
    assert await store.targets() == (target("a"), sick)
    await store.drop_target("sit", "shop", "a")
    await store.drop_target("sit", "shop", "a")
    assert await store.targets() == (sick,)


async def test_targets_are_ordered_and_filtered(store):
    rows = [
        target(cluster, environment=environment, instance=instance)
        for environment in ("uat", "sit")
        for instance in ("web", "shop")
        for cluster in ("c", "a", "b")
    ]
    await store.save_targets(rows)
    everything = sorted(rows, key=lambda t: (t.environment, t.instance, t.cluster))
    assert list(await store.targets()) == everything
    assert list(await store.targets("sit")) == everything[:6]
    assert list(await store.targets("sit", "web")) == everything[3:6]
    assert await store.targets(cluster="a", instance="web", environment="uat") == (everything[9],)
    assert {row.cluster for row in await store.targets(cluster="b")} == {"b"}
    assert await store.targets("prd") == ()


@pytest.mark.parametrize("size", [1, 4, 5, 12, 50])
async def test_pages_give_everything_once_and_in_order(store, size):
    rows = [target(f"c{n:02}", environment=e) for e in ("sit", "uat") for n in range(6)]
    await store.save_targets(rows)
    seen: list[StoredTarget] = []
    after: tuple[str, str, str] | None = None
    while page := await store.targets(after=after, limit=size):
        assert len(page) <= size
        seen += page
        after = (page[-1].environment, page[-1].instance, page[-1].cluster)
    assert seen == rows


async def test_a_page_goes_on_where_a_row_was_removed(store):
    await store.save_targets([target("a"), target("b"), target("c")])
    await store.drop_target("sit", "shop", "b")
    assert await store.targets(after=("sit", "shop", "b")) == (target("c"),)


async def test_targets_are_noted_as_seen_and_nothing_else_of_them_changes(store):
    await store.save_targets([target("a"), target("b")])
    known = await store.note_seen([("sit", "shop", "a"), ("sit", "shop", "gone")], "2027-01-01")
    assert known == {("sit", "shop", "a")}
    seen = replace(target("a"), observed_at="2027-01-01")
    assert await store.targets() == (seen, target("b"))
    assert await store.note_seen([], "2028-01-01") == frozenset()


async def test_events_are_numbered_and_only_grow(store):
    first = await store.add_event(event("one"))
    second = await store.add_event(event("two"))
    assert 0 < first < second
    assert [e.message for e in await store.events()] == ["one", "two"]
    assert await store.events(after=first) == (replace(event("two"), id=second),)
    assert await store.events(after=second) == ()
    assert len(await store.events(limit=1)) == 1


async def test_clear_forgets_the_read_model_and_keeps_events(store):
    await store.set("head", "a")
    await store.save_targets([target("a")])
    rollout = StoredRollout(environment="sit", instance="shop", sequence=1, state=b"")
    await store.save_rollout(rollout)
    number = await store.add_event(event("one"))
    await store.clear()
    assert await store.get("head") is None
    assert await store.targets() == ()
    assert await store.rollouts() == ()
    assert [e.id for e in await store.events()] == [number]


async def test_many_callers_at_once(store):
    await asyncio.gather(
        *(store.set(f"k{n % 5}", str(n)) for n in range(50)),
        *(store.save_targets([target(f"c{n}")]) for n in range(50)),
        *(store.add_event(event(str(n))) for n in range(50)),
    )
    assert len(await store.targets()) == 50
    numbers = [e.id for e in await store.events()]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 50
