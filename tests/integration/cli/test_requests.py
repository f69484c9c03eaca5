"""`promote` on a repository with a ledger: which commit is meant, and what is asked for twice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def asking(program, repository):
    """A repository whose ledger is there, with a folder for each cluster that shop goes to in sit."""
    program("init", "--ledger")
    for cluster in ("sit-central-1", "sit-slim-1"):
        (repository / "clusters/sit" / cluster).mkdir(parents=True)
    return repository


def test_a_commit_may_be_named_as_git_names_one(program, asking, git):
    first = git(asking, "rev-parse", "HEAD")
    git(asking, "commit", "-q", "--allow-empty", "-m", "second")
    git(asking, "tag", "-a", "-m", "x", "release")
    for version, name in (("1.4.2", first[:7]), ("1.5.0", "release")):
        program("promote", "sit", "shop", version, "--commit", name)
    second = git(asking, "rev-parse", "HEAD")
    tagged = git(asking, "for-each-ref", "--format=%(*objectname)", "refs/tags/promote").split()
    assert tagged == [first, second]
    promote = ("promote", "sit", "website", "1.0.0", "--commit")
    unknown = program(*promote, "nosuch", code=2)
    assert unknown.err.startswith("DST716 ")
    assert "'nosuch' names no commit" in unknown.err
    git(asking, "switch", "-q", "-c", "aside")
    git(asking, "commit", "-q", "--allow-empty", "-m", "not on main")
    assert program(*promote, "HEAD", code=1).err.startswith("DST211 ")
    assert git(asking, "for-each-ref", "refs/tags/promote/sit/website") == ""


def test_what_is_still_open_is_not_asked_for_twice_unawares(program, asking, git):
    promote = ("promote", "sit", "shop", "1.4.2")
    program(*promote)
    twice = program(*promote, code=1)
    assert twice.err.startswith("DST233 ")
    assert "(promote/sit/shop/1.4.2)" in twice.err
    assert "--again" in twice.err
    tags = ("for-each-ref", "--format=%(refname:lstrip=2)", "refs/tags/promote")
    assert git(asking, *tags) == "promote/sit/shop/1.4.2"
    program("promote", "sit", "shop", "1.4.1")
    program(*promote, "--again")
    assert "promote/sit/shop/1.4.2_2" in git(asking, *tags).split()


def test_a_wait_that_ends_too_early_says_so(program, asking):
    waited = program(
        "promote", "sit", "shop", "1.4.2", "--wait", "--timeout", "0.1", "-o", "json", code=3
    )
    assert waited.json()["outcome"] == "waiting"
    assert "DST712 " in waited.err


def test_a_wait_for_what_is_refused_says_so(program, asking, git):
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(program, "promote", "uat", "shop", "1.4.2", "--wait", code=1)
        while not (waiting.done() or git(asking, "for-each-ref", "refs/tags/promote/uat")):
            time.sleep(0.1)
        program("sync", code=1)
    refused = waiting.result()
    assert refused.out.startswith("refused ")
    assert "DST713 " in refused.err


@pytest.mark.parametrize("other", ["--once", "--dry-run"])
def test_sync_goes_on_or_ends_but_not_both(quick, asking, other):
    refused = quick("sync", "--watch", other, code=2)
    assert refused.err.startswith("DST716 ")
    assert other in refused.err


def test_what_has_ended_may_be_asked_for_again(program, asking, git):
    program("promote", "uat", "shop", "1.4.2")
    program("promote", "sit", "shop", "1.4.2")
    program("sync", code=1)
    program("promote", "uat", "shop", "1.4.2")  # was refused, unsigned
    program("promote", "sit", "shop", "1.4.2")  # was verified
    assert len(git(asking, "for-each-ref", "refs/tags/promote").splitlines()) == 4
