"""The shared repository, through the git program: credentials, ssh and proxies are Git's own affair."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from distributor.errors.git import GitFailed, PushRejected, RemoteUnreachable
from distributor.model.refs import ObjectId

_UNREACHABLE = (
    "could not read from remote",
    "unable to access",
    "unable to look up",
    "does not appear to be a git repository",
    "could not resolve host",
    "connection refused",
    "connection timed out",
    "connection reset",
    "early eof",
    "the remote end hung up",
    "permission denied",
    "no such file or directory",
)
_REJECTED = ("[rejected]", "[remote rejected]", "stale info", "failed to push some refs")

_TRIES = 5
_MANY = 64 << 10
"""Bytes of packed refs from which on a look at the remote's list is much cheaper than a fetch of nothing new."""
_FEW = 50
"""Refs that moved: so many are fetched by name, which costs the same however many there are in all."""
_LOOSE = 1000
"""Refs in files of their own from which on they are packed: each is opened whenever refs are read."""
_TIDYING = 1800.0
"""Seconds that packing the mirror may take."""


class GitRemote:
    """One remote of the local mirror at ``repository``.

    ``url`` is anything Git takes; ``heads`` are the branches that are followed; ``timeout`` bounds each
    call in seconds, after which the whole process group is ended. Without ``tags`` only heads are
    fetched. ``many`` bytes of packed refs are so many that the remote's list is looked at before a fetch.
    """

    def __init__(
        self,
        repository: Path,
        url: str,
        *,
        heads: tuple[str, ...],
        timeout: float = 60.0,
        tags: bool = True,
        many: int = _MANY,
    ) -> None:
        self._repository = repository
        self._url = url
        self._heads = heads
        self._timeout = timeout
        self._tags = tags
        self._many = many
        self._fetched = False  # a fetch brings back what the mirror lost, which no list tells
        self._lock = asyncio.Lock()  # a fetch beside our own push could bring back what it replaces

    async def fetch(self) -> None:
        """Mirror heads and tags into ``refs/observed/``: moved and deleted tags are seen as such.

        A plain fetch keeps the old target of a moved tag and hides deletions. A pattern stands for each
        head, because a head that does not exist (yet) must not fail the rest. Where the mirror has just
        what the remote lists, there is nothing to fetch; and of a few refs that moved, just these.
        """
        if self._fetched and self._tags and self._packed() >= self._many:
            moved = await self._moved()
            if moved is not None and await self._brought(moved):
                return
        specs = [f"+refs/heads/{head}*:refs/observed/heads/{head}*" for head in self._heads]
        if self._tags:
            specs.append("+refs/tags/*:refs/observed/tags/*")
        await self._fetch("--prune", specs=specs)
        self._fetched = True

    async def _brought(self, moved: Sequence[str]) -> bool:
        """Fetch these refs alone; not where one of them is gone again, or a name stands in another's way."""
        try:
            if moved:
                await self._fetch(specs=[f"+refs/{ref}:refs/observed/{ref}" for ref in moved])
        except GitFailed:
            return False
        return True

    def _packed(self) -> int:
        """How large the mirror's file of packed refs is."""
        try:
            return (self._repository / "packed-refs").stat().st_size
        except FileNotFoundError:
            return 0

    async def _moved(self) -> tuple[str, ...] | None:
        """The few heads and tags that the remote lists otherwise; ``None`` for many, or if some are gone."""
        followed = (b"refs/tags/", *(f"refs/heads/{head}".encode() for head in self._heads))
        form = "--format=%(objectname)%09refs/%(refname:lstrip=2)"
        async with self._lock:
            theirs = await self._git(
                "ls-remote", "--quiet", "--refs", "--heads", "--tags", "--end-of-options", self._url
            )
            ours = await self._git("for-each-ref", form, "refs/observed/")
        there, here = _listed(theirs, followed), _listed(ours, followed)
        moved = [name for name, oid in there.items() if here.get(name) != oid]
        if len(moved) > _FEW or not here.keys() <= there.keys():
            return None
        return tuple(os.fsdecode(name.removeprefix(b"refs/")) for name in moved)

    async def _fetch(self, *more: str, specs: Iterable[str]) -> None:
        """Another process on this mirror may hold a ref's lock for a moment: then fetch again."""
        arguments = (
            "-c", "gc.auto=0", "-c", "maintenance.auto=false",  # a process less on every fetch
            "fetch", "--quiet", "--no-tags", "--force", *more,
            "--no-write-fetch-head", "--end-of-options", self._url, *specs,
        )  # fmt: skip
        async with self._lock:
            for attempt in range(_TRIES):
                try:
                    await self._git(*arguments)
                except GitFailed as error:
                    if "cannot lock ref" not in error.detail or attempt == _TRIES - 1:
                        raise
                    await asyncio.sleep(0.05 * (attempt + 1))
                else:
                    return

    async def push(
        self, updates: Mapping[str, ObjectId], *, expect: Mapping[str, ObjectId | None]
    ) -> None:
        """Push all refs or none, each only from the object that is expected there."""
        leases = [f"--force-with-lease={ref}:{oid or ''}" for ref, oid in expect.items()]
        specs = [f"{oid}:{ref}" for ref, oid in updates.items()]
        async with self._lock:
            await self._git(
                "push", "--quiet", "--no-verify", "--atomic", *leases,
                "--end-of-options", self._url, *specs,
            )  # fmt: skip

    async def tidy(self) -> None:
        """``git gc --auto``: fetches leave packs behind, and what is written here lies loose; so do refs."""
        if await asyncio.to_thread(_holds, self._repository / "refs" / "observed", _LOOSE):
            async with self._lock:
                await self._git("pack-refs", "--all", seconds=_TIDYING)
        await self._git("-c", "gc.autoDetach=false", "gc", "--auto", "--quiet", seconds=_TIDYING)

    async def _git(self, *arguments: str, seconds: float = 0) -> bytes:
        process = await asyncio.create_subprocess_exec(
            "git", "-C", str(self._repository), *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), seconds or self._timeout)
        except TimeoutError:
            raise RemoteUnreachable(
                f"(no answer from {shown(self._url)} in {seconds or self._timeout:g} s)"
            ) from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            raise self._failure(err.decode("utf-8", "replace").strip())
        return out

    def _failure(self, message: str) -> GitFailed | PushRejected | RemoteUnreachable:
        text = message.lower()
        told = message.replace(self._url, shown(self._url)).replace(_userinfo(self._url), "***@")
        if any(sign in text for sign in _REJECTED):
            return PushRejected(told)
        if any(sign in text for sign in _UNREACHABLE):
            return RemoteUnreachable(told)
        return GitFailed(told)


def _listed(lines: bytes, followed: tuple[bytes, ...]) -> dict[bytes, bytes]:
    """The refs whose names begin so, and their objects; bytes, as names are not always text."""
    pairs = (line.partition(b"\t") for line in lines.splitlines())
    return {name: oid for oid, _, name in pairs if name.startswith(followed)}


def _holds(folder: Path, files: int) -> bool:
    """Whether a folder and those below it hold so many files."""
    found = (name for _, _, names in os.walk(folder) for name in names)
    return next(islice(found, files - 1, None), None) is not None


def _environment() -> dict[str, str]:
    """The caller's environment, so that credential helpers work, but never a prompt or a translation."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_DIR")}
    kept.pop("GIT_INDEX_FILE", None)
    kept.pop("GIT_WORK_TREE", None)
    return kept | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}


def shown(url: str) -> str:
    """The URL without a password."""
    return url.replace(_userinfo(url), "***@", 1)


def _userinfo(url: str) -> str:
    """What stands before the host, ``user:password@``; where there is none, what no message holds."""
    _, mark, rest = url.partition("://")
    user, at, _ = rest.partition("/")[0].rpartition("@")
    return user + at if mark and at else "\0"
