"""The remote, against real repositories: what moves, vanishes, hangs or is refused."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from distributor.adapters.git import GitRemote, PygitObjects
from distributor.errors.git import GitFailed, PushRejected, RemoteUnreachable
from distributor.model.refs import ObjectId

MAIN = "refs/heads/main"
LEDGER = "refs/heads/ledger"
OBSERVED = "refs/observed/"


async def test_fetch_mirrors_heads_and_tags(remote, mirror, shared):
    shared("tag", "-a", "-m", "asks", "promote/sit/shop/1.4.1", "main")
    shared("branch", "ledger", "main")
    shared("branch", "feature", "main")
    await remote.fetch()
    main = shared.oid("main")
    assert mirror.refs(OBSERVED) == {
        OBSERVED + "heads/main": main,
        OBSERVED + "heads/ledger": main,
        OBSERVED + "tags/promote/sit/shop/1.4.1": shared.oid("refs/tags/promote/sit/shop/1.4.1"),
    }
    assert (
        mirror.object_type(
            mirror.refs(OBSERVED + "tags/")[OBSERVED + "tags/promote/sit/shop/1.4.1"]
        )
        == "tag"
    )


async def test_a_ledger_that_is_not_there_yet_fails_nothing(remote, mirror, shared, commit):
    await remote.fetch()
    assert mirror.resolve(OBSERVED + "heads/ledger") is None
    assert mirror.resolve(OBSERVED + "heads/main") == shared.oid("main")
    oid = commit("ledger", "genesis", orphan=True)
    await remote.fetch()
    assert mirror.resolve(OBSERVED + "heads/ledger") == oid


async def test_a_ledger_that_vanished_is_seen(remote, mirror, shared):
    shared("branch", "ledger", "main")
    await remote.fetch()
    shared("branch", "-D", "ledger")
    await remote.fetch()
    assert mirror.resolve(OBSERVED + "heads/ledger") is None


async def test_a_moved_tag_and_a_rewritten_branch_are_seen(remote, mirror, shared, commit):
    shared("tag", "-a", "-m", "one", "t", "main")
    await remote.fetch()
    before = mirror.resolve(OBSERVED + "tags/t")
    head = mirror.resolve(OBSERVED + "heads/main")
    commit("main", "rewritten", orphan=True)
    shared("tag", "-f", "-a", "-m", "two", "t", "main")
    await remote.fetch()
    after = mirror.resolve(OBSERVED + "tags/t")
    assert after == shared.oid("refs/tags/t") != before
    assert mirror.resolve(OBSERVED + "heads/main") == shared.oid("main") != head
    assert mirror.object_type(before) == "tag", "what was observed before is still here"
    assert not mirror.is_ancestor(head, shared.oid("main"))


async def test_a_deleted_tag_is_seen(remote, mirror, shared):
    shared("tag", "-a", "-m", "one", "t", "main")
    await remote.fetch()
    shared("tag", "-d", "t")
    await remote.fetch()
    assert mirror.refs(OBSERVED + "tags/") == {}


async def test_what_is_as_it_was_is_listed_and_not_fetched(shared, mirror, tmp_path, monkeypatch):
    """Where there are many refs, by a process that fetched them once; then every change is fetched."""
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE", str(trace))

    async def calls(remote: GitRemote) -> list[str]:
        trace.write_text("")
        await remote.fetch()
        ours = ("git ls-remote", "git fetch")
        return [name for name in ours if f"trace: built-in: {name} " in trace.read_text()]

    few = GitRemote(mirror.path, str(shared.folder), heads=("main",), timeout=30)
    many = GitRemote(mirror.path, str(shared.folder), heads=("main",), timeout=30, many=0)
    shared("tag", "-a", "-m", "one", "t", "main")
    shared("branch", "other", "main")
    assert await calls(few) == await calls(few) == ["git fetch"]
    assert await calls(many) == ["git fetch"]
    assert await calls(many) == ["git ls-remote"]
    shared("branch", "another", "main")
    assert await calls(many) == ["git ls-remote"], "a branch that nobody follows"
    shared("tag", "u", "main")
    assert await calls(many) == ["git ls-remote", "git fetch"]
    assert await calls(many) == ["git ls-remote"]
    mirror.set_ref(OBSERVED + "tags/v", shared.oid("main"), None)
    assert await calls(many) == ["git ls-remote", "git fetch"], "the mirror has what is not there"
    assert set(mirror.refs(OBSERVED + "tags/")) == {OBSERVED + "tags/t", OBSERVED + "tags/u"}


async def test_a_few_refs_that_moved_are_fetched_by_name(shared, mirror, tmp_path, monkeypatch):
    """And everything where a ref is gone, or was taken away since the list."""
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE", str(trace))
    remote = GitRemote(mirror.path, str(shared.folder), heads=("main",), timeout=30, many=0)

    async def fetches() -> list[bool]:
        """Of each fetch, whether it was of everything."""
        trace.write_text("")
        await remote.fetch()
        lines = trace.read_text().splitlines()
        return ["tags/*" in line for line in lines if "trace: built-in: git fetch " in line]

    shared("tag", "t", "main")
    assert await fetches() == [True]
    shared("tag", "-a", "-m", "one", "a/b", "main")
    shared("tag", "-f", "-a", "-m", "moved", "t", "main")
    assert await fetches() == [False]
    assert mirror.resolve(OBSERVED + "tags/t") == shared.oid("refs/tags/t")
    shared("tag", "-d", "a/b")
    shared("tag", "a", "main")
    assert await fetches() == [True]
    assert set(mirror.refs(OBSERVED + "tags/")) == {OBSERVED + "tags/a", OBSERVED + "tags/t"}

    async def outdated() -> tuple[str, ...]:
        return ("tags/gone", "tags/u")

    shared("tag", "u", "main")
    monkeypatch.setattr(remote, "_moved", outdated)
    assert await fetches() == [False, True]
    assert mirror.resolve(OBSERVED + "tags/u") == shared.oid("main")


async def test_a_mirror_that_lost_an_object_gets_it_back_by_a_new_process(shared, mirror):
    shared("tag", "-a", "-m", "one", "t", "main")
    tag = shared.oid("refs/tags/t")
    for lost in (False, True):
        if lost:
            for file in mirror.path.glob("objects/pack/*"):
                file.chmod(0o600)
                file.unlink()
            (mirror.path / "objects" / tag[:2] / tag[2:]).unlink(missing_ok=True)
        here = PygitObjects(mirror.path)
        remote = GitRemote(mirror.path, str(shared.folder), heads=("main",), timeout=30, many=0)
        await remote.fetch()
        assert here.object_type(tag) == "tag"


async def test_many_loose_refs_are_packed(shared, mirror):
    main = shared.oid("main")
    names = [f"promote/sit/shop/1.0.{number}" for number in range(1000)]
    lines = "".join(f"create refs/tags/{name} {main}\n" for name in names)
    shared("update-ref", "--stdin", stdin=lines.encode())
    remote = GitRemote(mirror.path, str(shared.folder), heads=("main",), timeout=60)
    await remote.fetch()
    before = mirror.refs(OBSERVED)
    assert len(before) == len(names) + 1
    await remote.tidy()
    loose = [path for path in mirror.path.glob("refs/observed/**/*") if path.is_file()]
    assert loose == []
    assert mirror.refs(OBSERVED) == PygitObjects(mirror.path).refs(OBSERVED) == before


async def test_an_emptied_repository_is_seen(remote, mirror, shared):
    await remote.fetch()
    shared("update-ref", "-d", MAIN)
    await remote.fetch()
    assert mirror.refs(OBSERVED) == {}


async def test_a_remote_that_is_not_there(mirror, tmp_path):
    remote = GitRemote(mirror.path, str(tmp_path / "nothing.git"), heads=("main",), timeout=30)
    with pytest.raises(RemoteUnreachable, match="DST601"):
        await remote.fetch()


async def test_a_remote_that_went_away_forgets_nothing(remote, mirror, shared):
    await remote.fetch()
    before = mirror.refs(OBSERVED)
    shared.folder.rename(shared.folder.with_name("away.git"))
    with pytest.raises(RemoteUnreachable):
        await remote.fetch()
    assert mirror.refs(OBSERVED) == before


async def test_a_port_where_nobody_listens(mirror):
    async with listening() as port:
        pass
    remote = GitRemote(mirror.path, f"git://127.0.0.1:{port}/x.git", heads=("main",), timeout=30)
    with pytest.raises(RemoteUnreachable):
        await remote.fetch()


@asynccontextmanager
async def listening() -> AsyncIterator[int]:
    """A server on loopback that takes connections and never says a word."""
    open_ones: set[asyncio.StreamWriter] = set()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(writer)
        while await reader.read(4096):
            pass
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_ones:
            writer.close()
        await asyncio.sleep(0)


async def test_a_remote_that_hangs_is_given_up(mirror):
    async with listening() as port:
        url = f"git://127.0.0.1:{port}/x.git"
        remote = GitRemote(mirror.path, url, heads=("main",), timeout=0.5)
        started = time.monotonic()
        with pytest.raises(RemoteUnreachable, match="no answer from git://127"):
            await remote.fetch()
        assert time.monotonic() - started < 10


def running_below(folder: Path) -> list[str]:
    """Processes whose command line names a folder (Linux; elsewhere there is nothing to see)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue  # it ended meanwhile
        if str(folder) in line:
            found.append(line)
    return found


