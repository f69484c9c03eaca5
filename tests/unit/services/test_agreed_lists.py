"""What people agreed to, found again in the ledger: on the clusters that asked, and on no other."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

import orjson
import pytest

from distributor.ledger import list_digest, list_files
from distributor.model.changes import Actuation, TargetReport
from distributor.model.consents import Deed, Question
from distributor.model.ledger import Consented
from distributor.model.promotion import Verdict, VerdictOutcome
from distributor.model.refs import ObjectId, ObjectRef
from distributor.model.stored import StoredTarget
from distributor.model.tags import Verb
from distributor.services.ledger.agreeing import (
    agreed_list,
    agreed_text,
    asked_now,
    blanket,
    kept_questions,
    permits,
)
from distributor.services.world import World
from distributor.testing.trees import MemoryTrees

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OLD = Question(deed=Deed.DELETE, ref=ObjectRef.parse("ConfigMap/shop/old"), uid="u1")
HOOK = Question(deed=Deed.LEAVE, ref=ObjectRef.parse("batch/Job/shop/migrate"), uid="u2")
ASKED = {"c1": (OLD, HOOK), "c2": (HOOK,)}
GIVEN = Consented(
    at=NOW, verb=Verb.CONSENT, by="ada", sequence=3, digest=list_digest(ASKED), count=3
)
BEFORE_LISTS = Consented(at=NOW, verb=Verb.DETACH, by="ada", sequence=3)
DESIRED = Verdict(
    ref="promote/sit/shop/1.0.0", tag=ObjectId("7" * 40), verb=Verb.PROMOTE, environment="sit",
    instance="shop", outcome=VerdictOutcome.ACCEPTED, principal="ada", sequence=3, answers=(),
    targets=("c1", "c2"),
)  # fmt: skip


class Ledger(MemoryTrees):
    """One commit, and rows of a read model beside it."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__()
        self.root = self.add({"genesis.json": b"{}", **files})
        self.rows: tuple[StoredTarget, ...] = ()

    def resolve(self, _ref: str) -> ObjectId:
        return ObjectId("a" * 40)

    def tree_of(self, _commit: ObjectId) -> ObjectId:
        return self.root

    async def targets(self, _environment: str, _instance: str) -> tuple[StoredTarget, ...]:
        return self.rows


def world_with(ledger: Ledger) -> World:
    parts = dict.fromkeys(f.name for f in fields(World))
    return World(**{**parts, "objects": ledger, "store": ledger})


def row(cluster: str, sequence: int, *questions: Question) -> StoredTarget:
    report = TargetReport(
        environment="sit", instance="shop", cluster=cluster, sequence=sequence,
        actuation=Actuation.FAILED, observed_at=NOW, questions=questions,
    )  # fmt: skip
    return StoredTarget(
        environment="sit", instance="shop", cluster=cluster, sequence=sequence,
        actuation="failed", health="Unknown", message="", observed_at=NOW.isoformat(),
        detail=orjson.dumps({"questions": kept_questions(report)}).decode(),
    )  # fmt: skip


def test_each_cluster_has_its_own_part() -> None:
    world = world_with(Ledger(list_files(ASKED)))
    assert permits(world, (GIVEN,), "c1").allows(OLD)
    assert permits(world, (GIVEN,), "c1").allows(HOOK)
    assert not permits(world, (GIVEN,), "c2").allows(OLD)
    assert not permits(world, (GIVEN,), "c3").known, "it joined later"
    assert blanket((GIVEN, BEFORE_LISTS)) == {Verb.DETACH}


def test_consents_add_up() -> None:
    more = {"c2": (OLD,)}
    ledger = Ledger({**list_files(ASKED), **list_files(more)})
    second = replace(GIVEN, digest=list_digest(more), count=1)
    found = permits(world_with(ledger), (GIVEN, second), "c2")
    assert found.allows(OLD)
    assert found.allows(HOOK)


def test_a_list_that_is_lost_permits_nothing_and_is_told() -> None:
    world = world_with(Ledger({}))
    assert not permits(world, (GIVEN,), "c1").known
    assert agreed_list(world, GIVEN) == {}
    assert "lost" in agreed_text(world, GIVEN)


def test_a_list_is_told_in_words() -> None:
    world = world_with(Ledger(list_files(ASKED)))
    assert list_digest(agreed_list(world, GIVEN)) == GIVEN.digest
    assert agreed_text(world, GIVEN) == (
        "delete ConfigMap/shop/old (uid u1) on c1; "
        "go on without waiting for the hook batch/Job/shop/migrate (uid u2) on c1; "
        "go on without waiting for the hook batch/Job/shop/migrate (uid u2) on c2"
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), None),
        ((row("c1", 2, OLD),), None),
        ((row("c9", 3, OLD),), None),
        ((row("c1", 3), row("c2", 2, OLD)), {"c1": ()}),
        ((row("c1", 3, HOOK, OLD), row("c2", 3)), {"c1": (OLD, HOOK), "c2": ()}),
        ((replace(row("c1", 3), actuation="unreachable"),), None),
        ((replace(row("c1", 3), actuation="fenced"), row("c2", 3, OLD)), {"c2": (OLD,)}),
    ],
    ids=[
        "nothing seen",
        "of another revision",
        "no target any more",
        "one was seen",
        "both",
        "no answer",
        "one answer",
    ],
)
async def test_what_targets_ask_is_what_was_seen_of_this_verdict(rows, expected) -> None:
    ledger = Ledger({})
    ledger.rows = rows
    assert await asked_now(world_with(ledger), DESIRED) == expected
    assert await asked_now(world_with(ledger), None) == {}


def test_a_target_asks_so_much_at_a_time_and_the_rest_later() -> None:
    many = [replace(OLD, ref=ObjectRef("", "ConfigMap", "shop", f"c{n:05}")) for n in range(10_003)]
    report = TargetReport(
        environment="sit", instance="shop", cluster="c1", sequence=3, actuation=Actuation.FAILED,
        observed_at=NOW, questions=tuple(reversed(many)),
    )  # fmt: skip
    kept = kept_questions(report)
    assert (len(kept), kept[0]["object"]) == (10_000, "ConfigMap/shop/c00000")
