"""Trees that were read are remembered by their entries: large ones that are new each time do not add up."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributor.adapters.git import objects as module
from distributor.adapters.git.objects import PygitObjects
from distributor.ports import TreeChange


@pytest.mark.parametrize("most", [1, 50, 1_000])
def test_what_is_remembered_of_many_large_trees_is_bounded_and_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(module, "_KEPT_ENTRIES", most)
    objects = PygitObjects.create(tmp_path / "repo")
    blob = objects.write_blob(b"x")
    base: dict[str, TreeChange] = {f"file-{number:03}": ("blob", blob) for number in range(100)}
    trees = [objects.write_tree(None, {**base, f"own-{n}": ("blob", blob)}) for n in range(30)]
    for _ in range(2):
        for number, tree in enumerate(trees):
            names = [entry.name for entry in objects.entries(tree)]
            assert names == [*base, f"own-{number}"]
            kept = objects._trees.values()
            assert sum(map(len, kept)) + len(kept) == objects._entries <= most
    assert (trees[-1] in objects._trees) == (most > 101)