async def test_given_up_means_that_no_process_stays(mirror):
    async with listening() as port:
        remote = GitRemote(mirror.path, f"git://127.0.0.1:{port}/x", heads=("main",), timeout=0.3)
        with pytest.raises(RemoteUnreachable):
            await remote.fetch()
        remote = GitRemote(mirror.path, f"git://127.0.0.1:{port}/x", heads=("main",), timeout=60)
        call = asyncio.create_task(remote.fetch())
        await asyncio.sleep(0.3)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert running_below(mirror.path) == []


async def test_a_password_in_the_url_is_never_shown(mirror):
    async with listening() as port:
        pass
    for scheme in ("git", "http"):
        url = f"{scheme}://ada:hunter2@127.0.0.1:{port}/x.git"
        remote = GitRemote(mirror.path, url, heads=("main",), timeout=30)
        with pytest.raises((RemoteUnreachable, GitFailed)) as caught:
            await remote.fetch()
        assert "hunter2" not in str(caught.value)


@pytest.fixture
def ready(mirror: PygitObjects, shared) -> tuple[ObjectId, ObjectId]:
    """Main's commit as everyone knows it, and a new one above it in the mirror alone."""
    main = shared.oid("main")
    tree = mirror.write_tree(None, {"a": ("blob", mirror.write_blob(b"a"))})
    raw = f"tree {tree}\nparent {main}\nauthor A <a@a> 1 +0000\ncommitter A <a@a> 1 +0000\n\nx\n"
    return main, ObjectId(str(mirror._repo.write(1, raw.encode())))


