"""The names of a ledger's instances: one tuple for all who keep it, and a new one when there are others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from distributor.model.ledger import Genesis, InstanceState, LedgerState
from distributor.model.refs import ObjectId
from distributor.services.ledger.book import LedgerBook


class _World:
    objects = None


def state(head: str, *names: str) -> LedgerState:
    genesis = Genesis(
        at=datetime(2026, 1, 1, tzinfo=UTC), repository="r", main=ObjectId("a"), key="k"
    )
    return LedgerState(
        head=ObjectId(head),
        genesis=genesis,
        instances={("sit", n): InstanceState(environment="sit", instance=n) for n in names},
    )


def test_an_append_that_names_nobody_new_leaves_the_names_as_they_are():
    book = LedgerBook(cast("Any", _World()))
    book._state = state("1", "cart", "shop")
    first = book.names
    assert first == ("cart", "shop")
    book._state = state("2", "cart", "shop")
    assert book.names is first
    book._state = state("3", "cart", "shop", "till")
    assert book.names == ("cart", "shop", "till")
    book._state = state("4", "till")
    assert book.names == ("till",)
