"""The object database: what libgit2 reads and writes, the git program must agree with."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distributor.adapters.git import PygitObjects
from distributor.adapters.keys import SshKey, generate
from distributor.errors.git import NotARepository, ObjectMissing
from distributor.model.refs import ObjectId
from distributor.model.trees import EntryKind, NewCommit
from tests.integration.git.conftest import Git

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
MISSING = ObjectId("0" * 39 + "1")


@pytest.fixture
def git(mirror: PygitObjects) -> Git:
    return Git(folder=mirror.path)


@pytest.fixture
def key(tmp_path: Path) -> SshKey:
    return generate(tmp_path / "key", "service")


@pytest.fixture
def trusted(git: Git, key: SshKey, tmp_path: Path) -> Git:
    """Git, told whom to trust."""
    signers = tmp_path / "allowed_signers"
    signers.write_text(f'distributor@service namespaces="git" {key.public_key}\n', "utf-8")
    git("config", "gpg.format", "ssh")
    git("config", "gpg.ssh.allowedSignersFile", str(signers))
    return git


def tree_of(mirror: PygitObjects, files: dict[str, bytes]) -> ObjectId:
    return mirror.write_tree(None, {p: ("blob", mirror.write_blob(b)) for p, b in files.items()})


def listing(git: Git, tree: ObjectId) -> dict[str, str]:
    lines = git("ls-tree", "-r", "-z", tree).split("\0")
    return {
        path: head.split()[2] for head, _, path in (line.partition("\t") for line in lines) if path
    }


def test_a_tree_is_what_git_says(mirror, git):
    tree = tree_of(mirror, {"a/b/c": b"1", "a/b.yaml": b"2", "a.yaml": b"3", "ü/ñ": b"4"})
    assert git("fsck", "--strict") == "" or "dangling" in git("fsck", "--strict")
    assert set(listing(git, tree)) == {"a/b/c", "a/b.yaml", "a.yaml", "ü/ñ"}
    assert [(e.name, e.kind) for e in mirror.entries(tree)] == [
        ("a.yaml", EntryKind.BLOB), ("a", EntryKind.TREE), ("ü", EntryKind.TREE),
    ]  # fmt: skip
    blob = mirror.entries(tree)[0].id
    assert (mirror.blob(blob), mirror.size(blob)) == (b"3", 1)


def test_paths_are_set_replaced_and_removed(mirror, git):
    base = tree_of(mirror, {"keep/a": b"1", "change/b": b"2", "gone/c/d": b"3"})
    new = mirror.write_blob(b"new")
    inner = tree_of(mirror, {"x": b"5", "y/z": b"6"})
    tree = mirror.write_tree(
        base,
        {"change/b": ("blob", new), "gone/c/d": None, "never/was": None, "whole": ("tree", inner)},
    )
    assert listing(git, tree) == {
        "change/b": new,
        "keep/a": mirror.write_blob(b"1"),
        "whole/x": mirror.write_blob(b"5"),
        "whole/y/z": mirror.write_blob(b"6"),
    }
    assert mirror.write_tree(tree, {}) == tree


def test_a_file_becomes_a_folder_and_back(mirror, git):
    one = mirror.write_blob(b"1")
    file = mirror.write_tree(None, {"a": ("blob", one)})
    folder = mirror.write_tree(file, {"a/b": ("blob", one)})
    assert listing(git, folder) == {"a/b": one}
    assert mirror.write_tree(folder, {"a": ("blob", one)}) == file


def test_nothing_is_the_empty_tree(mirror, git):
    empty = git("mktree", stdin=b"")
    base = tree_of(mirror, {"a/b": b"1"})
    assert mirror.write_tree(None, {}) == mirror.write_tree(base, {"a/b": None}) == empty


NAMES = st.text(string.ascii_letters + "-_é", min_size=1, max_size=4).filter(lambda n: n != ".git")
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def clash_free(files: dict[str, bytes]) -> dict[str, bytes]:
    """Drop what would be both a file and a folder."""
    return {p: b for p, b in files.items() if not any(o.startswith(p + "/") for o in files)}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=st.dictionaries(PATHS, st.binary(max_size=8), max_size=8).map(clash_free))
def test_written_one_by_one_or_at_once_a_tree_is_the_same(mirror, files):
    at_once = tree_of(mirror, files)
    step = mirror.write_tree(None, {})
    for path, data in files.items():
        step = mirror.write_tree(step, {path: ("blob", mirror.write_blob(data))})
    assert step == at_once
    for path in files:
        step = mirror.write_tree(step, {path: None})
    assert step == mirror.write_tree(None, {})


def test_links_and_submodules_are_seen_as_what_they_are(mirror, git):
    blob = mirror.write_blob(b"target")
    listed = (
        f"120000 blob {blob}\tlink\n160000 commit {MISSING}\tsub\n100755 blob {blob}\tprogram\n"
    )
    tree = ObjectId(git("mktree", "--missing", stdin=listed.encode()))
    assert {e.name: (e.kind, oct(e.mode)) for e in mirror.entries(tree)} == {
        "link": (EntryKind.LINK, "0o120000"),
        "program": (EntryKind.BLOB, "0o100755"),
        "sub": (EntryKind.SUBMODULE, "0o160000"),
    }


def commit(
    mirror: PygitObjects, *parents: ObjectId, key: SshKey | None = None, text: str = "x"
) -> ObjectId:
    new = NewCommit(tree=mirror.write_tree(None, {}), parents=parents, message=text, at=AT)
    return mirror.write_commit(new, key)


def test_a_signed_commit_is_good_to_git(mirror, trusted, key):
    first = commit(mirror, key=key, text="verdict: accepted\n\nsit/shop 1.4.1 ok, für alle\n")
    second = commit(mirror, first, key=key)
    for oid in (first, second):
        assert 'Good "git" signature for distributor@service' in trusted("verify-commit", oid)
    assert trusted("log", "-1", "--format=%an <%ae> %at %s", first) == (
        f"Distributor <distributor@service> {int(AT.timestamp())} verdict: accepted"
    )
    assert trusted("rev-parse", f"{second}^") == first


def test_an_unsigned_or_changed_commit_is_not(mirror, trusted, key, tmp_path):
    assert trusted("verify-commit", commit(mirror), check=False) == ""
    good = mirror.raw(commit(mirror, key=key))
    forged = trusted(
        "hash-object", "-t", "commit", "-w", "--stdin", stdin=good.replace(b"x\n", b"y\n")
    )
    assert "Good" not in trusted("verify-commit", forged, check=False)
    stranger = generate(tmp_path / "other", "stranger")
    assert "No principal matched" in trusted(
        "verify-commit", commit(mirror, key=stranger), check=False
    )


def test_a_signed_tag_is_good_to_git(mirror, trusted, key):
    target = commit(mirror)
    oid = mirror.write_tag(
        "promote/uat/shop/1.4.1",
        target,
        message="Promote shop\n\nPromotion-App: shop\nPromotion-Prev: none",
        at=AT,
        tagger="Ada <ada@distributor.example>",
        signer=key,
    )
    trusted("update-ref", "refs/tags/promote/uat/shop/1.4.1", oid)
    said = trusted("verify-tag", "promote/uat/shop/1.4.1")
    assert 'Good "git" signature for distributor@service' in said
    assert mirror.object_type(oid) == "tag"
    assert "Promotion-App: shop" in trusted("cat-file", "tag", oid)
    assert trusted("rev-parse", f"{oid}^{{commit}}") == target


def test_an_unsigned_tag_is_well_formed(mirror, git):
    oid = mirror.write_tag(
        "do/sit/shop/hold_1", commit(mirror), message="Hold\n", at=AT, tagger="A <a@a>", signer=None
    )
    assert mirror.raw(oid).endswith(b"\n\nHold\n")
    assert "error" not in git("fsck", "--strict", oid)


def test_ancestry_and_history(mirror):
    one = commit(mirror, text="1")
    two = commit(mirror, one, text="2")
    side = commit(mirror, one, text="side")
    three = commit(mirror, two, side, text="3")
    assert mirror.is_ancestor(one, three)
    assert mirror.is_ancestor(side, three)
    assert mirror.is_ancestor(one, one)
    assert not mirror.is_ancestor(three, one)
    assert not mirror.is_ancestor(two, side)
    assert not mirror.is_ancestor(MISSING, one)
    assert not mirror.is_ancestor(one, MISSING)
    assert list(mirror.history(three, None)) == [three, two, one]
    assert list(mirror.history(three, one)) == [three, two]
    assert list(mirror.history(three, three)) == []


def test_histories_are_what_git_lists(mirror, git):
    """Also where the commit that they end before is on another line, or on none at all."""
    one = commit(mirror, text="1")
    two = commit(mirror, one, text="2")
    side = commit(mirror, one, text="side")
    merged = commit(mirror, two, side, text="merged")
    top = commit(mirror, merged, text="top")
    alone = commit(mirror, text="alone")
    for until in (one, two, side, merged, top, alone):
        listed = git("rev-list", "--first-parent", top, f"^{until}").split()
        assert list(mirror.history(top, until)) == listed, until


def test_a_shallow_history_ends_where_the_clone_does(mirror, git, tmp_path):
    one = commit(mirror, text="1")
    two = commit(mirror, one, text="2")
    three = commit(mirror, two, text="3")
    mirror.set_ref("refs/heads/main", three, None)
    folder = tmp_path / "shallow.git"
    git("clone", "--quiet", "--bare", "--depth=2", f"file://{mirror.path}", str(folder))
    shallow = PygitObjects(folder)
    assert list(shallow.history(three, two)) == [three]
    assert list(shallow.history(three, None)) == [three, two]


def test_refs_move_only_from_where_they_are_expected(mirror):
    one, two = commit(mirror, text="1"), commit(mirror, text="2")
    ref = "refs/heads/ledger"
    assert mirror.resolve(ref) is None
    assert not mirror.set_ref(ref, two, one)
    assert mirror.set_ref(ref, one, None)
    assert not mirror.set_ref(ref, two, None)
    assert mirror.resolve(ref) == one
    assert mirror.set_ref(ref, two, one)
    assert mirror.refs("refs/heads/") == {ref: two}
    assert mirror.set_ref(ref, None, two)
    assert mirror.resolve(ref) is None
    assert mirror.set_ref(ref, None, None)


@pytest.mark.parametrize("oid", [MISSING, ObjectId("not an id"), ObjectId("")])
def test_what_is_not_there_is_a_coded_error(mirror, oid):
    for ask in (
        mirror.entries,
        mirror.blob,
        mirror.size,
        mirror.raw,
        mirror.tree_of,
        mirror.object_type,
    ):
        with pytest.raises(ObjectMissing, match="DST613"):
            ask(oid)


def test_a_thing_of_another_type_is_a_coded_error(mirror):
    blob = mirror.write_blob(b"1")
    with pytest.raises(ObjectMissing, match="is no tree"):
        mirror.entries(blob)
    with pytest.raises(ObjectMissing, match="is no commit"):
        mirror.tree_of(blob)


def test_a_folder_without_a_repository(tmp_path):
    with pytest.raises(NotARepository, match="DST610"):
        PygitObjects(tmp_path)


def test_create_makes_a_bare_repository_once(tmp_path):
    first = PygitObjects.create(tmp_path / "a" / "b.git")
    blob = first.write_blob(b"kept")
    assert PygitObjects.create(tmp_path / "a" / "b.git").blob(blob) == b"kept"
    assert Git(folder=first.path)("rev-parse", "--is-bare-repository") == "true"