async def test_push_moves_a_branch_and_makes_another(remote, shared, ready):
    main, new = ready
    await remote.fetch()
    await remote.push({MAIN: new, LEDGER: new}, expect={MAIN: main, LEDGER: None})
    assert shared.oid("main") == shared.oid("ledger") == new


async def test_a_push_that_expects_something_else_is_refused(remote, shared, ready, commit):
    main, new = ready
    await remote.fetch()
    newer = commit("main", "someone was quicker")
    with pytest.raises(PushRejected, match="DST602"):
        await remote.push({MAIN: new}, expect={MAIN: main})
    assert shared.oid("main") == newer


async def test_a_branch_that_should_not_exist_but_does(remote, shared, ready):
    _, new = ready
    await remote.fetch()
    shared("branch", "ledger", "main")
    with pytest.raises(PushRejected):
        await remote.push({LEDGER: new}, expect={LEDGER: None})
    assert shared.oid("ledger") == shared.oid("main")


async def test_a_push_is_all_or_nothing(remote, shared, ready):
    main, new = ready
    await remote.fetch()
    shared("branch", "ledger", "main")
    with pytest.raises(PushRejected):
        await remote.push({MAIN: new, LEDGER: new}, expect={MAIN: main, LEDGER: None})
    assert shared.oid("main") == shared.oid("ledger") == main


