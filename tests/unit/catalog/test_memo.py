"""The memory of what was read: what was used last stays, and heavy things take the room of many light ones."""

from __future__ import annotations

from functools import partial

from distributor.catalog.memo import Memo
from distributor.model.refs import ObjectId


class Shelf:
    """A memo of words, and the words that had to be made."""

    def __init__(self, memo: Memo[str]) -> None:
        self.memo = memo
        self.made: list[str] = []

    def get(self, word: str) -> str:
        return self.memo.get(("word", "", ObjectId(word)), partial(self._make, word))

    def _make(self, word: str) -> str:
        self.made.append(word)
        return word


def test_the_least_recently_used_goes_first():
    shelf = Shelf(Memo(2))
    for word in ("a", "b", "a", "c", "a", "b"):
        assert shelf.get(word) == word
    assert shelf.made == ["a", "b", "c", "b"]


def test_what_is_heavy_takes_the_room_of_many():
    shelf = Shelf(Memo(6, len))
    for word in ("a", "bb", "ccc", "bb", "dddd", "bb", "a", "ccc"):
        shelf.get(word)
    assert shelf.made == ["a", "bb", "ccc", "dddd", "a", "ccc"]


def test_what_is_heavier_than_all_the_room_is_kept_alone():
    shelf = Shelf(Memo(3, len))
    for word in ("a", "too heavy", "too heavy", "b", "a", "b"):
        shelf.get(word)
    assert shelf.made == ["a", "too heavy", "b", "a"]
