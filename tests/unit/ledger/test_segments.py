"""The names of the files that records are in."""

from __future__ import annotations

import pytest

from distributor.ledger.segments import OPEN, in_order, parse_name, path_of


@pytest.mark.parametrize("year", [OPEN, 1, 2026, 9999])
@pytest.mark.parametrize("instance", ["shop", "shop-2026", "all"])
def test_a_name_says_what_it_was_made_of(instance, year) -> None:
    path = path_of(("sit", instance), year)
    assert path.startswith("records/sit/")
    assert parse_name(path.rpartition("/")[2]) == (instance, year)


@pytest.mark.parametrize(
    "name", ["shop.202.jsonl", "shop.20266.jsonl", "shop.٢٠٢٦.jsonl", "shop.0000.jsonl", ".2026.jsonl"]
)  # fmt: skip
def test_what_is_no_year_is_part_of_a_name_that_nothing_has(name) -> None:
    assert parse_name(name) == (name.removesuffix(".jsonl"), OPEN)


def test_the_open_segment_is_the_newest() -> None:
    assert sorted([OPEN, 2027, 2026], key=in_order) == [2026, 2027, OPEN]