async def test_of_many_that_push_from_the_same_head_one_wins(shared, tmp_path):
    main = shared.oid("main")
    contenders = []
    for number in range(4):
        mirror = PygitObjects.create(tmp_path / f"m{number}.git")
        remote = GitRemote(mirror.path, str(shared.folder), heads=("main",), timeout=60)
        await remote.fetch()
        blob = mirror.write_blob(str(number).encode())
        tree = mirror.write_tree(None, {"a": ("blob", blob)})
        raw = (
            f"tree {tree}\nparent {main}\nauthor A <a@a> 1 +0000\ncommitter A <a@a> 1 +0000\n\nx\n"
        )
        contenders.append((remote, ObjectId(str(mirror._repo.write(1, raw.encode())))))
    results = await asyncio.gather(
        *(remote.push({MAIN: oid}, expect={MAIN: main}) for remote, oid in contenders),
        return_exceptions=True,
    )
    won = [oid for (_, oid), result in zip(contenders, results, strict=True) if result is None]
    assert won == [shared.oid("main")]
    assert all(isinstance(r, PushRejected) for r in results if r is not None)


async def test_a_hook_that_refuses_is_a_rejection_with_its_words(remote, shared, ready):
    main, new = ready
    await remote.fetch()
    hook = shared.folder / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'protected branch' >&2\nexit 1\n", "utf-8")
    hook.chmod(0o755)
    with pytest.raises(PushRejected, match="protected branch"):
        await remote.push({MAIN: new}, expect={MAIN: main})
    assert shared.oid("main") == main


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
async def test_a_repository_that_may_not_be_written(remote, shared, ready):
    main, new = ready
    await remote.fetch()
    objects = shared.folder / "objects"
    objects.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises((PushRejected, RemoteUnreachable, GitFailed)):
            await remote.push({MAIN: new}, expect={MAIN: main})
    finally:
        objects.chmod(stat.S_IRWXU)


async def test_a_name_that_git_refuses_is_a_coded_error(remote, ready):
    _, new = ready
    with pytest.raises(GitFailed, match="DST609"):
        await remote.push({"refs/heads/a..b": new}, expect={})


async def test_the_callers_repository_variables_do_not_leak_in(
    remote, mirror, shared, monkeypatch, tmp_path
):
    other = PygitObjects.create(tmp_path / "other.git")
    monkeypatch.setenv("GIT_DIR", str(other.path))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    await remote.fetch()
    assert mirror.resolve(OBSERVED + "heads/main") == shared.oid("main")
    assert other.refs("refs/") == {}


async def test_tidying_packs_the_mirror_under_an_open_reader(remote, mirror, shared):
    await remote.fetch()
    tip = mirror.resolve(f"{OBSERVED}heads/main")
    written = [mirror.write_blob(b"kept by a tree %d" % n) for n in range(300)]
    tree = mirror.write_tree(
        None, {f"folder/{n}": ("blob", blob) for n, blob in enumerate(written)}
    )
    assert mirror.set_ref(f"{OBSERVED}tree", tree, None)
    loose = mirror.path / "objects"
    for n in range(9000):  # past Git's own mark, so that there is something to do
        mirror.write_blob(b"loose %d" % n)
    await remote.tidy()
    assert list((loose / "pack").glob("*.pack"))
    assert mirror.blob(written[7]) == b"kept by a tree 7"
    assert mirror.tree_of(tip)
    assert mirror.resolve(f"{OBSERVED}heads/main") == tip
