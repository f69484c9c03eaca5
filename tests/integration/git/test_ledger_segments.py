"""A ledger through the years: closed segments are never written again, and all of them add up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from distributor.adapters.git import PygitObjects
from distributor.ledger import fold_stream
from distributor.model.ledger import HoldSet
from distributor.model.refs import ObjectId
from distributor.model.trees import NewCommit
from distributor.services.ledger.files import LedgerFiles

KEY, OTHER = ("sit", "shop"), ("sit", "web")


@dataclass
class Ledger:
    """What the book does with files, on a real object database, without commits of its own."""

    objects: PygitObjects
    files: LedgerFiles
    head: ObjectId

    def add(self, year: int, text: str, key=KEY) -> None:
        record = HoldSet(at=datetime(year, 5, 1, tzinfo=UTC), on=True, by=text)
        state = self.state()
        changes, added = self.files.extended(state, [(key, record)], year)
        tree = self.objects.write_tree(self.objects.tree_of(self.head), changes)
        self.head = self.commit(self.objects, tree)
        self.files.keep(added)

    @staticmethod
    def commit(objects: PygitObjects, tree: ObjectId) -> ObjectId:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        return objects.write_commit(NewCommit(tree=tree, parents=(), message="m", at=at), None)

    def state(self) -> Any:
        instances = self.files.folds(self.head)
        return State(self.head, instances)

    def names(self) -> dict[str, ObjectId]:
        root = self.objects.tree_of(self.head)
        for name in ("records", "sit"):
            root = next(e.id for e in self.objects.entries(root) if e.name == name)
        return {e.name: e.id for e in self.objects.entries(root)}


@dataclass
class State:
    """The two questions that an append asks of a state."""

    head: ObjectId
    instances: dict

    def instance(self, *key):
        return self.instances.get(key) or fold_stream(*key, ())


@pytest.fixture
def ledger(mirror) -> Ledger:
    head = Ledger.commit(mirror, mirror.write_tree(None, {}))
    return Ledger(mirror, LedgerFiles(mirror), head)


def test_each_year_has_a_file_that_stays_as_it_was(ledger):
    seen: dict[str, ObjectId] = {}
    for year, text in ((2024, "a"), (2024, "b"), (2025, "c"), (2027, "d"), (2027, "e")):
        ledger.add(year, text)
        names = ledger.names()
        closed = {n: oid for n, oid in names.items() if n != "shop.jsonl"}
        assert all(closed[n] == oid for n, oid in seen.items() if n in closed)
        assert set(closed) >= {n for n in seen if n != "shop.jsonl"}
        seen = closed
    assert sorted(ledger.names()) == ["shop.2024.jsonl", "shop.2025.jsonl", "shop.jsonl"]
    told = [record.by for record in ledger.files.records(ledger.head, KEY)]
    assert told == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("fresh", [True, False])
def test_what_was_folded_year_by_year_is_what_a_fresh_fold_gives(ledger, fresh):
    for year, text in ((2024, "a"), (2025, "b"), (2025, "c"), (2026, "d")):
        ledger.add(year, text)
        ledger.add(year, text, OTHER)
    files = LedgerFiles(ledger.objects) if fresh else ledger.files
    found = files.folds(ledger.head)
    whole = fold_stream(*KEY, ledger.files.records(ledger.head, KEY))
    assert found[KEY] == whole
    assert [h.by for h in found[KEY].holds] == ["a", "b", "c", "d"]
    assert replace(found[OTHER], instance="shop") == whole


def test_an_append_that_another_one_was_faster_than_leaves_no_trace(ledger):
    ledger.add(2025, "a")
    before = ledger.state()
    lost = HoldSet(at=datetime(2026, 1, 1, tzinfo=UTC), on=True, by="lost")
    ledger.files.extended(before, [(KEY, lost)], 2026)
    ledger.add(2026, "b")
    assert [h.by for h in ledger.files.folds(ledger.head)[KEY].holds] == ["a", "b"]


class Reads(PygitObjects):
    """Lists the blobs that are read."""

    def __init__(self, path) -> None:
        super().__init__(path)
        self.read: list[ObjectId] = []

    def blob(self, blob: ObjectId) -> bytes:
        self.read.append(blob)
        return super().blob(blob)


def test_closed_years_are_folded_once(ledger):
    for year, text in ((2024, "a"), (2025, "b"), (2026, "c")):
        ledger.add(year, text)
    objects = Reads(ledger.objects.path)
    files = LedgerFiles(objects)
    files.folds(ledger.head)
    assert len(objects.read) == 3
    ledger.add(2026, "d")  # by another service
    objects.read.clear()
    files.folds(ledger.head)
    assert objects.read == [ledger.names()["shop.jsonl"]]
