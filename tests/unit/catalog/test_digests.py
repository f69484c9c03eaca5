"""Digests of packages and configuration: what they cover, and what they do not depend on."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.catalog.digests import config_digest, config_paths, package_digest
from distributor.catalog.walking import MAX_FILES, check_entries, walk
from distributor.model.findings import Invalid
from distributor.model.refs import ObjectId, digest_of, is_digest
from distributor.model.trees import EntryKind, TreeEntry
from distributor.testing.trees import EXECUTABLE, LINK, MemoryTrees

NAMES = st.text("abcx-.09", min_size=1, max_size=4).filter(lambda n: not n.endswith("."))
PATHS = st.builds("/".join, st.lists(NAMES, min_size=1, max_size=3))
TREES = st.dictionaries(PATHS, st.binary(max_size=20), max_size=6).filter(
    lambda files: not any(a != b and b.startswith(a + "/") for a in files for b in files)
)


def digest(files, modes=None):
    trees = MemoryTrees()
    return package_digest(trees, trees.add(files, modes=modes))


def test_the_digest_is_what_the_format_says():
    files = {"package.yaml": b"x", "base/a": b"yy", "run": b""}
    expected = digest_of(
        b"100644", b"base/a", b"yy", b"100644", b"package.yaml", b"x", b"100755", b"run", b""
    )
    assert digest(files, modes={"run": EXECUTABLE}) == expected
    assert digest({}) == "sha256:" + hashlib.sha256(b"").hexdigest()


@given(TREES, st.randoms(use_true_random=False))
def test_order_does_not_matter(files, random):
    shuffled = list(files.items())
    random.shuffle(shuffled)
    assert digest(files) == digest(dict(shuffled))


@given(TREES, TREES)
def test_two_trees_agree_only_if_they_are_equal(one, other):
    assert (digest(one) == digest(other)) == (one == other)


@given(TREES)
def test_the_mode_counts(files):
    for path in files:
        assert digest(files, modes={path: EXECUTABLE}) != digest(files)


def test_digests_are_refused_where_content_is_not_plain():
    with pytest.raises(Invalid) as caught:
        digest({"a": b"x", "b": b"a"}, modes={"b": LINK})
    assert [f.code for f in caught.value.findings] == ["DST109"]
    with pytest.raises(Invalid):
        digest({"a": b"version https://git-lfs.github.com/spec/v1\n"})


SIT = "environments/sit"


def config(files, *, tiers=("edge", "slim"), instance="shop"):
    trees = MemoryTrees()
    root = trees.add(files)
    return config_digest(trees, root, environment="sit", instance=instance, tiers=tiers)


CONFIG = {
    f"{SIT}/environment.yaml": b"1",
    f"{SIT}/overlay/kustomization.yaml": b"2",
    f"{SIT}/apps/shop.yaml": b"3",
    "environments/tiers/edge/tier.yaml": b"4",
    "environments/tiers/slim/tier.yaml": b"5",
    f"{SIT}/apps/other.yaml": b"6",
    f"{SIT}/clusters/one.yaml": b"7",
    "environments/tiers/central/tier.yaml": b"8",
    "environments/pipeline.yaml": b"9",
}


@pytest.mark.parametrize("path", sorted(CONFIG))
def test_which_files_config_covers(path):
    covered = CONFIG[path] in {b"1", b"2", b"3", b"4", b"5"}
    assert (config({**CONFIG, path: b"changed"}) != config(CONFIG)) == covered
    without = {p: d for p, d in CONFIG.items() if p != path}
    assert (config(without) != config(CONFIG)) == covered


def test_config_is_the_same_kind_of_digest():
    few = {f"{SIT}/environment.yaml": b"1", "environments/tiers/edge/tier.yaml": b"4"}
    expected = digest_of(
        b"100644", b"environments/sit/environment.yaml", b"1",
        b"100644", b"environments/tiers/edge/tier.yaml", b"4",
    )  # fmt: skip
    assert config(few) == expected
    assert config(few, tiers=("slim", "edge")) == config(few, tiers=("edge",))
    assert is_digest(config({}))
    assert is_digest(config({"environments": b"a file"}))


def test_config_paths_are_those_that_exist():
    trees = MemoryTrees()
    root = trees.add(CONFIG)
    found = config_paths(trees, root, environment="sit", instance="none", tiers=["edge", "none"])
    assert found == (f"{SIT}/environment.yaml", f"{SIT}/overlay", "environments/tiers/edge")
    assert config_paths(trees, root, environment="x", instance="y", tiers=[]) == ()


def test_config_refuses_links():
    trees = MemoryTrees()
    for path in (f"{SIT}/environment.yaml", f"{SIT}/overlay/link"):
        root = trees.add({**CONFIG, path: b"x"}, modes={path: LINK})
        with pytest.raises(Invalid):
            config_digest(trees, root, environment="sit", instance="shop", tiers=())
    pointer = {f"{SIT}/environment.yaml": b"version https://git-lfs.github.com/spec/v1\n"}
    with pytest.raises(Invalid):
        config(pointer)


def entry(name):
    return TreeEntry(name, 0o100644, ObjectId("1" * 40), EntryKind.BLOB)


@pytest.mark.parametrize(
    "name",
    ["..", ".", ".git", ".GIT", "git~1", "", "a/b", "a\\b", "a:b", "a\nb", "a\x7f", "e\u0301",
     "a.", "a ", "a*", "\udcff"],
)  # fmt: skip
def test_names_that_no_tree_may_hold(name):
    found = check_entries((entry(name),), "catalog")
    assert [f.code for f in found] == ["DST108"]


def test_names_that_collide():
    found = check_entries((entry("README"), entry("Readme"), entry("other")), "catalog")
    assert [(f.code, f.where.file) for f in found] == [("DST108", "catalog/Readme")]
    assert check_entries((entry("\u00e9"), entry("e")), "") == ()
    assert [f.code for f in check_entries((entry("straße"), entry("STRASSE")), "")] == ["DST108"]


def test_too_many_files_and_tree_bombs():
    trees = MemoryTrees()
    blob = trees.add_blob(b"")
    wide = trees.add_tree(
        tuple(TreeEntry(f"f{n}", 0o100644, blob, EntryKind.BLOB) for n in range(MAX_FILES + 1))
    )
    assert [f.code for f in walk(trees, wide, "x").findings] == ["DST112"]
    tree = trees.add_tree(())
    for _ in range(40):
        tree = trees.add_tree(
            tuple(TreeEntry(name, 0o040000, tree, EntryKind.TREE) for name in "abcdefghij")
        )
    trees.reads.clear()
    assert [f.code for f in walk(trees, tree, "x").findings] == ["DST112"]
    assert sum(trees.reads.values()) <= 2 * MAX_FILES
    deep = trees.add({"/".join(["d"] * 80): b""})
    assert [f.code for f in walk(trees, deep, "x").findings] == ["DST112"]
