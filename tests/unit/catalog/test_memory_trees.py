"""The in-memory trees have the ids that Git gives, and Git agrees."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from distributor.errors.git import ObjectMissing
from distributor.model.refs import ObjectId
from distributor.model.trees import EntryKind, TreeEntry
from distributor.testing.trees import EXECUTABLE, LINK, SUBMODULE, MemoryTrees, git_id


def test_known_ids():
    assert git_id("blob", b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert git_id("tree", b"") == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert MemoryTrees().add({}) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_gives_the_same_ids(tmp_path):
    files = {
        "a": b"1", "a.b": b"2", "a-b": b"3", "dir/x": b"4", "dir.x": b"5", "dir-x/y/z": b"6",
        "run.sh": b"#!/bin/sh\n", "Größe": b"7",
    }  # fmt: skip
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("a")
    run = ["git", "-c", "core.autocrlf=false", "-c", "core.precomposeunicode=false"]
    for command in (["init", "-q"], ["add", "-A"], ["write-tree"]):
        done = subprocess.run([*run, *command], cwd=tmp_path, check=True, capture_output=True)
    trees = MemoryTrees()
    root = trees.add({**files, "link": b"a"}, modes={"run.sh": EXECUTABLE, "link": LINK})
    assert root == done.stdout.decode().strip()


def test_entries_in_gits_order_and_kinds():
    trees = MemoryTrees()
    root = trees.add(
        {"a/x": b"", "a.b": b"", "a-b": b"", "m": b"1" * 40, "l": b"a"},
        modes={"m": SUBMODULE, "l": LINK},
    )
    entries = trees.entries(root)
    assert [e.name for e in entries] == ["a-b", "a.b", "a", "l", "m"]
    assert [e.kind for e in entries] == [
        EntryKind.BLOB, EntryKind.BLOB, EntryKind.TREE, EntryKind.LINK, EntryKind.SUBMODULE,
    ]  # fmt: skip
    assert entries[4] == TreeEntry("m", SUBMODULE, ObjectId("1" * 40), EntryKind.SUBMODULE)


def test_reads_are_counted_and_missing_objects_said():
    trees = MemoryTrees()
    root = trees.add({"a": b"12"})
    blob = trees.entries(root)[0].id
    assert (trees.blob(blob), trees.size(blob)) == (b"12", 2)
    assert trees.reads == {"entries": 1, "blob": 1, "size": 1}
    for call in (trees.entries, trees.blob, trees.size):
        with pytest.raises(ObjectMissing):
            call(ObjectId("0" * 40))
    with pytest.raises(TypeError):
        trees.add({"a": b"", "a/b": b""})
