"""Targets that lack a kind: asked again when their cluster serves others, and by nothing else here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from distributor.errors.cluster import ApiRefused, MissingKind
from distributor.model.changes import Actuation, TargetReport
from distributor.model.findings import Finding
from distributor.model.fleet import Cluster, Mode
from distributor.model.refs import GroupKind
from distributor.services.rollouts.appearing import Appearing
from distributor.services.world import World

ONE = Cluster(name="one", environment="sit", tier="edge", mode=Mode.PUSH, connection="c1")
TWO = replace(ONE, name="two", connection="c2")
PLACE = ("sit", "shop", "one")


class FakeWatch:
    """What each cluster serves, as told, and which were asked."""

    def __init__(self) -> None:
        self.serves = {"one": "a", "two": "a"}
        self.asked: list[str] = []

    async def mark(self, cluster: Cluster, instance: str, kinds: Collection[GroupKind]) -> str:
        assert (instance, kinds) == ("", ())
        self.asked.append(cluster.name)
        return self.serves[cluster.name]


def report(*codes: type, instance: str = "shop", cluster: Cluster = ONE) -> TargetReport:
    return TargetReport(
        environment="sit", instance=instance, cluster=cluster.name, sequence=5,
        actuation=Actuation.FAILED, findings=tuple(Finding.of(code) for code in codes),
        observed_at=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip


@pytest.fixture
def watch() -> FakeWatch:
    return FakeWatch()


@pytest.fixture
def appearing(watch: FakeWatch) -> Appearing:
    parts = dict.fromkeys(f.name for f in fields(World))
    return Appearing(World(**{**parts, "watch": watch}))


async def test_nobody_is_asked_while_nobody_lacks_a_kind(appearing, watch):
    appearing.note(report(ApiRefused), ONE)
    assert await appearing.places() == frozenset()
    assert watch.asked == []


async def test_once_at_first_and_then_whenever_it_serves_others(appearing, watch):
    appearing.note(report(ApiRefused, MissingKind), ONE)
    assert await appearing.places() == {PLACE}, "it may have come just before it was asked"
    for _ in range(3):
        appearing.note(report(MissingKind), ONE)
        assert await appearing.places() == frozenset()
    watch.serves["one"] = "b"
    assert await appearing.places() == {PLACE}
    appearing.note(report(), ONE)
    watch.serves["one"] = "c"
    assert await appearing.places() == frozenset()


async def test_a_kind_that_comes_while_it_is_asked_is_not_missed(appearing, watch):
    appearing.note(report(MissingKind), ONE)
    await appearing.places()
    watch.serves["one"] = "b"  # while the target is asked, after it was looked for
    appearing.note(report(MissingKind), ONE)
    assert await appearing.places() == {PLACE}


async def test_each_cluster_is_asked_once_for_all_that_wait_there(appearing, watch):
    for instance in ("shop", "till"):
        appearing.note(report(MissingKind, instance=instance), ONE)
    appearing.note(report(MissingKind, cluster=TWO), TWO)
    assert len(await appearing.places()) == 3
    assert sorted(watch.asked) == ["one", "two"]
    watch.serves["two"] = "b"
    assert await appearing.places() == {("sit", "shop", "two")}


async def test_what_cannot_be_known_wakes_nobody(appearing, watch):
    watch.serves["one"] = ""
    appearing.note(report(MissingKind), ONE)
    assert await appearing.places() == frozenset()
    watch.serves["one"] = "a"
    assert await appearing.places() == {PLACE}


async def test_a_cluster_that_is_reached_elsewhere_is_asked_anew(appearing):
    appearing.note(report(MissingKind), ONE)
    await appearing.places()
    appearing.note(report(MissingKind), replace(ONE, connection="c9"))
    assert await appearing.places() == {PLACE}
